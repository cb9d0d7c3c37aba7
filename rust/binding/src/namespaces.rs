//! What a route's guards ask of one namespace: names that lead to the objects that they led to.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::watch::{items, lookup};

/// What a name must lead to.
pub(crate) enum Expected {
    Object(Py<PyAny>),
    Absent,
    ObjectOrAbsent(Py<PyAny>),
}

/// One name, and what it must lead to.
pub(crate) struct Entry {
    /// A string, or in a registry also a type, whose hash runs no code either.
    pub(crate) name: Py<PyAny>,
    pub(crate) expected: Expected,
    pub(crate) label: Py<PyString>,
}

/// Names that CPython adds to a class without annotations when its annotations are read.
const MADE_WHEN_ASKED: [&str; 3] = ["__annotations__", "__annotations_cache__", "__annotate_func__"];

/// The number of names in a namespace, but for those.
fn lasting(namespace: &Bound<'_, PyDict>) -> usize {
    let made = MADE_WHEN_ASKED.iter().filter(|&&name| namespace.contains(name).unwrap_or(false)).count();
    namespace.len() - made
}

/// An ordinary object's dictionary that is larger is looked up, as any other.
const SMALL: usize = 32;

/// A namespace in which names are watched.
pub(crate) struct Namespace {
    dict: Py<PyDict>,
    /// Of an ordinary object's: its names, and the addresses of what they led to when they were last
    /// looked up. There may be many names of methods to look up, where there are few attributes.
    content: Option<Vec<(Py<PyAny>, usize)>>,
    entries: Vec<Entry>,
    /// If no name may come: how many there are, and the label.
    frozen: Option<(usize, Py<PyString>)>,
    /// Which entry wasn't as expected when it was last looked at; beyond them is the number of names.
    amiss: Option<usize>,
}

/// What a look at a namespace found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    /// Nothing has changed in it.
    Unchanged,
    /// The same is amiss as before, or nothing is.
    Same,
    /// Something else is amiss than before, or no longer.
    Other,
}

impl Namespace {
    pub(crate) const fn new(dict: Py<PyDict>) -> Self {
        Self { dict, content: None, entries: Vec::new(), frozen: None, amiss: None }
    }

    /// It is the dictionary of an ordinary object, of whose changes CPython doesn't always tell.
    pub(crate) fn set_instance(&mut self) {
        self.content = Some(Vec::new());
    }

    pub(crate) fn expect(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Lets no name come, go or change from here on.
    pub(crate) fn freeze(&mut self, py: Python<'_>, label: &Py<PyString>) {
        let dict = self.dict.bind(py);
        self.frozen = Some((lasting(dict), label.clone_ref(py)));
        // A set of entries, and the promise that none is added.
        for (name, value) in dict.iter() {
            if let Ok(name) = name.cast_into::<PyString>()
                && !MADE_WHEN_ASKED.iter().any(|&made| name == made)
            {
                let name = name.into_any().unbind();
                let expected = Expected::Object(value.unbind());
                self.entries.push(Entry { name, expected, label: label.clone_ref(py) });
            }
        }
    }

    /// Looks up every name, unless it is certain that nothing has changed. `shaped` says that names
    /// may have come or gone since the last time: if not, none that was absent is there.
    pub(crate) fn look(&mut self, py: Python<'_>, shaped: bool) -> Found {
        if self.is_unchanged(py) {
            return Found::Unchanged;
        }
        let dict = self.dict.bind(py);
        // What was amiss is looked for anew.
        let shaped = shaped || self.amiss.is_some();
        let mut amiss = self.entries.iter().position(|entry| (shaped || entry.is_of_value()) && !entry.holds(dict));
        if amiss.is_none()
            && shaped
            && let Some((size, _)) = &self.frozen
            // All names are there: an equal number has no room for another.
            && dict.len() != *size
            && lasting(dict) != *size
        {
            amiss = Some(self.entries.len());
        }
        if std::mem::replace(&mut self.amiss, amiss) == amiss { Found::Same } else { Found::Other }
    }

    /// Whether an object's dictionary is the one that was last looked up; remembers it if not.
    fn is_unchanged(&mut self, py: Python<'_>) -> bool {
        let Some(content) = &mut self.content else { return false };
        let dict = self.dict.bind(py);
        let items = || items(dict).map(|(name, value)| (name, value.addr()));
        // What had these addresses has them still: the names are held, and so is what is expected.
        if dict.len() == content.len() && items().eq(content.iter().map(|(name, value)| (name.as_ptr(), *value))) {
            return !content.is_empty();
        }
        content.clear();
        if dict.len() <= SMALL {
            content.extend(dict.iter().map(|(name, value)| (name.unbind(), value.as_ptr().addr())));
        }
        false
    }

    /// The label of what wasn't as expected when it was last looked at.
    pub(crate) fn culprit(&self) -> Option<&Py<PyString>> {
        let place = self.amiss?;
        let entry = self.entries.get(place).map(|entry| &entry.label);
        entry.or_else(|| self.frozen.as_ref().map(|(_, label)| label))
    }

    pub(crate) fn labels(&self) -> impl Iterator<Item = &Py<PyString>> {
        self.entries.iter().map(|entry| &entry.label)
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.dict)?;
        self.content.iter().flatten().try_for_each(|(name, _)| visit.call(name))?;
        self.entries.iter().try_for_each(|entry| entry.visit(visit))
    }
}

impl Entry {
    /// Whether it may fail although no name has come or gone.
    fn is_of_value(&self) -> bool {
        !matches!(self.expected, Expected::Absent)
    }

    fn holds(&self, dict: &Bound<'_, PyDict>) -> bool {
        let Some(found) = lookup(dict, &self.name) else { return false };
        match &self.expected {
            Expected::Object(expected) => found == expected.as_ptr(),
            Expected::Absent => found.is_null(),
            Expected::ObjectOrAbsent(expected) => found.is_null() || found == expected.as_ptr(),
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.name)?;
        match &self.expected {
            Expected::Object(object) | Expected::ObjectOrAbsent(object) => visit.call(object),
            Expected::Absent => Ok(()),
        }
    }
}
