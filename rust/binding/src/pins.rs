//! Pins: a function's code, defaults and closure, and a module's class, compared by identity.
//!
//! They change while the object stays in its place, and no dictionary tells of it, so the pointers
//! themselves are compared: hot pins at each call (functions of the original's own package, which
//! programs change that reload code or check types), cold ones (functions of libraries) in a full
//! check of the guards.

use pyo3::prelude::*;
use pyo3::types::{PyFunction, PyModule, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit, ffi};

/// A function and what a call of it runs.
struct PinnedFunction {
    function: Py<PyFunction>,
    code: Py<PyAny>,
    defaults: Option<Py<PyAny>>,
    kwdefaults: Option<Py<PyAny>>,
    /// The cells of its closure, and what they hold.
    cells: Vec<(Py<PyAny>, Option<Py<PyAny>>)>,
    label: Py<PyString>,
}

/// A module and its class, which may answer for its attributes.
struct PinnedModule {
    module: Py<PyModule>,
    class: Py<PyAny>,
    label: Py<PyString>,
}

/// A field of a function or of a cell, by its address, and what it must hold.
struct Word {
    field: usize,
    expected: usize,
}

/// Functions and modules that must stay as they were when the guards were derived.
#[derive(Default)]
pub(crate) struct Pins {
    /// Of hot functions, which `functions` keeps alive together with what they must hold.
    words: Vec<Word>,
    /// All that a full check compares of `functions`, in one row.
    cold: Vec<Word>,
    functions: Vec<PinnedFunction>,
    modules: Vec<PinnedModule>,
}

fn address(object: Option<&Py<PyAny>>) -> *mut ffi::PyObject {
    object.map_or(std::ptr::null_mut(), Py::as_ptr)
}

/// What a cell holds, borrowed.
///
/// # Safety
/// The object is a live cell, and the GIL is held.
unsafe fn content(cell: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the caller vouches for it.
    unsafe { (*cell.cast::<ffi::PyCellObject>()).ob_ref }
}

/// A function's code, defaults and keyword defaults, from its fields: to ask for them by name is
/// audited, and audit hooks are Python code.
pub(crate) fn parts<'py>(function: &Bound<'py, PyFunction>) -> [Option<Bound<'py, PyAny>>; 3] {
    let raw = function.as_ptr().cast::<ffi::PyFunctionObject>();
    // SAFETY: an exact function, whose fields are null or live objects that it holds.
    unsafe { [(*raw).func_code, (*raw).func_defaults, (*raw).func_kwdefaults] }
        // SAFETY: as above; each of them is borrowed and gets a reference of its own.
        .map(|field| unsafe { Bound::from_borrowed_ptr_or_opt(function.py(), field) })
}

impl PinnedFunction {
    fn new(function: &Bound<'_, PyFunction>, label: &Bound<'_, PyString>) -> Self {
        let py = function.py();
        let raw = function.as_ptr().cast::<ffi::PyFunctionObject>();
        let [code, defaults, kwdefaults] = parts(function).map(|part| part.map(Bound::unbind));
        // SAFETY: an exact function, whose closure is null or a tuple that it holds.
        let closure = unsafe { Bound::from_borrowed_ptr_or_opt(py, (*raw).func_closure) };
        let closure = closure.and_then(|closure| closure.cast_into::<PyTuple>().ok());
        let cells = closure.iter().flat_map(PyTupleMethods::iter).map(|cell| {
            // SAFETY: a closure has nothing but cells, whose content is null or a live object.
            let content = unsafe { Bound::from_borrowed_ptr_or_opt(py, content(cell.as_ptr())) };
            (cell.unbind(), content.map(Bound::unbind))
        });
        Self {
            cells: cells.collect(),
            function: function.clone().unbind(),
            code: code.unwrap_or_else(|| py.None()),
            defaults,
            kwdefaults,
            label: label.clone().unbind(),
        }
    }

    /// What a full check compares.
    fn words(&self) -> impl Iterator<Item = Word> {
        let raw = self.function.as_ptr().cast::<ffi::PyFunctionObject>();
        // SAFETY: the function is alive, for it is held.
        let fields = unsafe {
            [&raw const (*raw).func_code, &raw const (*raw).func_defaults, &raw const (*raw).func_kwdefaults]
        };
        let held = [self.code.as_ptr(), address(self.defaults.as_ref()), address(self.kwdefaults.as_ref())];
        let cells = self.cells.iter().map(|(cell, held)| {
            // SAFETY: a cell of a closure, which is held.
            (unsafe { &raw const (*cell.as_ptr().cast::<ffi::PyCellObject>()).ob_ref }, address(held.as_ref()))
        });
        fields.into_iter().zip(held).chain(cells).map(|(field, held)| Word::new(field, held))
    }

