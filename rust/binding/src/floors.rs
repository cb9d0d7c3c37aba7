//! Lower bounds of the routes' times, for benchmarks: `sky_rs_patch._native.floor_*`.
//!
//! They run in the very loop that measures the routes.

use std::ffi::CString;

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use sky_rs_core::floors;

/// A call that looks at nothing and returns `None`: any number of arguments, without keywords.
unsafe extern "C" fn empty(
    _module: *mut ffi::PyObject,
    _args: *mut *mut ffi::PyObject,
    _count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls with the GIL held, and None lives as long as it.
    unsafe {
        ffi::Py_INCREF(ffi::Py_None());
        ffi::Py_None()
    }
}

fn path(text: &str) -> PyResult<CString> {
    CString::new(text).map_err(|_| PyValueError::new_err("a path with a NUL"))
}

/// socket, bind, close.
#[pyfunction]
#[pyo3(name = "floor_bind_port", signature = (port, /))]
fn bind_port(py: Python<'_>, port: u16) {
    py.detach(|| floors::bind_port(port));
}

/// The affinity, one statfs, one stat, one cgroup file.
#[pyfunction]
#[pyo3(name = "floor_processors")]
fn processors() {
    floors::processors();
}

/// /proc/meminfo, one stat, one cgroup file.
#[pyfunction]
#[pyo3(name = "floor_memory")]
fn memory() {
    floors::memory();
}

/// Opens and closes a file.
#[pyfunction]
#[pyo3(name = "floor_open_close", signature = (file, /))]
fn open_close(file: &str) -> PyResult<()> {
    floors::open_close(&path(file)?);
    Ok(())
}

/// Reads a directory's entries.
#[pyfunction]
#[pyo3(name = "floor_list_entries", signature = (directory, /))]
fn list_entries(py: Python<'_>, directory: &str) -> PyResult<()> {
    let directory = path(directory)?;
    py.detach(|| floors::list(&directory));
    Ok(())
}

/// Copies a file's last bytes out of the page cache.
#[pyfunction]
#[pyo3(name = "floor_read_end", signature = (file, count, /))]
fn read_end(py: Python<'_>, file: &str, count: u64) -> PyResult<()> {
    let file = path(file)?;
    py.detach(|| floors::read_end(&file, count));
    Ok(())
}

/// A new string of the same text.
#[pyfunction]
#[pyo3(name = "floor_copy", signature = (text, /))]
fn copy<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyString> {
    PyString::new(py, text)
}

/// Adds the functions.
pub(crate) fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(bind_port, module)?)?;
    module.add_function(wrap_pyfunction!(processors, module)?)?;
    module.add_function(wrap_pyfunction!(memory, module)?)?;
    module.add_function(wrap_pyfunction!(open_close, module)?)?;
    module.add_function(wrap_pyfunction!(list_entries, module)?)?;
    module.add_function(wrap_pyfunction!(read_end, module)?)?;
    module.add_function(wrap_pyfunction!(copy, module)?)?;
    let methods = vec![
        ffi::PyMethodDef {
            ml_name: c"floor_empty".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFast: empty },
            ml_flags: ffi::METH_FASTCALL,
            ml_doc: std::ptr::null(),
        },
        ffi::PyMethodDef::zeroed(),
    ];
    // SAFETY: the table ends with zeros and is never freed.
    let status = unsafe { ffi::PyModule_AddFunctions(module.as_ptr(), methods.leak().as_mut_ptr()) };
    if status < 0 { Err(PyErr::fetch(module.py())) } else { Ok(()) }
}
