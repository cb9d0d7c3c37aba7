//! What may change of an object that stays where it is: a function's code, defaults and closure,
//! a module's class. No dictionary tells of it, so the pointers themselves are compared.

use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyModule, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit, ffi};

/// A function and what a call of it runs: addresses, so that a call compares them quickly.
struct PinnedFunction {
    function: Py<PyFunction>,
    code: usize,
    defaults: usize,
    kwdefaults: usize,
}

/// A cell of a pinned function's closure, and the address of what it holds.
struct PinnedCell {
    cell: Py<PyAny>,
    content: usize,
}

/// A module and its class, which may answer for its attributes.
struct PinnedModule {
    module: Py<PyModule>,
    class: Py<PyAny>,
    label: Py<PyString>,
}

/// Functions and modules that must stay as they were when the guards were derived.
#[derive(Default)]
pub(crate) struct Pins {
    functions: Vec<PinnedFunction>,
    cells: Vec<PinnedCell>,
    modules: Vec<PinnedModule>,
    /// Of the functions, and of the cells.
    labels: [Vec<Py<PyString>>; 2],
    /// What the addresses are of: nothing else gets them meanwhile.
    kept: Vec<Py<PyAny>>,
}

/// What a cell holds, borrowed.
///
/// # Safety
/// The object is a live cell, and the GIL is held.
unsafe fn content(cell: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the caller vouches for it.
    unsafe { (*cell.cast::<ffi::PyCellObject>()).ob_ref }
}

/// Code, defaults and keyword defaults, borrowed; the latter two may be null.
///
/// # Safety
/// The GIL is held.
#[inline]
unsafe fn fields(function: &Py<PyFunction>) -> [*mut ffi::PyObject; 3] {
    let raw = function.as_ptr().cast::<ffi::PyFunctionObject>();
    // SAFETY: the function is alive, for it is held.
    unsafe { [(*raw).func_code, (*raw).func_defaults, (*raw).func_kwdefaults] }
}

impl PinnedFunction {
    /// Zero if the function is as it was. All is compared, since nothing is the usual case and
    /// the branches would cost more.
    #[inline]
    fn changes(&self) -> usize {
        // SAFETY: the caller of `hold` has the GIL.
        let [code, defaults, kwdefaults] = unsafe { fields(&self.function) }.map(|field| field as usize);
        (code ^ self.code) | (defaults ^ self.defaults) | (kwdefaults ^ self.kwdefaults)
    }
}

impl PinnedCell {
    /// Zero if the cell holds what it held.
    #[inline]
    fn changes(&self) -> usize {
        // SAFETY: a closure has nothing but cells, this one is held; the caller of `hold` has the GIL.
        unsafe { content(self.cell.as_ptr()) as usize ^ self.content }
    }
}

impl PinnedModule {
    #[inline]
    fn holds(&self) -> bool {
        // SAFETY: the module is alive, for it is held; the caller of `hold` has the GIL.
        unsafe { ffi::Py_TYPE(self.module.as_ptr()) }.cast() == self.class.as_ptr()
    }
}

impl Pins {
    /// Pins a plain function or a module; says whether the object was one.
    pub(crate) fn add(&mut self, object: &Bound<'_, PyAny>, label: &Bound<'_, PyString>) -> bool {
        if let Ok(function) = object.cast_exact::<PyFunction>() {
            self.add_function(function, label);
            return true;
        }
        if let Ok(module) = object.cast::<PyModule>() {
            let class = module.get_type().into_any().unbind();
            self.modules.push(PinnedModule { module: module.clone().unbind(), class, label: label.clone().unbind() });
            return true;
        }
        false
    }

    fn add_function(&mut self, function: &Bound<'_, PyFunction>, label: &Bound<'_, PyString>) {
        let py = function.py();
        let pinned = function.clone().unbind();
        // SAFETY: `py` is the GIL.
        let [code, defaults, kwdefaults] = unsafe { fields(&pinned) }.map(|field| self.keep(py, field));
        self.functions.push(PinnedFunction { function: pinned, code, defaults, kwdefaults });
        self.labels[0].push(label.clone().unbind());
        let raw = function.as_ptr().cast::<ffi::PyFunctionObject>();
        // SAFETY: the function is alive, and its closure null or a tuple.
        let closure = unsafe { Bound::from_borrowed_ptr_or_opt(py, (*raw).func_closure) };
        let Some(Ok(closure)) = closure.map(Bound::cast_into::<PyTuple>) else { return };
        for cell in closure.iter() {
            // SAFETY: a closure has nothing but cells.
            let content = self.keep(py, unsafe { content(cell.as_ptr()) });
            self.cells.push(PinnedCell { cell: cell.unbind(), content });
            self.labels[1].push(label.clone().unbind());
        }
    }

    /// The address of an object that is kept from now on, or 0 for null.
    fn keep(&mut self, py: Python<'_>, object: *mut ffi::PyObject) -> usize {
        // SAFETY: null or an object that somebody holds; it gets a reference of its own.
        self.kept.extend(unsafe { Bound::from_borrowed_ptr_or_opt(py, object) }.map(Bound::unbind));
        object as usize
    }

    /// Whether all of them are as they were.
    #[inline]
    pub(crate) fn hold(&self, _py: Python<'_>) -> bool {
        let functions = self.functions.iter().fold(0, |all, pinned| all | pinned.changes());
        let cells = self.cells.iter().fold(0, |all, pinned| all | pinned.changes());
        functions | cells == 0 && self.modules.iter().all(PinnedModule::holds)
    }

    /// The label of one that isn't as it was.
    pub(crate) fn changed(&self, _py: Python<'_>) -> Option<&Py<PyString>> {
        let [of_functions, of_cells] = &self.labels;
        let function = self.functions.iter().position(|pinned| pinned.changes() != 0).map(|at| &of_functions[at]);
        let cell = || self.cells.iter().position(|pinned| pinned.changes() != 0).map(|at| &of_cells[at]);
        let module = || self.modules.iter().find(|pinned| !pinned.holds()).map(|pinned| &pinned.label);
        function.or_else(cell).or_else(module)
    }

    /// All labels.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Py<PyString>> {
        self.labels[0].iter().chain(self.modules.iter().map(|pinned| &pinned.label))
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for pinned in &self.functions {
            visit.call(&pinned.function)?;
        }
        for pinned in &self.cells {
            visit.call(&pinned.cell)?;
        }
        for pinned in &self.modules {
            visit.call(&pinned.module)?;
            visit.call(&pinned.class)?;
        }
        for object in &self.kept {
            visit.call(object)?;
        }
        Ok(())
    }
}
