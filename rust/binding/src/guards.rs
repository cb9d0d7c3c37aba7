//! Identity guards on every global the original depends on.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit};

use crate::errors;
use crate::guard_builder::GuardBuilder;
use crate::pins::Pins;
use crate::watch::Stamp;

/// What a name must lead to.
pub(crate) enum Expected {
    Object(Py<PyAny>),
    Absent,
    ObjectOrAbsent(Py<PyAny>),
}

/// One name in one namespace, and what it must lead to.
pub(crate) struct Entry {
    pub(crate) namespace: Py<PyDict>,
    /// A string, or in a registry also a type, whose hash runs no code either.
    pub(crate) name: Py<PyAny>,
    pub(crate) expected: Expected,
    pub(crate) label: Py<PyString>,
}

/// A namespace in which no name may come, go or change.
struct Frozen {
    namespace: Py<PyDict>,
    size: usize,
    label: Py<PyString>,
}

/// Names that CPython adds to a class without annotations when its annotations are read.
const MADE_WHEN_ASKED: [&str; 3] = ["__annotations__", "__annotations_cache__", "__annotate_func__"];

/// The number of names in a namespace, but for those.
fn lasting(namespace: &Bound<'_, PyDict>) -> usize {
    let made = MADE_WHEN_ASKED.iter().filter(|&&name| namespace.contains(name).unwrap_or(false)).count();
    namespace.len() - made
}

enum State {
    /// Never looked at: the first call asks the resolver.
    Unresolved,
    /// The resolver runs, perhaps in another thread.
    Resolving { process: u32 },
    /// All entries are pristine.
    Pristine,
    /// An entry was replaced, or a pinned object changed; its label.
    Replaced { label: Py<PyString>, pinned: bool },
    /// The resolver found something it can't vouch for, and says what.
    Refused(Py<PyString>),
    /// All entries are pristine, but a debugger was there: the next call looks again.
    Debugged,
}

/// The guards of one route.
pub(crate) struct Guards {
    resolver: Option<Py<PyAny>>,
    state: State,
    entries: Vec<Entry>,
    frozen: Vec<Frozen>,
    pins: Pins,
    stamp: Option<Stamp>,
    /// Shared with the calls under way, so that nobody waits for them to end.
    context: Option<Arc<[Py<PyAny>]>>,
    failures: HashMap<String, u64>,
}

impl Guards {
    /// Guards that `resolver()` will describe at the first call, or none.
    pub(crate) fn new(resolver: Option<Py<PyAny>>) -> Self {
        let state = if resolver.is_some() { State::Unresolved } else { State::Pristine };
        Self {
            resolver,
            state,
            entries: Vec::new(),
            frozen: Vec::new(),
            pins: Pins::default(),
            stamp: None,
            context: None,
            failures: HashMap::new(),
        }
    }

    /// Fast path: no watched dictionary and no hot pin changed since the last full check.
    #[inline]
    pub(crate) fn are_fresh(&self, py: Python<'_>) -> bool {
        matches!(self.state, State::Pristine)
            && self.stamp.as_ref().is_none_or(|stamp| stamp.is_current(py))
            && self.pins.hold(py)
    }

    /// Starts resolving: returns the resolver if guards must be derived (again). They are then
    /// out of use until `finish_resolve`.
    pub(crate) fn begin_resolve(&mut self, py: Python<'_>) -> Option<Py<PyAny>> {
        // Cold pins as well: the call goes to Python anyway, and nothing else tells of them.
        let stale = || self.stamp.as_ref().is_none_or(|stamp| !stamp.is_current(py)) || self.pins.changed(py).is_some();
        let ask = match self.state {
            State::Unresolved => true,
            // The thread that was at it stayed behind in the parent of a fork.
            State::Resolving { process } => process != std::process::id(),
            State::Refused(_) => stale(),
            _ => false,
        };
        if !ask {
            return None;
        }
        self.state = State::Resolving { process: std::process::id() };
        self.resolver.as_ref().map(|resolver| resolver.clone_ref(py))
    }

    /// Takes the builder that the resolver returned.
    ///
    /// # Errors
    /// The resolver's own exception, or `TypeError` if it returned something else; the guards then
    /// refuse for good. An exception that isn't an ordinary error leaves them unresolved.
    pub(crate) fn finish_resolve(&mut self, py: Python<'_>, answer: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
        let outcome = answer.and_then(|answer| self.take(&answer));
        if let Err(error) = &outcome {
            if !errors::is_failure(py, error) {
                // Ctrl-C: the next call asks again.
                self.state = State::Unresolved;
                return outcome;
            }
            self.stamp = Some(Stamp::new(py, &[]));
            self.state = State::Refused(PyString::new(py, "the guards could not be derived").unbind());
        }
        outcome
    }

