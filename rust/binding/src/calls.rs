//! Calls of Python code, safe against a thread that ends within them.
//!
//! Up to CPython 3.13 a daemon thread that wants the GIL when the interpreter has begun to end is
//! ended by `pthread_exit`, which unwinds its stack. Rust frames don't let that pass: the process
//! would abort. So the thread stays here for the little time that is left, as PyO3 has it for
//! `Python::detach`, and CPython itself from 3.14 on.
//!
//! That takes functions that are declared to unwind, which PyO3's aren't.

use std::hint::black_box;
use std::mem::transmute;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{Borrowed, ffi};

type Object = *mut ffi::PyObject;

/// Keeps the thread if it is dropped, which only unwinding does.
struct Stay;

impl Drop for Stay {
    #[cold]
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it is nothing but the call")]
fn staying<T>(call: impl FnOnce() -> T) -> T {
    let stay = Stay;
    let result = call();
    std::mem::forget(stay);
    result
}

/// A function of the C API as one that unwinds. Opaque to the optimizer, which would otherwise
/// take over what PyO3's declaration says.
macro_rules! unwinding {
    ($function:path: fn($($argument:ty),*) -> $result:ty) => {
        transmute::<unsafe extern "C" fn($($argument),*) -> $result, unsafe extern "C-unwind" fn($($argument),*) -> $result>(
            black_box($function as unsafe extern "C" fn($($argument),*) -> $result),
        )
    };
}

/// `PyObject_Vectorcall`.
///
/// # Safety
/// The callable is alive, and the arguments are as the protocol has them.
#[inline]
pub(crate) unsafe fn vectorcall(
    py: Python<'_>,
    callable: Object,
    args: *const Object,
    nargsf: usize,
    kwnames: Object,
) -> Object {
    type Function = unsafe extern "C-unwind" fn(Object, *const Object, usize, Object) -> Object;
    // SAFETY: the caller vouches for all of it; only the declaration differs.
    unsafe {
        match ffi::PyVectorcall_Function(callable) {
            Some(function) => {
                let function = transmute::<ffi::vectorcallfunc, Function>(function);
                staying(|| function(callable, args, nargsf, kwnames))
            }
            None => plain_call(py, callable, args, nargsf, kwnames),
        }
    }
}

/// A call of what doesn't know the vectorcall protocol, a C function with a cache for instance.
///
/// # Safety
/// As `vectorcall`.
#[cold]
unsafe fn plain_call(py: Python<'_>, callable: Object, args: *const Object, nargsf: usize, kwnames: Object) -> Object {
    // SAFETY: the caller vouches for the arguments, which live as long as the call.
    let made = unsafe {
        let count = ffi::PyVectorcall_NARGS(nargsf).unsigned_abs();
        let argument = |index| Borrowed::from_ptr(py, *args.add(index));
        PyTuple::new(py, (0..count).map(argument)).and_then(|positional| {
            let keywords = PyDict::new(py);
            if let Some(names) = Borrowed::from_ptr_or_opt(py, kwnames) {
                for (index, name) in names.cast_unchecked::<PyTuple>().iter_borrowed().enumerate() {
                    keywords.set_item(name, argument(count + index))?;
                }
            }
            Ok((positional, keywords))
        })
    };
    match made {
        // SAFETY: the callable is alive; a tuple and a dictionary go with it.
        Ok((positional, keywords)) => unsafe {
            let call = unwinding!(ffi::PyObject_Call: fn(Object, Object, Object) -> Object);
            staying(|| call(callable, positional.as_ptr(), keywords.as_ptr()))
        },
        Err(error) => {
            Python::attach(|py| error.restore(py));
            std::ptr::null_mut()
        }
    }
}

/// `callable(*arguments)`.
pub(crate) fn call<'py, const N: usize>(
    callable: &Bound<'py, PyAny>,
    arguments: [&Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let arguments = arguments.map(Bound::as_ptr);
    // SAFETY: all of them are alive; the call gives a new reference, or null with an error set.
    unsafe {
        let result = vectorcall(py, callable.as_ptr(), arguments.as_ptr(), N, std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, result)
    }
}

/// `object.name(*arguments)`.
pub(crate) fn method<'py, const N: usize>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    arguments: [&Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    call(&attribute(object, name)?, arguments)
}

/// `object.name`, which may be a property.
pub(crate) fn attribute<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: both are alive; the call gives a new reference, or null with an error set.
    unsafe {
        let get = unwinding!(ffi::PyObject_GetAttr: fn(Object, Object) -> Object);
        Bound::from_owned_ptr_or_err(object.py(), staying(|| get(object.as_ptr(), name.as_ptr())))
    }
}

/// `str(object)`.
pub(crate) fn text<'py>(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: the object is alive; the call gives a new str, or null with an error set.
    let text = unsafe {
        let text = unwinding!(ffi::PyObject_Str: fn(Object) -> Object);
        Bound::from_owned_ptr_or_err(object.py(), staying(|| text(object.as_ptr())))
    };
    text?.cast_into().map_err(|_| PyTypeError::new_err("no str"))
}
