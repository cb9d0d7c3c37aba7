"""Classification of exceptions: errors, or interrupts that must propagate."""

from __future__ import annotations

#: What `inspect` calls ``CO_VARARGS``.
_HAS_VARARGS = 4


def is_failure(error: BaseException) -> bool:
    """True for ordinary errors, False for interrupts and signal handlers' exceptions.

    Ctrl-C is no ``Exception``; nor is that for a panic in an extension of PyO3's, which is a
    failure. What a signal's handler raises, a ``TimeoutError`` for instance, is for the caller,
    whatever code it has interrupted.
    """
    if isinstance(error, Exception):
        return not _is_of_a_handler(error)
    return type(error).__name__ == "PanicException"


def _is_of_a_handler(error: BaseException) -> bool:
    """Whether it passed a signal's handler: a function that was given the frame below it."""
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        below = frame.f_back
        code = frame.f_code
        if below is not None and (code.co_argcount > 1 or code.co_flags & _HAS_VARARGS):
            values = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
            if code.co_flags & _HAS_VARARGS:
                rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
                values += frame.f_locals.get(rest, ())
            if any(value is below for value in values):
                return True
        traceback = traceback.tb_next
    return False
