//! Classification of exceptions: errors, or interrupts that must propagate.

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;

use crate::calls;

/// True for ordinary errors, false for interrupts and the exceptions of signal handlers: see
/// `sky_rs_patch._base.interrupts`.
#[cold]
pub(crate) fn is_failure(py: Python<'_>, error: &PyErr) -> bool {
    let value = error.value(py);
    // Up to CPython 3.11 the two are apart while the exception is on its way.
    if let Some(traceback) = error.traceback(py) {
        let _ = value.setattr(intern!(py, "__traceback__"), traceback);
    }
    let asked = py
        .import(intern!(py, "sky_rs_patch._base.interrupts"))
        .and_then(|errors| errors.getattr(intern!(py, "is_failure")))
        .and_then(|is_failure| calls::call(&is_failure, [value.as_any()]))
        .and_then(|answer| answer.extract());
    asked.unwrap_or_else(|_: PyErr| error.is_instance_of::<PyException>(py))
}
