//! `GuardBuilder`: the object by which a resolver describes a route's guards.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyModule, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::namespaces::{Entry, Expected, Namespace};
use crate::pins::Pins;
use crate::watch::{Kind, Watched, namespace};

/// A function or a module to pin, when to compare it, and its label.
enum Pin {
    Hot(Py<PyFunction>),
    Cold(Py<PyFunction>),
    Class(Py<PyModule>),
}

/// What a builder was told so far.
#[derive(Default)]
pub(crate) struct Description {
    /// What is expected of the dictionaries in `watched`, in the same order.
    namespaces: Vec<Namespace>,
    /// Places of namespaces, and their labels.
    frozen: Vec<(usize, Py<PyString>)>,
    pins: Vec<(Pin, Py<PyString>)>,
    pub(crate) watched: Vec<Watched>,
    /// Where each dictionary is in `watched`, by its address; they are kept alive there.
    positions: HashMap<usize, usize>,
    pub(crate) context: Vec<Py<PyAny>>,
    pub(crate) problem: Option<Py<PyString>>,
}

impl Description {
    /// Watches a namespace, once, however often it is named; gives its place.
    fn watch(&mut self, object: &Bound<'_, PyAny>, kind: Kind) -> PyResult<usize> {
        let dict = namespace(object)?.unbind();
        let place = match self.positions.entry(dict.as_ptr().addr()) {
            Slot::Vacant(slot) => {
                self.namespaces.push(Namespace::new(dict.clone_ref(object.py())));
                self.watched.push(Watched { dict, kind });
                *slot.insert(self.watched.len() - 1)
            }
            Slot::Occupied(slot) => *slot.get(),
        };
        // Whoever knows that it is an instance's knows more.
        if kind == Kind::Instance {
            self.watched[place].kind = kind;
        }
        Ok(place)
    }

    fn expect(
        &mut self,
        namespace: &Bound<'_, PyAny>,
        name: Py<PyAny>,
        expected: Expected,
        label: Py<PyString>,
        instance: bool,
    ) -> PyResult<()> {
        let kind = if instance { Kind::Instance } else { Kind::Other };
        let place = self.watch(namespace, kind)?;
        self.namespaces[place].expect(Entry { name, expected, label });
        Ok(())
    }

    /// What is expected of the dictionaries in `watched`, in the same order. Those that are frozen
    /// hold from here on what they hold now.
    pub(crate) fn namespaces(&mut self, py: Python<'_>) -> Vec<Namespace> {
        for (place, label) in self.frozen.drain(..) {
            self.namespaces[place].freeze(py, &label);
        }
        for (namespace, watched) in self.namespaces.iter_mut().zip(&self.watched) {
            if watched.kind == Kind::Instance {
                namespace.set_instance();
            }
        }
        std::mem::take(&mut self.namespaces)
    }

    /// Pins everything as it is now.
    pub(crate) fn pins(&self, py: Python<'_>) -> Pins {
        let mut pins = Pins::default();
        for (pin, label) in &self.pins {
            let label = label.bind(py);
            match pin {
                Pin::Hot(function) => pins.pin_hot(function.bind(py), label),
                Pin::Cold(function) => pins.pin_cold(function.bind(py), label),
                Pin::Class(module) => pins.pin_class(module.bind(py), label),
            }
        }
        pins
    }

    fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.namespaces.iter().try_for_each(|namespace| namespace.visit(visit))?;
        self.pins.iter().try_for_each(|(pin, _)| match pin {
            Pin::Hot(function) | Pin::Cold(function) => visit.call(function),
            Pin::Class(module) => visit.call(module),
        })?;
        self.watched.iter().try_for_each(|watched| visit.call(&watched.dict))?;
        self.context.iter().try_for_each(|object| visit.call(object))
    }
}

/// Description of a route's guards, which a resolver makes, fills and returns.
///
/// A namespace is a dictionary, or a class for its attributes. Labels name what is guarded in
/// the status.
#[pyclass(module = "sky_rs_patch._native")]
pub(crate) struct GuardBuilder {
    /// `None` once a route has taken it.
    description: Option<Description>,
}

