"""What tests print when pytest doesn't capture it (``-s``)."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS = ((1, "stdout"), (2, "stderr"))
_LIMIT = 1 << 20


class OutputTap:
    """Sends the standard streams of this process through files, and on to where they went.

    Descriptors 1 and 2 are what children inherit and what native code writes to. An arm's streams
    are no terminal anyway, so the tests see no difference.
    """

    def __init__(self) -> None:
        self._taps = []
        _flush()
        for descriptor, name in _STREAMS:
            file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115 - lives on
            saved = os.dup(descriptor)
            os.dup2(file.fileno(), descriptor)
            # As a terminal or a pipe takes it: nothing is overwritten.
            os.set_inheritable(descriptor, True)
            self._taps.append((descriptor, name, file, saved))
        self._start = [0 for _ in self._taps]
        self._end = [0 for _ in self._taps]

    def _positions(self) -> list[int]:
        _flush()
        return [os.fstat(file.fileno()).st_size for _, _, file, _ in self._taps]

    def mark_start(self) -> None:
        """A phase begins."""
        self._start = self._positions()

    def mark_end(self) -> None:
        """A phase is over."""
        self._end = self._positions()

    def sections(self, when: str) -> list[tuple[str, str]]:
        """What was printed between the marks, as pytest names and keeps it."""
        found = []
        for (_, name, file, _), start, end in zip(self._taps, self._start, self._end):
            if end > start:
                content = os.pread(file.fileno(), min(end - start, _LIMIT), start)
                found.append((f"Captured {name} {when}", content.decode("utf-8", "replace")))
        return found

    def close(self) -> None:
        """Lets the streams go where they went, and passes on what was kept."""
        _flush()
        for descriptor, _, file, saved in self._taps:
            os.dup2(saved, descriptor)
            os.close(saved)
            file.seek(0)
            while content := file.read(_LIMIT):
                os.write(descriptor, content)
            file.close()
        self._taps = []


@contextlib.contextmanager
def marked(tap: OutputTap | None) -> Iterator[None]:
    """Marks a phase."""
    if tap is None:
        yield
        return
    tap.mark_start()
    try:
        yield
    finally:
        tap.mark_end()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
