//! Suspension of tracing functions while Python code of our own runs, and detection of debuggers.

use std::marker::PhantomData;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use pyo3::{ffi, intern};

/// No function of `sys.settrace`, `sys.setprofile` or `sys.monitoring` is called in this thread
/// until it is dropped. They stay set all the while: nothing has to be put back.
pub(crate) struct Suspended<'py> {
    thread: *mut ffi::PyThreadState,
    attached: PhantomData<Python<'py>>,
}

impl<'py> Suspended<'py> {
    /// From here on.
    pub(crate) fn new(_: Python<'py>) -> Self {
        // SAFETY: the thread is attached.
        let thread = unsafe { ffi::PyThreadState_Get() };
        // SAFETY: as above; `drop` undoes it.
        unsafe { enter(thread) };
        Self { thread, attached: PhantomData }
    }
}

impl Drop for Suspended<'_> {
    fn drop(&mut self) {
        // SAFETY: it is this thread's own state, still attached, and was entered once.
        unsafe { leave(self.thread) };
    }
}

#[cfg(Py_3_11)]
unsafe extern "C" {
    #[link_name = "PyThreadState_EnterTracing"]
    fn enter(thread: *mut ffi::PyThreadState);
    #[link_name = "PyThreadState_LeaveTracing"]
    fn leave(thread: *mut ffi::PyThreadState);
}

/// Where CPython 3.9 and 3.10 count how deep a thread is in functions that trace it, as the later
/// functions do: `tracing` of `struct _ts`, after four pointers and three ints, on 64-bit systems.
/// No further release of them changes that.
#[cfg(not(Py_3_11))]
const TRACING: usize = 4 * size_of::<usize>() + 3 * size_of::<std::ffi::c_int>();

#[cfg(not(Py_3_11))]
unsafe fn enter(thread: *mut ffi::PyThreadState) {
    // SAFETY: see `TRACING`.
    unsafe { *thread.byte_add(TRACING).cast::<std::ffi::c_int>() += 1 };
}

#[cfg(not(Py_3_11))]
unsafe fn leave(thread: *mut ffi::PyThreadState) {
    // SAFETY: see `TRACING`.
    unsafe { *thread.byte_add(TRACING).cast::<std::ffi::c_int>() -= 1 };
}

/// Whether a debugger steps through this thread: one over the standard library's `bdb`, or pydevd.
/// Coverage, profilers and Hypothesis trace as well; for them calls go where they always go.
pub(crate) fn has_debugger(py: Python<'_>) -> bool {
    let _suspended = Suspended::new(py);
    // What fails here is no debugger that we know.
    debugger(py).unwrap_or(false)
}

fn debugger(py: Python<'_>) -> PyResult<bool> {
    let sys = py.import(intern!(py, "sys"))?;
    let function = sys.getattr(intern!(py, "gettrace"))?.call0()?;
    if !function.is_none() {
        let owner = function.getattr_opt(intern!(py, "__self__"))?.unwrap_or_else(|| function.clone());
        for class in owner.get_type().mro() {
            if is_a_debuggers(&class.cast_into::<PyType>()?.module()?) {
                return Ok(true);
            }
        }
        // pydevd's is a plain function in some versions.
        if let Some(module) = function.getattr_opt(intern!(py, "__module__"))?
            && let Ok(module) = module.cast_into::<PyString>()
        {
            return Ok(is_a_debuggers(&module));
        }
    }
    // From 3.12 on there is a better way to trace, with a place of its own for a debugger.
    let Some(monitoring) = sys.getattr_opt(intern!(py, "monitoring"))? else { return Ok(false) };
    let place = monitoring.getattr(intern!(py, "DEBUGGER_ID"))?;
    Ok(!monitoring.call_method1(intern!(py, "get_tool"), (place,))?.is_none())
}

fn is_a_debuggers(module: &Bound<'_, PyString>) -> bool {
    let name = module.to_string_lossy();
    let root = name.split('.').next().unwrap_or_default();
    matches!(root, "bdb" | "pydevd" | "_pydevd_bundle" | "_pydevd_frame_eval")
}
