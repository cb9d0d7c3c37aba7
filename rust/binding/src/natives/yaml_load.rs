//! Natives that load YAML: `safe_load`, `read_yaml_str`, `read_yaml_all_str`.
//!
//! Context: the lists of implicit resolvers, each followed by a tuple of what it must hold; the
//! function that says how deep libyaml lets collections be, or `None` where it has no such limit.

use std::ffi::c_uint;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList};
use sky_rs_core::yaml_scan::load::{Builder, load};
use sky_rs_core::{Decline, NativeResult};

use super::yaml::{check_lists, check_recursion_limit};
use crate::call_args::{Argument, CallArgs, exact_str, required};
use crate::calls;
use crate::gil::clear_error;
use crate::text::{Units, from_kind, units};

/// With a lower limit libyaml may refuse what is answered here: up to 64 levels, of which it counts
/// one more.
const NESTING_LIMIT: i64 = 128;

pub(super) fn safe_load<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [stream] = call.bind(["stream"], 1)?;
    only_document(call, required(stream)?)
}

pub(super) fn read_yaml_str<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text] = call.bind(["yaml_str"], 1)?;
    let document = only_document(call, required(text)?)?;
    if is_true(&document)? { Ok(document) } else { Ok(PyDict::new(call.py()).into_any()) }
}

pub(super) fn read_yaml_all_str<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text] = call.bind(["yaml_str"], 1)?;
    let mut documents = documents(call, required(text)?)?;
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
fn only_document<'py>(call: &CallArgs<'_, 'py>, text: Argument<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let mut documents = documents(call, text)?;
    match documents.pop() {
        None => Ok(call.py().None().into_bound(call.py())),
        Some(document) if documents.is_empty() => Ok(document),
        Some(_) => Err(Decline::Value),
    }
}

fn documents<'py>(call: &CallArgs<'_, 'py>, text: Argument<'_, 'py>) -> NativeResult<Vec<Bound<'py, PyAny>>> {
    let text = exact_str(text)?;
    if let Some(resolvers) = call.context(0) {
        check_lists(resolvers)?;
    }
    check_recursion_limit()?;
    if let Some(limit) = call.context(1) {
        check_nesting_limit(limit)?;
    }
    let mut builder = Objects { py: call.py(), open: Vec::new(), documents: Vec::new() };
    match units(text) {
        Units::Ascii(units) | Units::Latin1(units) => load(units, &mut builder),
        Units::Ucs2(units) => load(units, &mut builder),
        Units::Ucs4(units) => load(units, &mut builder),
    }?;
    Ok(builder.documents)
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

/// A collection that has been begun.
enum Collection<'py> {
    Sequence(Bound<'py, PyList>),
    /// With the key whose value comes next.
    Mapping(Bound<'py, PyDict>, Option<Bound<'py, PyAny>>),
}

/// What has been made so far.
struct Objects<'py> {
    py: Python<'py>,
    open: Vec<Collection<'py>>,
    documents: Vec<Bound<'py, PyAny>>,
}

impl<'py> Objects<'py> {
    /// Puts a complete object where it belongs.
    fn add(&mut self, object: Bound<'py, PyAny>) -> NativeResult<()> {
        match self.open.last_mut() {
            None => self.documents.push(object),
            Some(Collection::Sequence(list)) => append(list, &object)?,
            Some(Collection::Mapping(dict, key)) => match key.take() {
                None => *key = Some(object),
                Some(key) => set_item(dict, &key, &object)?,
            },
        }
        Ok(())
    }
}

impl<T: Kind> Builder<T> for Objects<'_> {
    fn null(&mut self) -> NativeResult<()> {
        self.add(self.py.None().into_bound(self.py))
    }

    fn boolean(&mut self, value: bool) -> NativeResult<()> {
        self.add(PyBool::new(self.py, value).to_owned().into_any())
    }

    fn integer(&mut self, value: i64) -> NativeResult<()> {
        self.add(PyInt::new(self.py, value).into_any())
    }

    fn float(&mut self, value: f64) -> NativeResult<()> {
        self.add(PyFloat::new(self.py, value).into_any())
    }

    fn text(&mut self, value: &[T]) -> NativeResult<()> {
        // SAFETY: the kind is that of the units.
        self.add(unsafe { from_kind(self.py, T::KIND, value) }?)
    }

    fn wide_text(&mut self, value: &[u32]) -> NativeResult<()> {
        // SAFETY: the kind is that of the units, none of which is beyond Unicode.
        self.add(unsafe { from_kind(self.py, ffi::PyUnicode_4BYTE_KIND, value) }?)
    }

    fn begin(&mut self, mapping: bool) -> NativeResult<()> {
        // Collections can't be keys.
        if let Some(Collection::Mapping(_, None)) = self.open.last() {
            return Err(Decline::Value);
        }
        self.open.push(if mapping {
            Collection::Mapping(PyDict::new(self.py), None)
        } else {
            Collection::Sequence(PyList::empty(self.py))
        });
        Ok(())
    }

    fn end(&mut self) -> NativeResult<()> {
        let object = match self.open.pop().ok_or(Decline::Value)? {
            Collection::Sequence(list) => list.into_any(),
            Collection::Mapping(dict, _) => dict.into_any(),
        };
        self.add(object)
    }
}

/// Code units of a `str`.
trait Kind {
    const KIND: c_uint;
}

impl Kind for u8 {
    const KIND: c_uint = ffi::PyUnicode_1BYTE_KIND;
}

impl Kind for u16 {
    const KIND: c_uint = ffi::PyUnicode_2BYTE_KIND;
}

impl Kind for u32 {
    const KIND: c_uint = ffi::PyUnicode_4BYTE_KIND;
}

fn append(list: &Bound<'_, PyList>, object: &Bound<'_, PyAny>) -> NativeResult<()> {
    // SAFETY: both are alive; nobody else has seen the list.
    check(list.py(), unsafe { ffi::PyList_Append(list.as_ptr(), object.as_ptr()) })
}

fn set_item(dict: &Bound<'_, PyDict>, key: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>) -> NativeResult<()> {
    // SAFETY: all three are alive, and the key is plain, so that no Python code runs.
    check(dict.py(), unsafe { ffi::PyDict_SetItem(dict.as_ptr(), key.as_ptr(), object.as_ptr()) })
}

/// Plain data has a truth without any Python code.
fn is_true(object: &Bound<'_, PyAny>) -> NativeResult<bool> {
    // SAFETY: the object is alive.
    let truth = unsafe { ffi::PyObject_IsTrue(object.as_ptr()) };
    check(object.py(), truth.min(0))?;
    Ok(truth != 0)
}

/// What the interpreter returns where there may be no memory.
fn check(py: Python<'_>, status: i32) -> NativeResult<()> {
    if status < 0 {
        clear_error(py);
        return Err(Decline::Os);
    }
    Ok(())
}
