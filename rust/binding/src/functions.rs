//! Module functions of the extension: the native functions without a route, for benchmarks, tests
//! and `estimate_fd_for_directory`, which has no target.

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use sky_rs_core::Decline;

use crate::call_args::CallArgs;
use crate::natives::{NATIVES, Native};

create_exception!(
    _native,
    Declined,
    PyException,
    "A native function hands a call back to the Python original; the argument is the reason."
);

/// Calls a native function with the arguments of a C function; gives a new reference, or null with
/// `Declined` set.
///
/// # Safety
/// The GIL is held, and the arguments are as `METH_FASTCALL | METH_KEYWORDS` has them.
#[inline]
pub(crate) unsafe fn call(
    native: &Native,
    args: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the caller vouches for it.
    let call = unsafe { CallArgs::new(Python::assume_attached(), args, count.unsigned_abs(), kwnames, &[]) };
    match native.call(&call) {
        Ok(result) => result,
        Err(reason) => raise(call.py(), reason),
    }
}

#[cold]
fn raise(py: Python<'_>, reason: Decline) -> *mut ffi::PyObject {
    if reason != Decline::Interrupted {
        Declined::new_err(reason.name()).restore(py);
    }
    std::ptr::null_mut()
}

/// Adds a function for each native one, and `NATIVE_NAMES`, the list of their names.
pub(crate) fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let mut methods: Vec<ffi::PyMethodDef> = NATIVES
        .iter()
        .map(|native| ffi::PyMethodDef {
            ml_name: native.name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: native.entry },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: std::ptr::null(),
        })
        .collect();
    methods.push(ffi::PyMethodDef::zeroed());
    // The functions keep pointers into the table, so it lives as long as the process.
    let table = methods.leak();
    // SAFETY: the table ends with zeros and is never freed.
    let status = unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), table.as_mut_ptr()) };
    if status < 0 {
        return Err(PyErr::fetch(module.py()));
    }
    let names = NATIVES.iter().map(|native| native.name.to_string_lossy());
    module.add("NATIVE_NAMES", PyTuple::new(module.py(), names.collect::<Vec<_>>())?)
}
