//! Conversion of path arguments to what the operating system takes.

use std::ffi::CString;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};
use pyo3::{Py, ffi};
use sky_rs_core::{Decline, NativeResult};

use super::decline_for;
use crate::call_args::{Argument, exact_str};
use crate::calls;
use crate::text::ascii;

/// The bytes of an exact `str` or `pathlib.PosixPath`, as `os.fsencode` gives them.
///
/// # Errors
/// `Type` for other types, `Value` if there is a NUL or what the file system's encoding
/// doesn't have.
pub(super) fn path(argument: Argument<'_, '_>) -> NativeResult<CString> {
    let text = match exact_str(argument) {
        Ok(text) => text.to_owned(),
        Err(_) if is_posix_path(argument) => {
            calls::text(argument).map_err(|error| decline_for(argument.py(), error, Decline::Type))?
        }
        Err(decline) => return Err(decline),
    };
    encode(&text)
}

/// The bytes of a `str`, as `os.fsencode` gives them.
pub(super) fn encode(text: &Bound<'_, PyString>) -> NativeResult<CString> {
    let py = text.py();
    if let Some(bytes) = ascii(text.as_borrowed()) {
        return CString::new(bytes).map_err(|_| Decline::Value);
    }
    // SAFETY: `text` is a str; the call gives new bytes, or null with an error set.
    let encoded = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_EncodeFSDefault(text.as_ptr())) };
    let encoded = encoded.and_then(|encoded| Ok(encoded.cast_into::<PyBytes>()?)).map_err(|_| Decline::Value)?;
    CString::new(encoded.as_bytes()).map_err(|_| Decline::Value)
}

fn is_posix_path(argument: Argument<'_, '_>) -> bool {
    static POSIX_PATH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = argument.py();
    let class = POSIX_PATH.get_or_try_init(py, || Ok::<_, PyErr>(py.import("pathlib")?.getattr("PosixPath")?.unbind()));
    class.is_ok_and(|class| argument.get_type().is(class))
}
