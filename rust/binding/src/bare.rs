//! The native functions without a route, as module functions: for benchmarks and tests, and
//! for `estimate_fd_for_directory`, which has no target.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use sky_rs_core::Decline;

use crate::frame::Frame;
use crate::natives::{NATIVES, Native};

create_exception!(
    _native,
    Declined,
    PyException,
    "A native function hands a call back to the Python original; the argument is the reason."
);

/// One entry point for each native function: C functions carry no data of their own.
unsafe extern "C" fn call<const INDEX: usize>(
    _module: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls with the GIL held and proper arguments.
    unsafe {
        let py = Python::assume_attached();
        let frame = Frame::new(py, args, count.unsigned_abs(), kwnames, &[]);
        run(&frame, &NATIVES[INDEX])
    }
}

#[inline]
fn run(frame: &Frame<'_, '_>, native: &Native) -> *mut ffi::PyObject {
    match native.call(frame) {
        Ok(result) => result,
        Err(reason) => raise(frame.py(), reason),
    }
}

#[cold]
fn raise(py: Python<'_>, reason: Decline) -> *mut ffi::PyObject {
    if reason != Decline::Interrupted {
        Declined::new_err(reason.name()).restore(py);
    }
    std::ptr::null_mut()
}

/// Adds a function for each native one.
pub(crate) fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    macro_rules! entries {
        ($($index:literal)*) => { [$(call::<$index> as ffi::PyCFunctionFastWithKeywords),*] };
    }
    const ENTRIES: [ffi::PyCFunctionFastWithKeywords; 40] = entries!(
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
    );
    assert!(ENTRIES.len() >= NATIVES.len(), "an entry for each native function");
    let mut methods: Vec<ffi::PyMethodDef> = NATIVES
        .iter()
        .zip(ENTRIES)
        .map(|(native, entry)| ffi::PyMethodDef {
            ml_name: native.name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: entry },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: std::ptr::null(),
        })
        .collect();
    methods.push(ffi::PyMethodDef::zeroed());
    // The functions keep pointers into the table, so it lives as long as the process.
    let table = methods.leak();
    // SAFETY: the table ends with zeros and is never freed.
    let status = unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), table.as_mut_ptr()) };
    if status < 0 { Err(PyErr::fetch(module.py())) } else { Ok(()) }
}
