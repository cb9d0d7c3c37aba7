//! Arguments of one call: the vectorcall protocol's, bound to the parameters of the original.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyTuple};
use pyo3::{Borrowed, ffi};
use sky_rs_core::{Decline, NativeResult};

use crate::text::ascii;

/// The arguments of one call, as the vectorcall protocol hands them over.
pub(crate) struct CallArgs<'a, 'py> {
    py: Python<'py>,
    positional: &'a [Argument<'a, 'py>],
    keyword_values: &'a [Argument<'a, 'py>],
    keyword_names: Option<Borrowed<'a, 'py, PyTuple>>,
    context: &'a [Py<PyAny>],
}

pub(crate) type Argument<'a, 'py> = Borrowed<'a, 'py, PyAny>;

impl<'a, 'py> CallArgs<'a, 'py> {
    /// # Safety
    /// As the vectorcall protocol has it: `args` holds as many live references as `nargsf`
    /// says, then one for each name in `kwnames`, which is null or a tuple of strings; all
    /// of them outlive `'a`.
    #[inline]
    pub(crate) unsafe fn new(
        py: Python<'py>,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
        context: &'a [Py<PyAny>],
    ) -> Self {
        // SAFETY: the function only masks a bit; the count isn't negative.
        let positional = unsafe { ffi::PyVectorcall_NARGS(nargsf) }.unsigned_abs();
        let arguments = |start, count| -> &'a [Argument<'a, 'py>] {
            if count == 0 {
                return &[];
            }
            // SAFETY: `Borrowed` is a transparent non-null pointer, and the caller vouches for
            // that many of them at that place.
            unsafe { std::slice::from_raw_parts(args.add(start).cast(), count) }
        };
        let mut call =
            Self { py, positional: arguments(0, positional), keyword_values: &[], keyword_names: None, context };
        if !kwnames.is_null() {
            // SAFETY: the caller vouches for `kwnames`.
            let names = unsafe { Borrowed::from_ptr(py, kwnames).cast_unchecked::<PyTuple>() };
            call.keyword_values = arguments(positional, names.len());
            call.keyword_names = Some(names);
        }
        call
    }

    #[inline]
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// The route's own object number `index`: see `context` in the route's description.
    pub(crate) fn context(&self, index: usize) -> Option<&'a Bound<'py, PyAny>> {
        self.context.get(index).map(|object| object.bind(self.py))
    }

    /// The argument of a call that has one.
    pub(crate) fn only(&self) -> Option<Argument<'a, 'py>> {
        match (self.positional, self.keyword_values) {
            ([argument], []) | ([], [argument]) => Some(*argument),
            _ => None,
        }
    }

    /// Gives each parameter its argument, the first `REQUIRED` of them for certain.
    ///
    /// # Errors
    /// `Arguments` where the original would raise a `TypeError`.
    #[inline]
    pub(crate) fn bind<const N: usize>(
        &self,
        names: [&str; N],
        required: usize,
    ) -> NativeResult<[Option<Argument<'a, 'py>>; N]> {
        if self.positional.len() > N {
            return Err(Decline::Arguments);
        }
        let mut bound = std::array::from_fn(|position| self.positional.get(position).copied());
        if let Some(keyword_names) = self.keyword_names {
            self.bind_keywords(keyword_names, names, &mut bound)?;
        }
        if bound[..required].iter().any(Option::is_none) {
            return Err(Decline::Arguments);
        }
        Ok(bound)
    }

    // Apart, so that calls without keywords don't pay for its registers.
    #[inline(never)]
    fn bind_keywords<const N: usize>(
        &self,
        keyword_names: Borrowed<'a, 'py, PyTuple>,
        names: [&str; N],
        bound: &mut [Option<Argument<'a, 'py>>; N],
    ) -> NativeResult<()> {
        for (keyword, value) in keyword_names.iter_borrowed().zip(self.keyword_values) {
            let keyword = ascii(exact_str(keyword).map_err(|_| Decline::Arguments)?).ok_or(Decline::Arguments)?;
            let position = names.iter().position(|name| name.as_bytes() == keyword).ok_or(Decline::Arguments)?;
            if bound[position].replace(*value).is_some() {
                return Err(Decline::Arguments);
            }
        }
        Ok(())
    }
}

/// A required argument after `bind`.
#[inline]
pub(crate) fn required<'a, 'py>(argument: Option<Argument<'a, 'py>>) -> NativeResult<Argument<'a, 'py>> {
    argument.ok_or(Decline::Arguments)
}

/// An exact `str`; subclasses may override anything.
#[inline]
pub(crate) fn exact_str<'a, 'py>(argument: Argument<'a, 'py>) -> NativeResult<Borrowed<'a, 'py, PyString>> {
    argument.cast_exact::<PyString>().map_err(|_| Decline::Type)
}

/// An exact `str` or `None`.
pub(crate) fn optional_str<'a, 'py>(
    argument: Option<Argument<'a, 'py>>,
) -> NativeResult<Option<Borrowed<'a, 'py, PyString>>> {
    match argument {
        None => Ok(None),
        Some(argument) if argument.is_none() => Ok(None),
        Some(argument) => exact_str(argument).map(Some),
    }
}

/// An exact `int` (no `bool`) that fits 64 bits.
#[inline]
pub(crate) fn exact_i64(argument: Argument<'_, '_>) -> NativeResult<i64> {
    if !argument.is_exact_instance_of::<PyInt>() {
        return Err(Decline::Type);
    }
    let mut overflow = 0;
    // SAFETY: the argument is an int, so no `__index__` is called and no error is set.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(argument.as_ptr(), &raw mut overflow) };
    if overflow == 0 { Ok(value) } else { Err(Decline::Value) }
}

/// The value of an exact `float`.
#[inline]
pub(crate) fn exact_f64(argument: Argument<'_, '_>) -> NativeResult<f64> {
    argument.cast_exact::<PyFloat>().map(|float| float.value()).map_err(|_| Decline::Type)
}

/// The truth of an exact `bool`, `int` or `None`.
#[inline]
pub(crate) fn plain_truth(argument: Argument<'_, '_>) -> NativeResult<bool> {
    if let Ok(value) = argument.cast::<PyBool>() {
        Ok(value.is_true())
    } else if argument.is_none() {
        Ok(false)
    } else {
        exact_i64(argument).map(|value| value != 0)
    }
}
