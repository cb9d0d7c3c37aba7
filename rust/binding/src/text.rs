//! Access to `str` objects by code units, without a detour through UTF-8.

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{Borrowed, ffi};
use sky_rs_core::truncate::Cut;
use sky_rs_core::{Decline, NativeResult};

use crate::gil::clear_error;

/// The code points of a `str`, in the width in which it keeps them.
#[derive(Clone, Copy)]
pub(crate) enum Units<'a> {
    Ascii(&'a [u8]),
    Latin1(&'a [u8]),
    Ucs2(&'a [u16]),
    Ucs4(&'a [u32]),
}

/// The number of code points.
#[inline]
pub(crate) fn length(text: Borrowed<'_, '_, PyString>) -> usize {
    // SAFETY: `text` is a str; a length isn't negative.
    unsafe { ffi::PyUnicode_GET_LENGTH(text.as_ptr()) }.unsigned_abs()
}

/// Looks into a string.
#[inline]
pub(crate) fn units<'a>(text: Borrowed<'a, '_, PyString>) -> Units<'a> {
    let object = text.as_ptr();
    let count = length(text);
    #[cfg(not(Py_3_12))]
    // SAFETY: `text` is a str; before 3.12 legacy strings may have to be made ready first.
    unsafe {
        ffi::PyUnicode_READY(object);
    }
    // SAFETY: a ready str keeps `count` code points of its kind at its data pointer; they
    // don't change, and live as long as the borrow.
    unsafe {
        let data = ffi::PyUnicode_DATA(object);
        match ffi::PyUnicode_KIND(object) {
            ffi::PyUnicode_1BYTE_KIND => {
                let bytes = std::slice::from_raw_parts(data.cast::<u8>(), count);
                if ffi::PyUnicode_IS_COMPACT_ASCII(object) != 0 { Units::Ascii(bytes) } else { Units::Latin1(bytes) }
            }
            ffi::PyUnicode_2BYTE_KIND => Units::Ucs2(std::slice::from_raw_parts(data.cast::<u16>(), count)),
            _ => Units::Ucs4(std::slice::from_raw_parts(data.cast::<u32>(), count)),
        }
    }
}

/// The bytes of a `str` if it is all ASCII.
#[inline]
pub(crate) fn ascii<'a>(text: Borrowed<'a, '_, PyString>) -> Option<&'a [u8]> {
    match units(text) {
        Units::Ascii(bytes) => Some(bytes),
        _ => None,
    }
}

/// Makes a `str` of ASCII bytes, given in parts.
///
/// # Errors
/// `Os` if there is no memory.
#[inline]
pub(crate) fn from_ascii<'py, const N: usize>(py: Python<'py>, parts: [&[u8]; N]) -> NativeResult<Bound<'py, PyAny>> {
    debug_assert!(parts.iter().all(|part| part.is_ascii()));
    let total: usize = parts.iter().map(|part| part.len()).sum();
    if total == 0 {
        return Ok(PyString::new(py, "").into_any());
    }
    // SAFETY: a new ASCII string has room for `total` bytes, and nobody else has seen it.
    unsafe {
        let object = ffi::PyUnicode_New(total.cast_signed(), 0x7f);
        if object.is_null() {
            clear_error(py);
            return Err(Decline::Os);
        }
        let mut target = ffi::PyUnicode_DATA(object).cast::<u8>();
        for part in parts {
            target.copy_from_nonoverlapping(part.as_ptr(), part.len());
            target = target.add(part.len());
        }
        Ok(Bound::from_owned_ptr(py, object))
    }
}

/// `bytes.decode('utf-8', errors)`, by CPython's own decoder.
///
/// # Errors
/// `Decode` if that raises.
pub(crate) fn decode_utf8<'py>(
    py: Python<'py>,
    bytes: &[u8],
    errors: &std::ffi::CStr,
) -> NativeResult<Bound<'py, PyAny>> {
    // SAFETY: the pointer and the length belong together; the call gives a new reference,
    // or null with an error set.
    let object = unsafe {
        let text = ffi::PyUnicode_DecodeUTF8(bytes.as_ptr().cast(), bytes.len().cast_signed(), errors.as_ptr());
        Bound::from_owned_ptr_or_opt(py, text)
    };
    object.ok_or_else(|| {
        clear_error(py);
        Decline::Decode
    })
}

const ELLIPSIS: &[u8] = b"...";

/// `text[:head] + '...' + text[len(text) - tail:]`, or the text itself.
#[inline]
pub(crate) fn cut<'py>(text: Borrowed<'_, 'py, PyString>, cut: Cut) -> NativeResult<Bound<'py, PyAny>> {
    let py = text.py();
    let Cut::Parts { head, tail } = cut else {
        return Ok(text.to_owned().into_any());
    };
    match units(text) {
        Units::Ascii(units) => from_ascii(py, [&units[..head], ELLIPSIS, &units[units.len() - tail..]]),
        Units::Latin1(units) => from_units(py, ffi::PyUnicode_1BYTE_KIND, units, head, tail),
        Units::Ucs2(units) => from_units(py, ffi::PyUnicode_2BYTE_KIND, units, head, tail),
        Units::Ucs4(units) => from_units(py, ffi::PyUnicode_4BYTE_KIND, units, head, tail),
    }
}

fn from_units<'py, T: Copy + From<u8>>(
    py: Python<'py>,
    kind: std::ffi::c_uint,
    units: &[T],
    head: usize,
    tail: usize,
) -> NativeResult<Bound<'py, PyAny>> {
    let mut kept = Vec::new();
    kept.try_reserve_exact(head + ELLIPSIS.len() + tail).map_err(|_| Decline::Os)?;
    kept.extend_from_slice(&units[..head]);
    kept.extend(ELLIPSIS.iter().map(|byte| T::from(*byte)));
    kept.extend_from_slice(&units[units.len() - tail..]);
    // SAFETY: the caller pairs units and kind.
    unsafe { from_kind(py, kind, &kept) }
}

/// Makes a `str` of code units, in the narrowest kind that fits.
///
/// # Safety
/// `kind` is that of units of this size.
pub(crate) unsafe fn from_kind<'py, T>(
    py: Python<'py>,
    kind: std::ffi::c_uint,
    units: &[T],
) -> NativeResult<Bound<'py, PyAny>> {
    // SAFETY: there are that many units, and the caller vouches for their kind. The call
    // copies them.
    let object = unsafe {
        #[expect(clippy::cast_possible_wrap)]
        let text = ffi::PyUnicode_FromKindAndData(kind as _, units.as_ptr().cast(), units.len() as isize);
        Bound::from_owned_ptr_or_opt(py, text)
    };
    object.ok_or_else(|| {
        clear_error(py);
        Decline::Os
    })
}
