//! `Freezer`: `gc.freeze` for long-lived objects, undone for every full collection that other code
//! asks for.
//!
//! A frozen object is invisible to every collection, also to those that other code asks for. The
//! freezer stands in `gc.callbacks` and unfreezes before any full collection that isn't its own.
//! That must not be done by Python code: a signal's exception that surfaces in a callback is
//! lost, and SkyPilot cancels its requests by signals.

use std::cell::{Cell, RefCell};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::calls;
use crate::gil::GilBound;

/// The number of the generation that only full collections are for.
const OLDEST: i64 = 2;

/// Two objects by which it shows whether anybody else froze or unfroze.
struct Markers {
    /// Was frozen with the rest.
    frozen: Py<PyList>,
    /// Was made after that.
    free: Py<PyList>,
}

/// The collector's functions, as they were when the freezer was made: `gc` may be mocked later.
struct Functions {
    collect: Py<PyAny>,
    freeze: Py<PyAny>,
    unfreeze: Py<PyAny>,
    get_objects: Py<PyAny>,
}

/// Freezes and unfreezes the collector's objects.
#[pyclass(frozen, module = "sky_rs_patch._native")]
pub(crate) struct Freezer {
    functions: Functions,
    /// There while what this freezer froze is frozen.
    markers: GilBound<RefCell<Option<Markers>>>,
    /// The collection that starts next is this freezer's own.
    own: GilBound<Cell<bool>>,
    /// What other code has done meanwhile.
    meddling: GilBound<Cell<Option<&'static str>>>,
}

impl Freezer {
    /// Looks at the objects that aren't frozen: how many, and what they say of others.
    ///
    /// The list of them must be gone before any other thread may run: CPython can't resize a
    /// tuple that it is still making when another thread refers to it.
    fn look(&self, py: Python<'_>) -> PyResult<usize> {
        let objects = calls::call(self.functions.get_objects.bind(py), [])?.cast_into::<PyList>()?;
        if let Some(markers) = &*self.markers.get(py).borrow() {
            let (mut frozen, mut free) = (true, false);
            for object in objects.iter() {
                frozen &= !object.is(&markers.frozen);
                free |= object.is(&markers.free);
            }
            let meddling = match (frozen, free) {
                (false, _) => Some("gc.unfreeze() was called elsewhere"),
                (true, false) => Some("gc.freeze() was called elsewhere"),
                (true, true) => None,
            };
            self.meddling.get(py).set(meddling);
        }
        Ok(objects.len())
    }

    fn forget(&self, py: Python<'_>) -> bool {
        self.markers.get(py).borrow_mut().take().is_some()
    }
}

#[pymethods]
impl Freezer {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let gc = py.import("gc")?;
        let function = |name: &str| gc.getattr(name).map(Bound::unbind);
        Ok(Self {
            functions: Functions {
                collect: function("collect")?,
                freeze: function("freeze")?,
                unfreeze: function("unfreeze")?,
                get_objects: function("get_objects")?,
            },
            markers: GilBound::new(RefCell::new(None)),
            own: GilBound::new(Cell::new(false)),
            meddling: GilBound::new(Cell::new(None)),
        })
    }

    /// Whether what this freezer froze is frozen still, as far as it knows.
    #[getter]
    fn is_frozen(&self, py: Python<'_>) -> bool {
        self.markers.get(py).borrow().is_some()
    }

    /// What other code was last seen to have done, or `None`.
    #[getter]
    fn meddling(&self, py: Python<'_>) -> Option<&'static str> {
        self.meddling.get(py).get()
    }

    /// Freezes everything.
    fn freeze(&self, py: Python<'_>) -> PyResult<()> {
        let frozen = PyList::empty(py).unbind();
        calls::call(self.functions.freeze.bind(py), [])?;
        let markers = Markers { frozen, free: PyList::empty(py).unbind() };
        self.markers.get(py).replace(Some(markers));
        Ok(())
    }

    /// Unfreezes everything, if this freezer froze and nobody meddled.
    fn unfreeze(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_frozen(py) {
            self.look(py)?;
            if self.forget(py) && self.meddling(py).is_none() {
                calls::call(self.functions.unfreeze.bind(py), [])?;
            }
        }
        Ok(())
    }

    /// A full collection of everything that isn't frozen. Says how many objects are left there.
    fn collect(&self, py: Python<'_>) -> PyResult<usize> {
        self.own.get(py).set(true);
        let collected = calls::call(self.functions.collect.bind(py), []);
        self.own.get(py).set(false);
        collected?;
        self.look(py)
    }

    /// As a member of `gc.callbacks`: gives way to full collections of others.
    fn __call__(&self, py: Python<'_>, phase: &str, info: &Bound<'_, PyDict>) -> PyResult<()> {
        if phase != "start" || self.own.get(py).replace(false) || !self.is_frozen(py) {
            return Ok(());
        }
        let Some(generation) = info.get_item("generation")? else { return Ok(()) };
        if generation.extract::<i64>()? == OLDEST {
            self.unfreeze(py)?;
        }
        Ok(())
    }
}
