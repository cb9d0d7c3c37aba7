//! Natives that load YAML: `safe_load`, `read_yaml_str`, `read_yaml_all_str`.
//!
//! Context: the lists of implicit resolvers, each followed by a tuple of what it must hold; the
//! function that says how deep libyaml lets collections be, or `None` where it has no such limit; whether
//! this `PyYAML` merges in order: see `Flattening`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use pyo3::{Borrowed, ffi};
use sky_rs_core::yaml_scan::Unit;
use sky_rs_core::yaml_scan::load::load;
use sky_rs_core::{Decline, NativeResult};

use super::open_file::OpenFile;
use super::yaml::{check_lists, check_recursion_limit};
use super::yaml_merge::Flattening;
use super::yaml_objects::{Kind, Objects, append, check};
use crate::call_args::{CallArgs, exact_str, required};
use crate::calls;
use crate::text::{Units, units};

/// With a lower limit libyaml may refuse what is answered here: up to 64 levels, of which it counts
/// one more.
const NESTING_LIMIT: i64 = 128;

pub(super) fn safe_load<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [stream] = call.bind(["stream"], 1)?;
    let stream = required(stream)?;
    if let Ok(text) = exact_str(stream) {
        return only(call, documents(call, text)?);
    }
    // Called without a route, there is no original that could read on.
    if call.context(0).is_none() {
        return Err(Decline::Type);
    }
    OpenFile::look(stream)?.load(|text| {
        let documents = if text.is_ascii() {
            check_loader(call)?;
            load_units(call, text.as_bytes())?
        } else {
            documents(call, PyString::new(call.py(), text).as_borrowed())?
        };
        only(call, documents)
    })
}

pub(super) fn read_yaml_str<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text] = call.bind(["yaml_str"], 1)?;
    let document = only(call, documents(call, exact_str(required(text)?)?)?)?;
    if is_true(&document)? { Ok(document) } else { Ok(PyDict::new(call.py()).into_any()) }
}

pub(super) fn read_yaml_all_str<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text] = call.bind(["yaml_str"], 1)?;
    let mut documents = documents(call, exact_str(required(text)?)?)?;
    if documents.is_empty() {
        documents.push(PyDict::new(call.py()).into_any());
    }
    let list = PyList::empty(call.py());
    for document in documents {
        append(&list, &document)?;
    }
    Ok(list.into_any())
}

/// The document of a stream that has no other, or `None`.
fn only<'py>(call: &CallArgs<'_, 'py>, mut documents: Vec<Bound<'py, PyAny>>) -> NativeResult<Bound<'py, PyAny>> {
    match documents.pop() {
        None => Ok(call.py().None().into_bound(call.py())),
        Some(document) if documents.is_empty() => Ok(document),
        Some(_) => Err(Decline::Value),
    }
}

fn documents<'py>(call: &CallArgs<'_, 'py>, text: Borrowed<'_, 'py, PyString>) -> NativeResult<Vec<Bound<'py, PyAny>>> {
    check_loader(call)?;
    match units(text) {
        Units::Ascii(units) | Units::Latin1(units) => load_units(call, units),
        Units::Ucs2(units) => load_units(call, units),
        Units::Ucs4(units) => load_units(call, units),
    }
}

fn load_units<'py, T: Unit + Kind>(call: &CallArgs<'_, 'py>, text: &[T]) -> NativeResult<Vec<Bound<'py, PyAny>>> {
    let ordered = call.context(2).and_then(|ordered| ordered.extract().ok());
    let flattening = ordered.map(|ordered| if ordered { Flattening::Ordered } else { Flattening::Reversed });
    let mut builder = Objects::new(call.py(), flattening);
    load(text, &mut builder)?;
    Ok(builder.documents)
}

/// Whether the loader is as it was, and takes what is answered here.
fn check_loader(call: &CallArgs<'_, '_>) -> NativeResult<()> {
    if let Some(resolvers) = call.context(0) {
        check_lists(resolvers)?;
    }
    check_recursion_limit()?;
    if let Some(limit) = call.context(1) {
        check_nesting_limit(limit)?;
    }
    Ok(())
}

/// A program may set libyaml's limit at any time, for all of the process.
fn check_nesting_limit(limit: &Bound<'_, PyAny>) -> NativeResult<()> {
    if limit.is_none() {
        return Ok(());
    }
    let level = calls::call(limit, []).and_then(|level| level.extract::<i64>());
    match level {
        Ok(level) if level >= NESTING_LIMIT => Ok(()),
        _ => Err(Decline::Platform),
    }
}

/// Plain data has a truth without any Python code.
fn is_true(object: &Bound<'_, PyAny>) -> NativeResult<bool> {
    // SAFETY: the object is alive.
    let truth = unsafe { ffi::PyObject_IsTrue(object.as_ptr()) };
    check(object.py(), truth.min(0))?;
    Ok(truth != 0)
}
