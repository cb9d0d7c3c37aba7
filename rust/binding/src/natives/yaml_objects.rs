//! Objects that `PyYAML`'s constructor makes of plain data, shared as it shares them.

use std::collections::HashMap;
use std::ffi::c_uint;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList};
use sky_rs_core::yaml_scan::load::Builder;
use sky_rs_core::{Decline, NativeResult};

use super::yaml_merge::{Flattening, Merging, Sources, insert};
use crate::gil::clear_error;
use crate::text::from_kind;

/// A collection that has been begun.
enum Collection<'py> {
    Sequence(Bound<'py, PyList>),
    /// With the key whose value comes next, and more if it merges others, or others may merge it.
    Mapping(Bound<'py, PyDict>, Option<Bound<'py, PyAny>>, Option<Box<Merging<'py>>>),
}

/// That of an anchor.
type Name = Box<[u8]>;

/// What a document has once it has anchors or merge keys.
#[derive(Default)]
struct Shared<'py> {
    /// The anchor of the node that comes next.
    anchor: Option<Name>,
    anchored: HashMap<Name, Bound<'py, PyAny>>,
    sources: Sources<'py>,
}

/// What has been made so far.
pub(super) struct Objects<'py> {
    py: Python<'py>,
    open: Vec<Collection<'py>>,
    pub(super) documents: Vec<Bound<'py, PyAny>>,
    shared: Option<Box<Shared<'py>>>,
    flattening: Option<Flattening>,
}

impl<'py> Objects<'py> {
    /// Without a way of flattening, merge keys are declined.
    pub(super) fn new(py: Python<'py>, flattening: Option<Flattening>) -> Self {
        Self { py, open: Vec::new(), documents: Vec::new(), shared: None, flattening }
    }

    /// Puts a complete scalar where it belongs.
    fn add_scalar(&mut self, object: Bound<'py, PyAny>) -> NativeResult<()> {
        if self.shared.is_some() {
            self.name(&object);
        }
        self.add(object)
    }

    /// Puts a complete object where it belongs.
    fn add(&mut self, object: Bound<'py, PyAny>) -> NativeResult<()> {
        match self.open.last_mut() {
            None => self.documents.push(object),
            Some(Collection::Sequence(list)) => append(list, &object)?,
            Some(Collection::Mapping(dict, key, None)) => match key.take() {
                None => *key = Some(object),
                Some(key) => insert(dict, &key, &object)?,
            },
            Some(Collection::Mapping(dict, key, Some(merging))) => {
                let sources = &mut self.shared.as_mut().ok_or(Decline::Value)?.sources;
                match key.take() {
                    None if merging.expects_source() => merging.merge(&object, sources, self.flattening)?,
                    None => *key = Some(object),
                    Some(key) => {
                        insert(dict, &key, &object)?;
                        merging.add(key, object, sources);
                    }
                }
            }
        }
        Ok(())
    }

    /// Remembers a node that has an anchor; whether it has.
    #[cold]
    fn name(&mut self, object: &Bound<'py, PyAny>) -> bool {
        let Some(shared) = &mut self.shared else { return false };
        match shared.anchor.take() {
            Some(name) => {
                shared.anchored.insert(name, object.clone());
                true
            }
            None => false,
        }
    }

    /// Whether a node that comes next is what a mapping merges, or one of several.
    fn is_source(&self) -> bool {
        let merges = |collection: &Collection<'_>| matches!(collection, Collection::Mapping(_, _, Some(merging)) if merging.expects_source());
        match self.open.as_slice() {
            [.., outer, Collection::Sequence(_)] => merges(outer),
            [.., collection] => merges(collection),
            [] => false,
        }
    }

    fn is_open(&self, object: &Bound<'py, PyAny>) -> bool {
        self.open.iter().any(|collection| match collection {
            Collection::Sequence(list) => list.is(object),
            Collection::Mapping(dict, ..) => dict.is(object),
        })
    }
}

