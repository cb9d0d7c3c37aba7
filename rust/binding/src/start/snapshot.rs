//! Snapshot of what originals read: modules as they were when SkyPilot's first one was wrapped.
//!
//! See `sky_rs_patch/_guards/baseline.py`, which offers it to the walk.

use std::collections::HashMap;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFrozenSet, PyFunction, PyString, PyTuple, PyType};

use crate::pins::parts;
use crate::watch::namespace;

/// Modules that SkyPilot has imported by then. Those of `psutil` and `PyYAML` come later, when they are
/// first needed, and SkyPilot's own may be imported anew.
const MODULES: &[&str] = &[
    "abc",
    "codecs",
    "collections.abc",
    "encodings",
    "encodings.utf_8",
    "genericpath",
    "hashlib",
    "itertools",
    "logging",
    "multiprocessing.process",
    "numbers",
    "os",
    "posixpath",
    "re",
    "re._compiler",
    "re._parser",
    "socket",
    "sre_compile",
    "sre_parse",
    "stat",
    "threading",
    "time",
    "_weakrefset",
    "attr._make",
    "jsonschema._keywords",
    "jsonschema._legacy_keywords",
    "jsonschema._types",
    "jsonschema._utils",
    "jsonschema.exceptions",
    "jsonschema.validators",
    "referencing._core",
];

/// Names that CPython (from 3.10 on) adds to a class without annotations when they are read.
const MADE_WHEN_ASKED: [&str; 3] = ["__annotations__", "__annotations_cache__", "__annotate_func__"];

const HEAP_TYPE: u64 = 1 << 9;
/// From CPython 3.10 on; from 3.12 on `itertools.count` is such a type, and on the heap.
const IMMUTABLE_TYPE: u64 = 1 << 8;

static PRISTINE: PyOnceLock<Py<Snapshot>> = PyOnceLock::new();

/// A function, its code, its defaults and its keyword defaults.
type Recorded = (Py<PyFunction>, [Option<Py<PyAny>>; 3]);

/// Contents of modules, their classes and their functions at one time.
#[pyclass(module = "sky_rs_patch._native")]
pub(crate) struct Snapshot {
    /// By the address of a module's namespace, which is kept alive: it, and what was in it.
    modules: HashMap<usize, (Py<PyDict>, Py<PyDict>)>,
    classes: HashMap<usize, (Py<PyType>, Py<PyDict>)>,
    /// By address; less than half of a table's size, and there are thousands.
    functions: Vec<Recorded>,
    builtins: Option<Py<PyDict>>,
}

#[pymethods]
impl Snapshot {
    /// Records modules, as `add`.
    #[new]
    #[pyo3(signature = (names = None))]
    fn new(names: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut made = Self { modules: HashMap::new(), classes: HashMap::new(), functions: Vec::new(), builtins: None };
        if let Some(names) = names {
            made.add(names)?;
        }
        Ok(made)
    }

    /// Records modules that have been imported and aren't recorded yet.
    fn add(&mut self, names: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = names.py();
        let names = names.extract::<Vec<String>>()?;
        self.record(py, names.iter().map(String::as_str))
    }

    /// Builtins as they were, but for those that programs like to replace. Empty if they weren't
    /// recorded.
    #[getter]
    fn builtins(&self, py: Python<'_>) -> Py<PyDict> {
        self.builtins.as_ref().map_or_else(|| PyDict::new(py).unbind(), |builtins| builtins.clone_ref(py))
    }

    /// Name of an attribute of a class that was added, removed or replaced, or None. `but` may
    /// change.
    #[pyo3(signature = (cls, but = None))]
    fn class_changed<'py>(
        &self,
        cls: &Bound<'py, PyType>,
        but: Option<&Bound<'_, PyFrozenSet>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = cls.py();
        let Some((_, known)) = self.classes.get(&cls.as_ptr().addr()) else { return Ok(None) };
        let (known, now) = (known.bind(py), namespace(cls.as_any())?);
        let may_change = |name: &Bound<'py, PyAny>| -> bool {
            let made = name.cast::<PyString>().is_ok_and(|name| MADE_WHEN_ASKED.iter().any(|made| *name == **made));
            made || but.is_some_and(|but| but.contains(name).unwrap_or(false))
        };
        for (first, second) in [(&now, known), (known, &now)] {
            for (name, value) in first.iter() {
                let same = second.get_item(&name)?.is_some_and(|other| other.is(&value));
                if !same && !may_change(&name) {
                    return Ok(Some(name));
                }
            }
        }
        Ok(None)
    }

    /// Whether a function has other code or defaults than were recorded.
    fn function_changed(&self, function: &Bound<'_, PyFunction>) -> bool {
        let address = function.as_ptr().addr();
        let Ok(place) = self.functions.binary_search_by_key(&address, |(known, _)| known.as_ptr().addr()) else {
            return false;
        };
        let known = &self.functions[place].1;
        let now = parts(function);
        let now = now.iter().map(|part| part.as_ref().map(Bound::as_ptr));
        now.ne(known.iter().map(|part| part.as_ref().map(Py::as_ptr)))
    }

    /// Whether a module's name led to another object when recorded, or is gone (`value` is left out
    /// then). Data may change; constants, which are written in capitals, may not.
    #[pyo3(signature = (namespace, name, *value))]
    fn value_changed(
        &self,
        namespace: &Bound<'_, PyDict>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyTuple>,
    ) -> PyResult<bool> {
        let py = namespace.py();
        let Some((_, known)) = self.modules.get(&namespace.as_ptr().addr()) else { return Ok(false) };
        let known = known.bind(py).get_item(name)?;
        let value = value.get_item(0).ok();
        let same = match (&known, &value) {
            (Some(known), Some(value)) => known.is(value),
            (None, None) => true,
            _ => false,
        };
        if same {
            return Ok(false);
        }
        let callable = |object: &Option<Bound<'_, PyAny>>| object.as_ref().is_some_and(PyAnyMethods::is_callable);
        let is_upper = || name.call_method0(intern!(py, "isupper"))?.is_truthy();
        Ok(callable(&value) || callable(&known) || is_upper()?)
    }
}