    #[inline]
    fn holds(&self) -> bool {
        self.words().all(|word| word.holds())
    }
}

impl Word {
    fn new(field: *const *mut ffi::PyObject, expected: *mut ffi::PyObject) -> Self {
        Self { field: field.expose_provenance(), expected: expected.addr() }
    }

    #[inline]
    fn holds(&self) -> bool {
        // SAFETY: a field of a function or a cell that is held, and so is the GIL.
        unsafe { *std::ptr::with_exposed_provenance::<usize>(self.field) == self.expected }
    }
}

/// The fields of a function that each call compares: its defaults only if it has parameters that
/// they are for.
fn words_of(function: &Bound<'_, PyFunction>) -> impl Iterator<Item = Word> {
    let raw = function.as_ptr().cast::<ffi::PyFunctionObject>();
    // Not by `__code__`, which is audited: filelock's hook is Python code, within which a handler
    // of a signal may run, and what that raises would be lost here.
    // SAFETY: an exact function, which holds its code.
    let code = unsafe { Bound::from_borrowed_ptr(function.py(), (*raw).func_code) };
    let takes = |count| code.getattr(count).and_then(|number| number.is_truthy()).unwrap_or(true);
    // SAFETY: an exact function.
    let fields = unsafe {
        [
            Some(&raw const (*raw).func_code),
            takes("co_argcount").then_some(&raw const (*raw).func_defaults),
            takes("co_kwonlyargcount").then_some(&raw const (*raw).func_kwdefaults),
        ]
    };
    // SAFETY: as above; its content is only compared.
    fields.into_iter().flatten().map(|field| Word::new(field, unsafe { *field }))
}

impl PinnedModule {
    #[inline]
    fn holds(&self) -> bool {
        // SAFETY: the module is alive, for it is held; the caller has the GIL.
        unsafe { ffi::Py_TYPE(self.module.as_ptr()) }.cast() == self.class.as_ptr()
    }
}

impl Pins {
    /// Pins a function that is compared in each call.
    pub(crate) fn pin_hot(&mut self, function: &Bound<'_, PyFunction>, label: &Bound<'_, PyString>) {
        self.words.extend(words_of(function));
        self.pin_cold(function, label);
    }

    /// Pins a function that is compared in a full check.
    pub(crate) fn pin_cold(&mut self, function: &Bound<'_, PyFunction>, label: &Bound<'_, PyString>) {
        let pinned = PinnedFunction::new(function, label);
        self.cold.extend(pinned.words());
        self.functions.push(pinned);
    }

    /// Pins a module's class, which is compared in a full check.
    pub(crate) fn pin_class(&mut self, module: &Bound<'_, PyModule>, label: &Bound<'_, PyString>) {
        let class = module.get_type().into_any().unbind();
        let (module, label) = (module.clone().unbind(), label.clone().unbind());
        self.modules.push(PinnedModule { module, class, label });
    }

    /// Whether hot functions have the code and the defaults that they had.
    #[inline]
    pub(crate) fn hold(&self, _py: Python<'_>) -> bool {
        self.words.iter().all(Word::holds)
    }

    /// The label of one that isn't as it was.
    pub(crate) fn changed(&self, _py: Python<'_>) -> Option<&Py<PyString>> {
        let function = if self.cold.iter().all(Word::holds) {
            None
        } else {
            self.functions.iter().find(|pinned| !pinned.holds()).map(|pinned| &pinned.label)
        };
        function.or_else(|| self.modules.iter().find(|pinned| !pinned.holds()).map(|pinned| &pinned.label))
    }

    /// All labels.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Py<PyString>> {
        let functions = self.functions.iter().map(|pinned| &pinned.label);
        functions.chain(self.modules.iter().map(|pinned| &pinned.label))
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for pinned in &self.functions {
            visit.call(&pinned.function)?;
            visit.call(&pinned.code)?;
            visit.call(&pinned.defaults)?;
            visit.call(&pinned.kwdefaults)?;
            for (cell, held) in &pinned.cells {
                visit.call(cell)?;
                visit.call(held)?;
            }
        }
        for pinned in &self.modules {
            visit.call(&pinned.module)?;
            visit.call(&pinned.class)?;
        }
        Ok(())
    }
}