impl GuardBuilder {
    fn description(&mut self) -> PyResult<&mut Description> {
        self.description.as_mut().ok_or_else(|| PyRuntimeError::new_err("a GuardBuilder serves one route, once"))
    }

    /// Takes what was described; the builder is of no more use.
    ///
    /// # Errors
    /// `RuntimeError` if it was taken before: a second taker would guard nothing.
    pub(crate) fn take(&mut self) -> PyResult<Description> {
        self.description().map(std::mem::take).inspect(|_| self.description = None)
    }
}

#[pymethods]
impl GuardBuilder {
    #[new]
    fn new() -> Self {
        Self { description: Some(Description::default()) }
    }

    /// A name must lead to this object. `instance` says that the namespace is the `__dict__` of an
    /// ordinary object, of whose changes CPython doesn't always tell.
    #[pyo3(signature = (namespace, name, value, label, *, instance=false))]
    fn expect(
        &mut self,
        namespace: &Bound<'_, PyAny>,
        name: Py<PyAny>,
        value: Py<PyAny>,
        label: Py<PyString>,
        instance: bool,
    ) -> PyResult<()> {
        self.description()?.expect(namespace, name, Expected::Object(value), label, instance)
    }

    /// A name must be absent.
    #[pyo3(signature = (namespace, name, label, *, instance=false))]
    fn expect_absent(
        &mut self,
        namespace: &Bound<'_, PyAny>,
        name: Py<PyAny>,
        label: Py<PyString>,
        instance: bool,
    ) -> PyResult<()> {
        self.description()?.expect(namespace, name, Expected::Absent, label, instance)
    }

    /// A name must lead to this object, or be absent.
    #[pyo3(signature = (namespace, name, value, label, *, instance=false))]
    fn expect_or_absent(
        &mut self,
        namespace: &Bound<'_, PyAny>,
        name: Py<PyAny>,
        value: Py<PyAny>,
        label: Py<PyString>,
        instance: bool,
    ) -> PyResult<()> {
        self.description()?.expect(namespace, name, Expected::ObjectOrAbsent(value), label, instance)
    }

    /// No name of a namespace may come, go or change after the resolver has returned.
    fn freeze(&mut self, namespace: &Bound<'_, PyAny>, label: Py<PyString>) -> PyResult<()> {
        let description = self.description()?;
        let place = description.watch(namespace, Kind::Other)?;
        description.frozen.push((place, label));
        Ok(())
    }

    /// A function's code, defaults and closure must stay; code and defaults are compared in each
    /// call.
    fn pin_hot(&mut self, function: Py<PyFunction>, label: Py<PyString>) -> PyResult<()> {
        self.description()?.pins.push((Pin::Hot(function), label));
        Ok(())
    }

    /// A function's code, defaults and closure must stay, or a module's class; they are compared
    /// when a watched namespace has changed.
    fn pin_cold(&mut self, target: &Bound<'_, PyAny>, label: Py<PyString>) -> PyResult<()> {
        let pin = if let Ok(function) = target.cast_exact::<PyFunction>() {
            Pin::Cold(function.clone().unbind())
        } else if let Ok(module) = target.cast::<PyModule>() {
            Pin::Class(module.clone().unbind())
        } else {
            let kind = target.get_type();
            return Err(PyTypeError::new_err(format!("functions and modules can be pinned, not a {kind}")));
        };
        self.description()?.pins.push((pin, label));
        Ok(())
    }

    /// Objects that the native function works with, in the order of the route's description.
    fn set_context(&mut self, objects: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.description()?.context = objects.iter().map(Bound::unbind).collect();
        Ok(())
    }

    /// The route stays on Python, for this reason, until something that is watched changes.
    fn refuse(&mut self, problem: Py<PyString>) -> PyResult<()> {
        self.description()?.problem = Some(problem);
        Ok(())
    }

    /// The reason given to `refuse`, or None.
    #[getter]
    fn problem(&self, py: Python<'_>) -> Option<Py<PyString>> {
        let description = self.description.as_ref()?;
        description.problem.as_ref().map(|problem| problem.clone_ref(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.description.iter().try_for_each(|description| description.visit(&visit))
    }

    fn __clear__(&mut self) {
        self.description = None;
    }
}