impl Snapshot {
    fn record<'a>(&mut self, py: Python<'_>, names: impl Iterator<Item = &'a str>) -> PyResult<()> {
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        let modules = modules.cast::<PyDict>()?;
        let holders = Holders::new(py)?;
        let before = self.modules.len();
        for name in names {
            let Some(module) = modules.get_item(name)? else { continue };
            let Ok(module) = module.cast_into::<PyModule>() else { continue };
            let namespace = module.dict();
            let address = namespace.as_ptr().addr();
            if !self.modules.contains_key(&address) {
                let content = namespace.copy()?;
                self.remember(&content, name, &holders)?;
                self.modules.insert(address, (namespace.unbind(), content.unbind()));
            }
        }
        if self.modules.len() > before {
            // The order stays among those of one address: the first record of a function counts.
            self.functions.sort_by_key(|(function, _)| function.as_ptr().addr());
            self.functions.dedup_by_key(|(function, _)| function.as_ptr().addr());
            self.functions.shrink_to_fit();
        }
        Ok(())
    }

    fn remember(&mut self, content: &Bound<'_, PyDict>, module: &str, holders: &Holders<'_>) -> PyResult<()> {
        for (_, value) in content.iter() {
            if let Ok(function) = value.cast_exact::<PyFunction>() {
                self.remember_function(function);
            } else if let Ok(cls) = value.cast::<PyType>() {
                if is_of(cls, module)? && can_change(cls)? && !self.classes.contains_key(&cls.as_ptr().addr()) {
                    let own = namespace(cls.as_any())?.copy()?;
                    self.classes.insert(cls.as_ptr().addr(), (cls.clone().unbind(), own.clone().unbind()));
                    self.remember(&own, module, holders)?;
                }
            } else if let Some(held) = holders.held_by(&value)? {
                self.remember_method(held)?;
            }
        }
        Ok(())
    }

    /// A function, and those that it decorates.
    fn remember_method(&mut self, mut function: Bound<'_, PyAny>) -> PyResult<()> {
        while let Ok(found) = function.cast_exact::<PyFunction>() {
            self.remember_function(found);
            match function.getattr_opt(intern!(function.py(), "__wrapped__"))? {
                Some(wrapped) => function = wrapped,
                None => break,
            }
        }
        Ok(())
    }

    fn remember_function(&mut self, function: &Bound<'_, PyFunction>) {
        let parts = parts(function).map(|part| part.map(Bound::unbind));
        self.functions.push((function.clone().unbind(), parts));
    }
}

/// The types of what has a function within, in a class.
struct Holders<'py> {
    static_method: Bound<'py, PyAny>,
    class_method: Bound<'py, PyAny>,
    property: Bound<'py, PyAny>,
}

impl<'py> Holders<'py> {
    fn new(py: Python<'py>) -> PyResult<Self> {
        let builtins = py.import(intern!(py, "builtins"))?;
        Ok(Self {
            static_method: builtins.getattr(intern!(py, "staticmethod"))?,
            class_method: builtins.getattr(intern!(py, "classmethod"))?,
            property: builtins.getattr(intern!(py, "property"))?,
        })
    }

    /// What is within a value; `None` unless it is of one of these types.
    fn held_by(&self, value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let kind = value.get_type();
        let py = value.py();
        if kind.is(&self.property) {
            value.getattr(intern!(py, "fget")).map(Some)
        } else if kind.is(&self.static_method) || kind.is(&self.class_method) {
            value.getattr(intern!(py, "__func__")).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// Whether attributes of a class can be set.
fn can_change(cls: &Bound<'_, PyType>) -> PyResult<bool> {
    let flags = cls.getattr(intern!(cls.py(), "__flags__"))?.extract::<u64>()?;
    Ok(flags & (HEAP_TYPE | IMMUTABLE_TYPE) == HEAP_TYPE)
}

/// Whether a class says that it is of a module.
fn is_of(cls: &Bound<'_, PyType>, module: &str) -> PyResult<bool> {
    let said = namespace(cls.as_any())?.get_item(intern!(cls.py(), "__module__"))?;
    Ok(said.is_some_and(|said| said.cast::<PyString>().is_ok_and(|said| *said == *module)))
}

/// The snapshot of the process, which is taken when it is first asked for.
#[pyfunction]
pub(crate) fn pristine(py: Python<'_>) -> PyResult<&Py<Snapshot>> {
    take_pristine(py)
}

/// As `pristine`; modules that weren't there before are added.
pub(crate) fn take_pristine(py: Python<'_>) -> PyResult<&Py<Snapshot>> {
    let snapshot = PRISTINE.get_or_try_init(py, || {
        let mut made = Snapshot::new(None)?;
        let builtins = py.import(intern!(py, "builtins"))?.dict().copy()?;
        made.builtins = Some(builtins.unbind());
        Py::new(py, made)
    })?;
    snapshot.borrow_mut(py).record(py, MODULES.iter().copied())?;
    Ok(snapshot)
}
