//! Suspension of tracing functions while Python code of our own runs, and detection of debuggers.

use std::ffi::c_int;
use std::marker::PhantomData;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use pyo3::{ffi, intern};

use crate::gil::clear_error;

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
const TRACING: usize = 4 * size_of::<usize>() + 3 * size_of::<c_int>();

#[cfg(not(Py_3_11))]
unsafe fn enter(thread: *mut ffi::PyThreadState) {
    // SAFETY: see `TRACING`.
    unsafe { *thread.byte_add(TRACING).cast::<c_int>() += 1 };
}

#[cfg(not(Py_3_11))]
unsafe fn leave(thread: *mut ffi::PyThreadState) {
    // SAFETY: see `TRACING`.
    unsafe { *thread.byte_add(TRACING).cast::<c_int>() -= 1 };
}

/// A function of `sys` in C, taken before a program can have replaced it. It is called with
/// nothing in between, for where a namespace changes all the time this is asked in each call.
struct Question {
    /// Keeps what it belongs to alive.
    _function: Py<PyAny>,
    owner: *mut ffi::PyObject,
    entry: ffi::PyCFunction,
}

// SAFETY: `ask` wants the token that only the holder of the GIL has.
unsafe impl Send for Question {}
// SAFETY: as above.
unsafe impl Sync for Question {}

impl Question {
    /// `None` if it isn't such a function, with this calling convention.
    fn new(function: Bound<'_, PyAny>, convention: c_int) -> Option<Self> {
        // SAFETY: the second is asked of nothing but functions in C.
        let fits = unsafe {
            ffi::PyCFunction_CheckExact(function.as_ptr()) != 0
                && ffi::PyCFunction_GetFlags(function.as_ptr()) == convention
        };
        // SAFETY: as above.
        let entry = fits.then(|| unsafe { ffi::PyCFunction_GetFunction(function.as_ptr()) })??;
        // SAFETY: as above.
        let owner = unsafe { ffi::PyCFunction_GetSelf(function.as_ptr()) };
        Some(Self { _function: function.unbind(), owner, entry })
    }

    /// The answer, unless it is Python's `None` or an exception.
    fn ask<'py>(&self, py: Python<'py>, argument: *mut ffi::PyObject) -> Option<Bound<'py, PyAny>> {
        // SAFETY: a function in C that is held, called by its convention.
        let answer = unsafe { Bound::from_owned_ptr_or_opt(py, (self.entry)(self.owner, argument)) };
        if answer.is_none() {
            clear_error(py);
        }
        answer.filter(|answer| !answer.is_none())
    }
}

/// What is asked for debuggers.
struct Questions {
    gettrace: Option<Question>,
    /// From 3.12 on: `sys.monitoring.get_tool`, and a debugger's place there.
    get_tool: Option<(Question, Py<PyAny>)>,
}

static QUESTIONS: PyOnceLock<Questions> = PyOnceLock::new();

/// Finds what `has_debugger` asks.
///
/// # Errors
/// `AttributeError` or `ImportError`, if `sys` isn't what it should be.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    let sys = py.import(intern!(py, "sys"))?;
    let get_tool = match sys.getattr_opt(intern!(py, "monitoring"))? {
        Some(monitoring) => {
            let place = monitoring.getattr(intern!(py, "DEBUGGER_ID"))?.unbind();
            let get_tool = monitoring.getattr(intern!(py, "get_tool"))?;
            Question::new(get_tool, ffi::METH_O).map(|get_tool| (get_tool, place))
        }
        None => None,
    };
    let gettrace = Question::new(sys.getattr(intern!(py, "gettrace"))?, ffi::METH_NOARGS);
    QUESTIONS.get_or_init(py, || Questions { gettrace, get_tool });
    Ok(())
}

/// Whether a debugger steps through this thread: one over the standard library's `bdb`, or pydevd.
/// Coverage, profilers and Hypothesis trace as well; for them calls go where they always go.
pub(crate) fn has_debugger(py: Python<'_>) -> bool {
    let Some(Questions { gettrace, get_tool }) = QUESTIONS.get(py) else { return false };
    let function = gettrace.as_ref().and_then(|gettrace| gettrace.ask(py, std::ptr::null_mut()));
    // What fails here is no debugger that we know.
    function.is_some_and(|function| Python::attach(|_| belongs_to_a_debugger(&function).unwrap_or(false)))
        || get_tool.as_ref().is_some_and(|(get_tool, place)| get_tool.ask(py, place.as_ptr()).is_some())
}

/// Whether a function that traces is that of a debugger.
fn belongs_to_a_debugger(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = function.py();
    let _suspended = Suspended::new(py);
    let owner = function.getattr_opt(intern!(py, "__self__"))?.unwrap_or_else(|| function.clone());
    for class in owner.get_type().mro() {
        if is_a_debuggers(&class.cast_into::<PyType>()?.module()?) {
            return Ok(true);
        }
    }
    // pydevd's is a plain function in some versions.
    let module = function.getattr_opt(intern!(py, "__module__"))?;
    let module = module.and_then(|module| module.cast_into::<PyString>().ok());
    Ok(module.is_some_and(|module| is_a_debuggers(&module)))
}

fn is_a_debuggers(module: &Bound<'_, PyString>) -> bool {
    let name = module.to_string_lossy();
    let root = name.split('.').next().unwrap_or_default();
    matches!(root, "bdb" | "pydevd" | "_pydevd_bundle" | "_pydevd_frame_eval")
}
