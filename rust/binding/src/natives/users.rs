//! Natives for the user's hash, and for names of clusters and variables.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes};
use sky_rs_core::file::read_short;
use sky_rs_core::{Decline, NativeResult, cluster_name, names};

use super::logging::debug_is_silent;
use super::paths::encode;
use super::system::{environment, variable};
use crate::call_args::{Argument, CallArgs, exact_i64, exact_str, plain_truth, required};
use crate::text::{Units, ascii, from_ascii, units};

fn boolean(py: Python<'_>, value: bool) -> Bound<'_, PyAny> {
    PyBool::new(py, value).to_owned().into_any()
}

/// Whether a text has a form that only ASCII text can have.
fn has_form(text: Argument<'_, '_>, form: impl Fn(&[u8]) -> bool) -> NativeResult<bool> {
    Ok(matches!(units(exact_str(text)?), Units::Ascii(text) if form(text)))
}

pub(super) fn is_valid_user_hash<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    is_user_hash(call, names::is_user_hash_line)
}

pub(super) fn is_valid_user_hash_whole<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    is_user_hash(call, names::is_user_hash)
}

fn is_user_hash<'py>(call: &CallArgs<'_, 'py>, form: impl Fn(&[u8]) -> bool) -> NativeResult<Bound<'py, PyAny>> {
    let [text] = call.bind(["user_hash"], 1)?;
    let text = required(text)?;
    Ok(boolean(call.py(), !text.is_none() && has_form(text, form)?))
}

/// Context: the expression that the original matches.
pub(super) fn is_valid_env_var<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [name] = call.bind(["name"], 1)?;
    context_is(call, 0, names::VARIABLE)?;
    Ok(boolean(call.py(), has_form(required(name)?, names::is_variable)?))
}

pub(super) fn check_cluster_name_is_valid<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [name] = call.bind(["cluster_name"], 1)?;
    let name = required(name)?;
    // What isn't valid is the original's to say.
    if name.is_none() || has_form(name, names::is_cluster_name)? {
        return Ok(call.py().None().into_bound(call.py()));
    }
    Err(Decline::Value)
}

/// Context: the expression and the greatest length that the original takes.
pub(super) fn check_workspace_name_is_valid<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [name] = call.bind(["workspace_name"], 1)?;
    let name = required(name)?;
    if !name.is_none() {
        context_is(call, 0, b"[a-z]([-_a-z0-9]*[a-z0-9])?")?;
        let longest = call.context(1).map_or(Ok(63), |length| exact_i64(length.as_borrowed()))?;
        let is_valid = |text: &[u8]| {
            names::is_cluster_name(text)
                && !text.iter().any(|byte| byte.is_ascii_uppercase() || *byte == b'.')
                && i64::try_from(text.len()).is_ok_and(|length| length <= longest)
        };
        // What isn't valid is the original's to say.
        if !has_form(name, is_valid)? {
            return Err(Decline::Value);
        }
    }
    Ok(call.py().None().into_bound(call.py()))
}

/// Makes sure that a constant of SkyPilot's is the text that this code was written for.
fn context_is(call: &CallArgs<'_, '_>, index: usize, expected: &[u8]) -> NativeResult<()> {
    match call.context(index) {
        Some(text) if ascii(exact_str(text.as_borrowed())?) == Some(expected) => Ok(()),
        Some(_) => Err(Decline::Platform),
        // Called without a route.
        None => Ok(()),
    }
}

/// Context: the dictionary behind `os.environ`, the variable's name, the file's path.
pub(super) fn get_user_hash<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [] = call.bind([], 0)?;
    user_hash(call, |hash| from_ascii(call.py(), [hash]))
}

/// Hands over the user's hash, where it is there already and valid. Context: as above.
fn user_hash<T>(call: &CallArgs<'_, '_>, use_it: impl FnOnce(&[u8]) -> NativeResult<T>) -> NativeResult<T> {
    /// Nobody's hash is longer; the original reads whatever there is.
    const LONGEST: usize = 1024;
    let py = call.py();
    context_is(call, 1, b"SKYPILOT_USER_ID")?;
    if let Some(value) = environment(call, variable!(py, b"SKYPILOT_USER_ID"))? {
        let value = value.cast_exact::<PyBytes>().map_err(|_| Decline::Platform)?.as_bytes();
        // Whether that is valid depends on the variant of `is_valid_user_hash`.
        if value.ends_with(b"\n") {
            return Err(Decline::Value);
        }
        if names::is_user_hash(value) {
            return use_it(value);
        }
    }
    let path = encode(&exact_str(call.context(2).ok_or(Decline::Platform)?.as_borrowed())?.to_owned())?;
    let mut buffer = [0; LONGEST];
    let content = py.detach(|| read_short(&path, &mut buffer))?;
    // Line ends within are no part of a valid hash, so that they are translated doesn't matter.
    let hash = names::strip(content);
    if names::is_user_hash(hash) { use_it(hash) } else { Err(Decline::Value) }
}

/// Context: as `get_user_hash`, then the length of a name's hash, and the logger.
pub(super) fn make_cluster_name_on_cloud<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    let [name, max_length, add_user_hash] = call.bind(["display_name", "max_length", "add_user_hash"], 1)?;
    let name = ascii(exact_str(required(name)?)?).ok_or(Decline::Value)?;
    let max_length = match max_length {
        None => Some(15),
        Some(none) if none.is_none() => None,
        Some(length) => Some(exact_i64(length)?),
    };
    let add_user_hash = add_user_hash.map_or(Ok(true), plain_truth)?;
    let hash_length = call.context(3).map_or(Ok(2), |length| exact_i64(length.as_borrowed()))?;
    let converted = cluster_name::on_cloud(name);
    if converted != name
        && let Some(logger) = call.context(4)
    {
        debug_is_silent(logger)?;
    }
    let finish = |hash: &[u8]| {
        let dash = if add_user_hash { &b"-"[..] } else { b"" };
        let fitted = cluster_name::fit(name, &converted, max_length, dash.len() + hash.len(), hash_length)?;
        from_ascii(py, [fitted.kept, &fitted.hash, dash, hash])
    };
    if add_user_hash { user_hash(call, finish) } else { finish(b"") }
}