impl<T: Kind> Builder<T> for Objects<'_> {
    fn null(&mut self) -> NativeResult<()> {
        self.add_scalar(self.py.None().into_bound(self.py))
    }

    fn boolean(&mut self, value: bool) -> NativeResult<()> {
        self.add_scalar(PyBool::new(self.py, value).to_owned().into_any())
    }

    fn integer(&mut self, value: i64) -> NativeResult<()> {
        self.add_scalar(PyInt::new(self.py, value).into_any())
    }

    fn float(&mut self, value: f64) -> NativeResult<()> {
        self.add_scalar(PyFloat::new(self.py, value).into_any())
    }

    fn text(&mut self, value: &[T]) -> NativeResult<()> {
        // SAFETY: the kind is that of the units.
        self.add_scalar(unsafe { from_kind(self.py, T::KIND, value) }?)
    }

    fn wide_text(&mut self, value: &[u32]) -> NativeResult<()> {
        // SAFETY: the kind is that of the units, none of which is beyond Unicode.
        self.add_scalar(unsafe { from_kind(self.py, ffi::PyUnicode_4BYTE_KIND, value) }?)
    }

    fn begin(&mut self, mapping: bool) -> NativeResult<()> {
        // Collections can't be keys.
        if let Some(Collection::Mapping(_, None, merging)) = self.open.last()
            && !merging.as_ref().is_some_and(|merging| merging.expects_source())
        {
            return Err(Decline::Value);
        }
        let shared = self.shared.is_some();
        let collection = if mapping {
            let dict = PyDict::new(self.py);
            let merging = (shared && (self.name(&dict) || self.is_source())).then(Box::default);
            Collection::Mapping(dict, None, merging)
        } else {
            let list = PyList::empty(self.py);
            if shared {
                self.name(&list);
            }
            Collection::Sequence(list)
        };
        self.open.push(collection);
        Ok(())
    }

    fn end(&mut self) -> NativeResult<()> {
        let object = match self.open.pop().ok_or(Decline::Value)? {
            Collection::Sequence(list) => list.into_any(),
            Collection::Mapping(dict, _, None) => dict.into_any(),
            Collection::Mapping(dict, _, Some(merging)) => {
                merging.finish(&dict, &mut self.shared.as_mut().ok_or(Decline::Value)?.sources)?;
                dict.into_any()
            }
        };
        self.add(object)
    }

    #[cold]
    fn anchor(&mut self, name: &[T]) -> NativeResult<()> {
        let name = ascii(name)?;
        let shared = self.shared.get_or_insert_default();
        // The original refuses a name that is there already.
        if shared.anchored.contains_key(&name) || shared.anchor.replace(name).is_some() {
            return Err(Decline::Value);
        }
        Ok(())
    }

    #[cold]
    fn alias(&mut self, name: &[T]) -> NativeResult<()> {
        let shared = self.shared.as_ref().filter(|shared| shared.anchor.is_none()).ok_or(Decline::Value)?;
        let object = shared.anchored.get(&ascii(name)?).ok_or(Decline::Value)?.clone();
        // As keys they are for the original, and so is what merges itself.
        if let Some(Collection::Mapping(_, None, merging)) = self.open.last()
            && (!merging.as_ref().is_some_and(|merging| merging.expects_source()) || self.is_open(&object))
        {
            return Err(Decline::Value);
        }
        self.add(object)
    }

    #[cold]
    fn merge(&mut self) -> NativeResult<()> {
        if self.shared.get_or_insert_default().anchor.is_some() {
            return Err(Decline::Value);
        }
        match self.open.last_mut() {
            Some(Collection::Mapping(_, None, merging)) => {
                merging.get_or_insert_with(|| Box::new(Merging::late())).begin_source()
            }
            // Elsewhere it is nothing that could be constructed.
            _ => Err(Decline::Value),
        }
    }

    fn end_document(&mut self) {
        self.shared = None;
    }
}

fn ascii<T: Kind>(name: &[T]) -> NativeResult<Name> {
    name.iter().map(|unit| u8::try_from((*unit).into()).map_err(|_| Decline::Value)).collect()
}

/// Code units of a `str`.
pub(super) trait Kind: Copy + Into<u32> {
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

pub(super) fn append(list: &Bound<'_, PyList>, object: &Bound<'_, PyAny>) -> NativeResult<()> {
    // SAFETY: both are alive; nobody else has seen the list.
    check(list.py(), unsafe { ffi::PyList_Append(list.as_ptr(), object.as_ptr()) })
}

/// What the interpreter returns where there may be no memory.
pub(super) fn check(py: Python<'_>, status: i32) -> NativeResult<()> {
    if status < 0 {
        clear_error(py);
        return Err(Decline::Os);
    }
    Ok(())
}