    fn take(&mut self, answer: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = answer.py();
        let described = answer.cast::<GuardBuilder>()?.try_borrow_mut()?.take()?;
        let pins = described.pins(py);
        let mut entries = described.entries;
        let mut frozen = Vec::with_capacity(described.frozen.len());
        for (namespace, label) in described.frozen {
            let dict = namespace.bind(py);
            let size = lasting(dict);
            // A frozen namespace is a set of entries plus the promise that none is added.
            for (name, value) in dict.iter() {
                if let Ok(name) = name.cast_into::<PyString>()
                    && !MADE_WHEN_ASKED.iter().any(|&made| name == made)
                {
                    entries.push(Entry {
                        namespace: namespace.clone_ref(py),
                        name: name.into_any().unbind(),
                        expected: Expected::Object(value.unbind()),
                        label: label.clone_ref(py),
                    });
                }
            }
            frozen.push(Frozen { namespace, size, label });
        }
        self.stamp = Some(Stamp::new(py, &described.watched));
        self.entries = entries;
        self.frozen = frozen;
        self.pins = pins;
        self.context = (!described.context.is_empty()).then(|| described.context.into());
        match described.problem {
            Some(problem) => {
                self.state = State::Refused(problem);
                if let Some(stamp) = &mut self.stamp {
                    stamp.renew(py);
                }
            }
            None => self.revalidate(py),
        }
        Ok(())
    }

    /// Whether everything is pristine; a full check if something may have changed. What isn't
    /// pristine is counted: a call was declined for it.
    pub(crate) fn check(&mut self, py: Python<'_>) -> bool {
        let Some(culprit) = self.culprit(py) else { return true };
        *self.failures.entry(culprit).or_default() += 1;
        false
    }

    /// Lets the next call look again, for the debugger may be gone then.
    pub(crate) fn doubt(&mut self) {
        if matches!(self.state, State::Pristine) {
            self.state = State::Debugged;
        }
    }

    /// What isn't pristine, after another look unless nothing changed.
    pub(crate) fn culprit(&mut self, py: Python<'_>) -> Option<String> {
        let due = match self.state {
            State::Pristine | State::Debugged => true,
            // Nothing tells when a pinned function is put right again.
            State::Replaced { pinned, .. } => pinned || self.stamp.as_ref().is_some_and(|stamp| !stamp.is_current(py)),
            _ => false,
        };
        if due {
            self.revalidate(py);
        }
        match &self.state {
            State::Pristine | State::Debugged => None,
            State::Replaced { label, .. } | State::Refused(label) => {
                Some(label.bind(py).to_string_lossy().into_owned())
            }
            State::Unresolved | State::Resolving { .. } => Some("not resolved yet".to_owned()),
        }
    }

    /// The full check: looks up every entry, frozen namespace and pin.
    #[cold]
    fn revalidate(&mut self, py: Python<'_>) {
        // The stamp first: what changes while we look is noticed at the next call.
        if let Some(stamp) = &mut self.stamp {
            stamp.renew(py);
        }
        let replaced = self
            .entries
            .iter()
            .find(|entry| !entry.is_pristine(py))
            .map(|entry| &entry.label)
            .or_else(|| self.frozen.iter().find(|frozen| !frozen.is_pristine(py)).map(|frozen| &frozen.label));
        let pinned = replaced.is_none();
        self.state = match replaced.or_else(|| self.pins.changed(py)) {
            None => State::Pristine,
            Some(label) => State::Replaced { label: label.clone_ref(py), pinned },
        };
    }

    /// Objects that the native function works with, in the order of the route's description.
    #[inline]
    pub(crate) fn context(&self) -> Option<Arc<[Py<PyAny>]>> {
        self.context.clone()
    }

    /// How often each guard failed.
    pub(crate) fn failures(&self) -> &HashMap<String, u64> {
        &self.failures
    }

    /// The labels of all entries, for tests and for `status`.
    pub(crate) fn labels(&self, py: Python<'_>) -> Vec<String> {
        let label = |label: &Py<PyString>| label.bind(py).to_string_lossy().into_owned();
        let mut labels: Vec<_> =
            self.entries.iter().map(|entry| &entry.label).chain(self.pins.labels()).map(label).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// Why calls go to the original, as far as is known without looking.
    pub(crate) fn problem(&self, py: Python<'_>) -> Option<String> {
        match &self.state {
            State::Refused(problem) => Some(problem.bind(py).to_string_lossy().into_owned()),
            State::Replaced { label, pinned } => {
                let how = if *pinned { "changed" } else { "replaced" };
                Some(format!("{} was {how}", label.bind(py).to_string_lossy()))
            }
            _ => None,
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.resolver)?;
        for entry in &self.entries {
            entry.visit(visit)?;
        }
        for frozen in &self.frozen {
            visit.call(&frozen.namespace)?;
        }
        self.pins.visit(visit)?;
        if let Some(stamp) = &self.stamp {
            stamp.visit(visit)?;
        }
        self.context.iter().flat_map(|context| context.iter()).try_for_each(|object| visit.call(object))
    }

    /// Drops all references; the route is garbage.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(None);
        // Without a resolver there is nothing left to ask.
        self.state = State::Unresolved;
    }
}

impl Entry {
    fn is_pristine(&self, py: Python<'_>) -> bool {
        match (self.namespace.bind(py).get_item(&self.name), &self.expected) {
            (Ok(Some(found)), Expected::Object(expected) | Expected::ObjectOrAbsent(expected)) => found.is(expected),
            (Ok(None), Expected::Absent | Expected::ObjectOrAbsent(_)) => true,
            _ => false,
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.namespace)?;
        match &self.expected {
            Expected::Object(object) | Expected::ObjectOrAbsent(object) => visit.call(object),
            Expected::Absent => Ok(()),
        }
    }
}

impl Frozen {
    fn is_pristine(&self, py: Python<'_>) -> bool {
        lasting(self.namespace.bind(py)) == self.size
    }
}
