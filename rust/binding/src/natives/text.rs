//! Natives of tens of nanoseconds: `base36_encode`, `format_float`, `truncate_long_string`.
//!
//! Nothing here allocates but the result.

use pyo3::prelude::*;
use pyo3::types::PyBool;
use pyo3::{ffi, intern};
use sky_rs_core::truncate::{Cut, end, middle};
use sky_rs_core::{Decline, NativeResult, base36, float_format};

use crate::call_args::{Argument, CallArgs, exact_f64, exact_i64, exact_str, plain_truth, required};
use crate::gil::clear_error;
use crate::text::{Units, ascii, cut, from_ascii, length, units};

pub(super) fn base36_encode<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text] = call.bind(["hex_str"], 1)?;
    // Beyond ASCII, int() knows further digits and white space.
    let text = ascii(exact_str(required(text)?)?).ok_or(Decline::Value)?;
    base36::encode(text, |digits| from_ascii(call.py(), [digits]))
}

pub(super) fn format_float<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [number, precision] = call.bind(["num", "precision"], 1)?;
    let number = required(number)?;
    let py = call.py();
    if let Ok(number) = exact_f64(number) {
        let precision = match precision {
            None => 1,
            Some(precision) => usize::try_from(exact_i64(precision)?).map_err(|_| Decline::Value)?,
        };
        return float_format::format(number, precision, |text| from_ascii(py, [text]));
    }
    // An int or a bool; the precision isn't looked at.
    if let Ok(truth) = number.cast::<PyBool>() {
        let text = if truth.is_true() { intern!(py, "True") } else { intern!(py, "False") };
        return Ok(text.clone().into_any());
    }
    match exact_i64(number) {
        Ok(number) => float_format::format_integer(number, |text| from_ascii(py, [text])),
        Err(Decline::Value) => long_integer(number),
        Err(decline) => Err(decline),
    }
}

/// `str(number)` of an int beyond 64 bits.
#[cold]
fn long_integer<'py>(number: Argument<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = number.py();
    // SAFETY: the object is live; the call gives a new reference, or null with an error set
    // (an integer of more digits than Python prints).
    let text = unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyObject_Str(number.as_ptr())) };
    text.ok_or_else(|| {
        clear_error(py);
        Decline::Value
    })
}

pub(super) fn truncate_long_string<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text, max_length, in_middle] = call.bind(["s", "max_length", "truncate_middle"], 1)?;
    truncate(text, max_length, in_middle)
}

pub(super) fn truncate_long_string_end<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text, max_length] = call.bind(["s", "max_length"], 1)?;
    truncate(text, max_length, None)
}

#[inline]
fn truncate<'py>(
    text: Option<Argument<'_, 'py>>,
    max_length: Option<Argument<'_, 'py>>,
    in_middle: Option<Argument<'_, 'py>>,
) -> NativeResult<Bound<'py, PyAny>> {
    let text = exact_str(required(text)?)?;
    let max_length = match max_length {
        None => 35,
        Some(max_length) => isize::try_from(exact_i64(max_length)?).map_err(|_| Decline::Value)?,
    };
    if length(text).cast_signed() <= max_length {
        // `truncate_middle` isn't looked at.
        return cut(text, Cut::Whole);
    }
    if in_middle.map_or(Ok(false), plain_truth)? {
        return cut(text, middle(length(text), max_length));
    }
    let parts = match units(text) {
        Units::Ascii(units) | Units::Latin1(units) => end(units, max_length),
        Units::Ucs2(units) => end(units, max_length),
        Units::Ucs4(units) => end(units, max_length),
    };
    cut(text, parts)
}
