//! Change detection for dictionaries, for the price of a load and a comparison.
//!
//! Up to CPython 3.13 each dictionary has a version that every change renews. From 3.12 on
//! the interpreter also tells a watcher about changes; it raises one epoch for all, so that a call
//! compares one number, and only after a change the versions, which say where it was.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use pyo3::{PyTypeInfo as _, ffi};

use crate::gil::clear_error;

/// A dictionary's version, of which zero is that of none that ever held something.
#[cfg(not(Py_3_14))]
#[cfg_attr(Py_3_12, expect(deprecated, reason = "there is nothing else that says which dictionary changed"))]
fn version(dict: &Py<PyDict>) -> u64 {
    // SAFETY: the pointer is a live dictionary; the caller holds the GIL.
    unsafe { (*dict.as_ptr().cast::<ffi::PyDictObject>()).ma_version_tag }
}

#[cfg(not(Py_3_12))]
mod versions {
    use pyo3::prelude::*;
    use pyo3::types::PyDict;

    use super::{Watched, version};

    /// Versions of the watched dictionaries, as they were last seen.
    pub(crate) struct Stamp(Vec<(Py<PyDict>, u64)>);

    impl Stamp {
        pub(crate) fn new(py: Python<'_>, watched: &[Watched]) -> Self {
            Self(watched.iter().map(|watched| (watched.dict.clone_ref(py), 0)).collect())
        }

        #[inline]
        pub(crate) fn is_current(&self, _py: Python<'_>) -> bool {
            self.0.iter().all(|(dict, seen)| version(dict) == *seen)
        }

        /// Is current from here on, and tells the places of those that have changed since it was, and
        /// whether names may have come or gone.
        pub(crate) fn renew(&mut self, _py: Python<'_>, mut changed: impl FnMut(usize, bool)) {
            for (place, (dict, seen)) in self.0.iter_mut().enumerate() {
                let now = version(dict);
                if std::mem::replace(seen, now) != now {
                    changed(place, true);
                }
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

    /// What it was raised to last when a name came or went in one, rather than led elsewhere.
    static SHAPED: GilBound<Cell<u64>> = GilBound::new(Cell::new(1));

    /// `PyDict_EVENT_MODIFIED`.
    const MODIFIED: c_uint = 1;

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
        event: c_uint,
        _dict: *mut ffi::PyObject,
        _key: *mut ffi::PyObject,
        _value: *mut ffi::PyObject,
    ) -> c_int {
        // SAFETY: the interpreter calls watchers with the GIL held.
        let py = unsafe { Python::assume_attached() };
        let epoch = EPOCH.get(py).get() + 1;
        EPOCH.get(py).set(epoch);
        if event != MODIFIED {
            SHAPED.get(py).set(epoch);
        }
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
    /// whose dictionary exists. So the sizes of instances' dictionaries are compared as well: most
    /// of what guards ask of those is that names stay absent. After any change they have changed.
    pub(crate) struct Stamp {
        dicts: Vec<(Py<PyDict>, Kind, u64)>,
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
                dicts: dicts.iter().map(|each| (each.dict.clone_ref(py), each.kind, 0)).collect(),
                sizes: instances.map(|each| (each.dict.clone_ref(py), each.dict.bind(py).len())).collect(),
                seen: 0,
                watched,
            }
        }

        #[inline]
        pub(crate) fn is_current(&self, py: Python<'_>) -> bool {
            self.seen == EPOCH.get(py).get() && self.sizes.iter().all(|(dict, size)| dict.bind(py).len() == *size)
        }

        /// Is current from here on, and tells the places of those that may have changed since it was,
        /// and whether names may have come or gone.
        pub(crate) fn renew(&mut self, py: Python<'_>, mut changed: impl FnMut(usize, bool)) {
            // Where nothing tells of changes it stays zero.
            let shaped = SHAPED.get(py).get() > self.seen;
            if self.watched {
                self.seen = EPOCH.get(py).get();
            }
            for (place, (dict, kind, seen)) in self.dicts.iter_mut().enumerate() {
                let now = state(dict);
                let same = std::mem::replace(seen, now) == now;
                let instance = *kind == Kind::Instance;
                if !same || instance || now == 0 {
                    changed(place, shaped || instance);
                }
            }
            for (dict, size) in &mut self.sizes {
                *size = dict.bind(py).len();
            }
        }

        pub(crate) fn visit(&self, visit: &pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
            self.dicts.iter().try_for_each(|(dict, ..)| visit.call(dict))
        }
    }

    #[cfg(not(Py_3_14))]
    use super::version as state;

    /// There are no versions any more, and nothing says which dictionary changed.
    #[cfg(Py_3_14)]
    const fn state(_: &Py<PyDict>) -> u64 {
        0
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

/// What a name leads to, by its address: null if it is absent. `None` if looking it up failed.
#[inline]
pub(crate) fn lookup(dict: &Bound<'_, PyDict>, name: &Py<PyAny>) -> Option<*mut ffi::PyObject> {
    // SAFETY: both are live objects; what is found is only compared.
    let found = unsafe { ffi::PyDict_GetItemWithError(dict.as_ptr(), name.as_ptr()) };
    if found.is_null() && PyErr::occurred(dict.py()) {
        clear_error(dict.py());
        return None;
    }
    Some(found)
}

/// The names of a dictionary and what they lead to, borrowed. It must not change meanwhile, and as
/// nothing else runs, it doesn't.
pub(crate) fn items(dict: &Bound<'_, PyDict>) -> impl Iterator<Item = (*mut ffi::PyObject, *mut ffi::PyObject)> {
    let mut place = 0;
    std::iter::from_fn(move || {
        let (mut name, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: a dictionary, and places for what it has.
        let more = unsafe { ffi::PyDict_Next(dict.as_ptr(), &raw mut place, &raw mut name, &raw mut value) };
        (more != 0).then_some((name, value))
    })
}
