//! Change detection for dictionaries, for the price of a load and a comparison.
//!
//! Up to CPython 3.11 each dictionary has a version that every change renews. From 3.12 on
//! the interpreter tells a watcher about changes; it raises one epoch for all.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use pyo3::{PyTypeInfo as _, ffi};

#[cfg(not(Py_3_12))]
mod versions {
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    use super::Watched;

    /// Versions of the watched dictionaries, as they were last seen.
    pub(crate) struct Stamp(Vec<(Py<PyDict>, u64)>);

    fn version(dict: &Py<PyDict>) -> u64 {
        // SAFETY: the pointer is a live dictionary; the caller holds the GIL.
        unsafe { (*dict.as_ptr().cast::<pyo3::ffi::PyDictObject>()).ma_version_tag }
    }

    impl Stamp {
        pub(crate) fn new(py: Python<'_>, watched: &[Watched]) -> Self {
            // Zero is the version of no dictionary that ever held something.
            Self(watched.iter().map(|watched| (watched.dict.clone_ref(py), 0)).collect())
        }

        #[inline]
        pub(crate) fn is_current(&self, _py: Python<'_>) -> bool {
            self.0.iter().all(|(dict, seen)| version(dict) == *seen)
        }

        pub(crate) fn renew(&mut self, _py: Python<'_>) {
            for (dict, seen) in &mut self.0 {
                *seen = version(dict);
            }
        }

        pub(crate) fn visit(&self, visit: &pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
            self.0.iter().try_for_each(|(dict, _)| visit.call(dict))
        }
    }
}

#[cfg(Py_3_12)]
mod versions {
    use std::cell::Cell;
    use std::ffi::{c_int, c_uint};

    use pyo3::prelude::*;
    use pyo3::types::PyDict;
    use pyo3::{ffi, sync::PyOnceLock};

    use super::{Kind, Watched};
    use crate::gil::{GilBound, clear_error};

    /// Raised at every change of any watched dictionary; zero is never current.
    static EPOCH: GilBound<Cell<u64>> = GilBound::new(Cell::new(1));

    /// pyo3-ffi 0.30 has `PyDict_Watch` but not what registers the watcher.
    type Callback = unsafe extern "C" fn(
        event: c_uint,
        dict: *mut ffi::PyObject,
        key: *mut ffi::PyObject,
        value: *mut ffi::PyObject,
    ) -> c_int;

    unsafe extern "C" {
        fn PyDict_AddWatcher(callback: Callback) -> c_int;
    }

    unsafe extern "C" fn changed(
        _event: c_uint,
        _dict: *mut ffi::PyObject,
        _key: *mut ffi::PyObject,
        _value: *mut ffi::PyObject,
    ) -> c_int {
        // SAFETY: the interpreter calls watchers with the GIL held.
        let py = unsafe { Python::assume_attached() };
        let epoch = EPOCH.get(py);
        epoch.set(epoch.get() + 1);
        0
    }

    /// The watcher, or a negative number if the interpreter has none left: then nothing is
    /// ever current, and guards are looked up at every call.
    fn watcher(py: Python<'_>) -> c_int {
        static WATCHER: PyOnceLock<c_int> = PyOnceLock::new();
        *WATCHER.get_or_init(py, || {
            // SAFETY: the callback has the declared type and lives as long as the process.
            let id = unsafe { PyDict_AddWatcher(changed) };
            if id < 0 {
                clear_error(py);
            }
            id
        })
    }

    /// The epoch in which the watched dictionaries were last looked at.
    ///
    /// CPython 3.13 doesn't tell watchers of an attribute that is set on an ordinary object
    /// whose dictionary exists. So the sizes of instances' dictionaries are compared as well: all
    /// that guards ask of those is that names stay absent.
    pub(crate) struct Stamp {
        dicts: Vec<Py<PyDict>>,
        sizes: Vec<(Py<PyDict>, usize)>,
        seen: u64,
        watched: bool,
    }

    impl Stamp {
        pub(crate) fn new(py: Python<'_>, dicts: &[Watched]) -> Self {
            let id = watcher(py);
            let watched = id >= 0
                && dicts.iter().all(|each| {
                    // SAFETY: the watcher was registered, and the object is a dictionary.
                    let status = unsafe { ffi::PyDict_Watch(id, each.dict.as_ptr()) };
                    if status < 0 {
                        clear_error(py);
                    }
                    status == 0
                });
            let instances = dicts.iter().filter(|each| each.kind == Kind::Instance);
            Self {
                dicts: dicts.iter().map(|each| each.dict.clone_ref(py)).collect(),
                sizes: instances.map(|each| (each.dict.clone_ref(py), each.dict.bind(py).len())).collect(),
                seen: 0,
                watched,
            }
        }

        #[inline]
        pub(crate) fn is_current(&self, py: Python<'_>) -> bool {
            self.seen == EPOCH.get(py).get() && self.sizes.iter().all(|(dict, size)| dict.bind(py).len() == *size)
        }

        pub(crate) fn renew(&mut self, py: Python<'_>) {
            if self.watched {
                self.seen = EPOCH.get(py).get();
            }
            for (dict, size) in &mut self.sizes {
                *size = dict.bind(py).len();
            }
        }

        pub(crate) fn visit(&self, visit: &pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
            self.dicts.iter().try_for_each(|dict| visit.call(dict))
        }
    }
}

pub(crate) use versions::Stamp;

/// Whose dictionary it is, as far as it matters for noticing changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An ordinary object's `__dict__`.
    Instance,
    /// A module's or a class's, or a dictionary on its own.
    Other,
}

/// A dictionary to watch.
pub(crate) struct Watched {
    pub(crate) dict: Py<PyDict>,
    /// Read from CPython 3.12 on: before, versions tell of every change.
    pub(crate) kind: Kind,
}

/// The dictionary in which attributes of a namespace are kept: the namespace itself if it is
/// one, the real dictionary behind a type's `mappingproxy`.
///
/// # Errors
/// `TypeError` for anything else.
pub(crate) fn namespace<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    if let Ok(dict) = object.cast::<PyDict>() {
        return Ok(dict.clone());
    }
    let class = object.cast::<PyType>()?;
    debug_assert!(PyType::is_type_of(class));
    let pointer = class.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: `class` is a ready type, whose dictionary lives as long as the type.
    #[cfg(not(Py_3_12))]
    let dict = unsafe { Bound::from_borrowed_ptr_or_err(class.py(), (*pointer).tp_dict) }?;
    // SAFETY: `class` is a type; the call gives a new reference.
    #[cfg(Py_3_12)]
    let dict = unsafe { Bound::from_owned_ptr_or_err(class.py(), ffi::PyType_GetDict(pointer)) }?;
    Ok(dict.cast_into::<PyDict>()?)
}
