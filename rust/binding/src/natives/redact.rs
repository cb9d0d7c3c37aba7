//! Natives that take something out of texts: `remove_color`, `_redact_secrets_values`.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use pyo3::{Borrowed, ffi, intern};
use sky_rs_core::redact::{Unit, around_value, without_color};
use sky_rs_core::reserve::ensure_available;
use sky_rs_core::{Decline, NativeResult};

use crate::call_args::{CallArgs, exact_i64, exact_str, required};
use crate::gil::GilBound;
use crate::text::{Units, ascii, from_ascii, from_kind, units};

/// Context: the compiled expression, and the type of such.
pub(super) fn remove_color<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    let [text] = call.bind(["s"], 1)?;
    let text = exact_str(required(text)?)?;
    if let (Some(pattern), Some(kind)) = (call.context(0), call.context(1)) {
        is_color_pattern(pattern, kind)?;
    }
    make_room(text)?;
    // SAFETY: each kind is that of its units.
    let result = unsafe {
        match units(text) {
            Units::Ascii(units) => without_color(units).map(|kept| from_ascii(py, [&kept])),
            Units::Latin1(units) => without_color(units).map(|kept| from_kind(py, ffi::PyUnicode_1BYTE_KIND, &kept)),
            Units::Ucs2(units) => without_color(units).map(|kept| from_kind(py, ffi::PyUnicode_2BYTE_KIND, &kept)),
            Units::Ucs4(units) => without_color(units).map(|kept| from_kind(py, ffi::PyUnicode_4BYTE_KIND, &kept)),
        }
    };
    // Where nothing is taken out, `sub` gives the text itself.
    result.unwrap_or_else(|| Ok(text.to_owned().into_any()))
}

/// Makes sure of the memory for a copy of the text.
fn make_room(text: Borrowed<'_, '_, PyString>) -> NativeResult<()> {
    match units(text) {
        Units::Ascii(units) | Units::Latin1(units) => ensure_available(size_of_val(units)),
        Units::Ucs2(units) => ensure_available(size_of_val(units)),
        Units::Ucs4(units) => ensure_available(size_of_val(units)),
    }
}

/// Makes sure that the module's pattern is the one that this code was written for.
fn is_color_pattern(pattern: &Bound<'_, PyAny>, kind: &Bound<'_, PyAny>) -> NativeResult<()> {
    /// The one that was found to be right last; patterns don't change.
    static KNOWN: GilBound<RefCell<Option<Py<PyAny>>>> = GilBound::new(RefCell::new(None));
    let known = KNOWN.get(pattern.py());
    if known.try_borrow().is_ok_and(|known| known.as_ref().is_some_and(|known| known.is(pattern))) {
        return Ok(());
    }
    // References and errors of PyO3 are dropped below.
    Python::attach(|_| {
        examine_pattern(pattern, kind)?;
        if let Ok(mut known) = known.try_borrow_mut() {
            *known = Some(pattern.clone().unbind());
        }
        Ok(())
    })
}

#[cold]
fn examine_pattern(pattern: &Bound<'_, PyAny>, kind: &Bound<'_, PyAny>) -> NativeResult<()> {
    /// `re.UNICODE`, which every `str` pattern has.
    const FLAGS: i64 = 32;
    let py = pattern.py();
    if !pattern.get_type().is(kind) {
        return Err(Decline::Platform);
    }
    let get = |name| pattern.getattr(name).map_err(|_| Decline::Platform);
    let source = get(intern!(py, "pattern"))?;
    let flags = get(intern!(py, "flags"))?;
    let same = ascii(exact_str(source.as_borrowed())?) == Some(br"\x1b[^m]*m");
    if !same || exact_i64(flags.as_borrowed())? != FLAGS {
        return Err(Decline::Platform);
    }
    Ok(())
}

pub(super) fn redact_secrets_values<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    const OPTION: &[u8] = b"--secret";
    const WITH_VALUE: &[u8] = b"--secret=";
    let py = call.py();
    let [arguments] = call.bind(["argv"], 1)?;
    let arguments = required(arguments)?.cast_exact::<PyList>().map_err(|_| Decline::Type)?;
    let mut result: Vec<Bound<'py, PyAny>> = Vec::with_capacity(arguments.len());
    let mut expects_value = false;
    let count = arguments.len();
    for (position, argument) in arguments.iter().enumerate() {
        let text = exact_str(argument.as_borrowed())?;
        if std::mem::take(&mut expects_value) {
            result.push(redacted(text, 0)?);
            continue;
        }
        expects_value = position + 1 < count && ascii(text) == Some(OPTION);
        if starts_with(text, WITH_VALUE) {
            result.push(redacted(text, WITH_VALUE.len())?);
        } else {
            result.push(argument);
        }
    }
    Ok(PyList::new(py, result).map_err(|_| Decline::Os)?.into_any())
}

fn starts_with(text: Borrowed<'_, '_, PyString>, prefix: &[u8]) -> bool {
    fn compare<T: Unit>(text: &[T], prefix: &[u8]) -> bool {
        text.len() >= prefix.len() && text.iter().zip(prefix).all(|(unit, byte)| *unit == T::from(*byte))
    }
    match units(text) {
        Units::Ascii(text) | Units::Latin1(text) => text.starts_with(prefix),
        Units::Ucs2(text) => compare(text, prefix),
        Units::Ucs4(text) => compare(text, prefix),
    }
}

/// The text with what follows the first equals sign, to the end of that line, replaced.
fn redacted<'py>(text: Borrowed<'_, 'py, PyString>, skip: usize) -> NativeResult<Bound<'py, PyAny>> {
    const MARK: &[u8] = b"=<redacted>";
    fn wide<T: Unit>((key, rest): (&[T], &[T])) -> Vec<T> {
        let mut joined = Vec::with_capacity(key.len() + MARK.len() + rest.len());
        joined.extend_from_slice(key);
        joined.extend(MARK.iter().map(|byte| T::from(*byte)));
        joined.extend_from_slice(rest);
        joined
    }
    let py = text.py();
    make_room(text)?;
    // SAFETY: each kind is that of its units.
    let result = unsafe {
        match units(text) {
            Units::Ascii(units) => around_value(units, skip).map(|(key, rest)| from_ascii(py, [key, MARK, rest])),
            Units::Latin1(units) => {
                around_value(units, skip).map(|parts| from_kind(py, ffi::PyUnicode_1BYTE_KIND, &wide(parts)))
            }
            Units::Ucs2(units) => {
                around_value(units, skip).map(|parts| from_kind(py, ffi::PyUnicode_2BYTE_KIND, &wide(parts)))
            }
            Units::Ucs4(units) => {
                around_value(units, skip).map(|parts| from_kind(py, ffi::PyUnicode_4BYTE_KIND, &wide(parts)))
            }
        }
    };
    result.unwrap_or_else(|| Ok(text.to_owned().into_any()))
}
