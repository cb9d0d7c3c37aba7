//! Identity guards on every global the original depends on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use crate::errors;
use crate::guard_builder::GuardBuilder;
use crate::namespaces::{Found, Namespace};
use crate::pins::Pins;
use crate::watch::Stamp;

/// How many refusals in a row are followed by another derivation at once when something that was
/// looked at is another now; a test that replaces and restores does so a few times.
const PATIENCE: u32 = 16;
/// The same when a watched namespace has changed, but nothing in it that was looked at.
const GUESSES: u32 = 3;
/// Beyond that, so many times as long as a derivation took passes before the next one.
const REST: u32 = 100;

/// The course of derivations that ended in a refusal.
#[derive(Default)]
struct Attempts {
    began: Option<Instant>,
    /// What the last one took, and when it ended.
    last: Option<(Duration, Instant)>,
    refused: u32,
    /// Something has changed since the last one.
    due: bool,
}

impl Attempts {
    fn begin(&mut self) {
        self.began = Some(Instant::now());
        self.due = false;
    }

    fn end(&mut self, refused: bool) {
        let now = Instant::now();
        self.last = self.began.take().map(|began| (now - began, now));
        self.refused = if refused { self.refused.saturating_add(1) } else { 0 };
    }

    fn rested(&self) -> bool {
        self.last.is_none_or(|(took, at)| at.elapsed() >= took * REST)
    }
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
    /// In the order of what `stamp` watches.
    namespaces: Vec<Namespace>,
    pins: Pins,
    stamp: Option<Stamp>,
    attempts: Attempts,
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
            namespaces: Vec::new(),
            pins: Pins::default(),
            stamp: None,
            attempts: Attempts::default(),
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
        let ask = match self.state {
            State::Unresolved => true,
            // The thread that was at it stayed behind in the parent of a fork.
            State::Resolving { process } => process != std::process::id(),
            State::Refused(_) => self.is_worth_another_try(py),
            _ => false,
        };
        if !ask {
            return None;
        }
        self.state = State::Resolving { process: std::process::id() };
        self.attempts.begin();
        self.resolver.as_ref().map(|resolver| resolver.clone_ref(py))
    }

    /// Whether guards that were refused should be derived again. Where nothing of what was looked
    /// at has changed, the answer would most likely be the same.
    fn is_worth_another_try(&mut self, py: Python<'_>) -> bool {
        // Cold pins as well: the call goes to Python anyway, and nothing else tells of them.
        let mut other = self.pins.changed(py).is_some();
        if self.stamp.as_ref().is_none_or(|stamp| !stamp.is_current(py)) {
            let found = self.look_again(py);
            other |= found == Found::Other;
            self.attempts.due |= found != Found::Unchanged;
        }
        self.attempts.due |= other;
        let at_once = if other { PATIENCE } else { GUESSES };
        self.attempts.due && (self.attempts.refused < at_once || self.attempts.rested())
    }

    /// Looks up the names in those namespaces that have changed since it was last done. Returns
    /// what is most of what was found.
    fn look_again(&mut self, py: Python<'_>) -> Found {
        let (Some(stamp), namespaces) = (&mut self.stamp, &mut self.namespaces) else { return Found::Unchanged };
        let mut most = Found::Unchanged;
        // The stamp first: what changes while we look is noticed at the next call.
        stamp.renew(py, |place, shaped| most = namespaces[place].look(py, shaped).max(most));
        most
    }

    /// Takes the builder that the resolver returned.
    ///
    /// # Errors
    /// The resolver's own exception, or `TypeError` if it returned something else; the guards then
    /// refuse for good. An exception that isn't an ordinary error leaves them unresolved.
    pub(crate) fn finish_resolve(&mut self, py: Python<'_>, answer: PyResult<Bound<'_, PyAny>>) -> PyResult<()> {
        if answer.as_ref().is_ok_and(PyAnyMethods::is_none) {
            // It can't be told now, for want of a descriptor perhaps: the next call asks again.
            self.state = State::Unresolved;
            return Ok(());
        }
        let outcome = answer.and_then(|answer| self.take(&answer));
        if let Err(error) = &outcome {
            if !errors::is_failure(py, error) {
                // Ctrl-C: the next call asks again.
                self.state = State::Unresolved;
                return outcome;
            }
            self.namespaces = Vec::new();
            self.stamp = Some(Stamp::new(py, &[]));
            self.state = State::Refused(PyString::new(py, "the guards could not be derived").unbind());
        }
        self.attempts.end(matches!(self.state, State::Refused(_)));
        outcome
    }

    fn take(&mut self, answer: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = answer.py();
        let mut described = answer.cast::<GuardBuilder>()?.try_borrow_mut()?.take()?;
        self.pins = described.pins(py);
        self.namespaces = described.namespaces(py);
        self.stamp = Some(Stamp::new(py, &described.watched));
        self.context = (!described.context.is_empty()).then(|| described.context.into());
        self.revalidate(py);
        if let Some(problem) = described.problem {
            self.state = State::Refused(problem);
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

    /// Whether everything that was pristine still is, after a look at what has changed.
    pub(crate) fn still_hold(&mut self, py: Python<'_>) -> bool {
        if !matches!(self.state, State::Pristine) {
            return false;
        }
        // Where nothing was amiss before, it isn't if nothing else is.
        match self.look_again(py) {
            Found::Unchanged => self.pins.hold(py),
            Found::Same => self.pins.changed(py).is_none(),
            Found::Other => false,
        }
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

    /// The full check: everything in namespaces that have changed, and all pins.
    #[cold]
    fn revalidate(&mut self, py: Python<'_>) {
        self.look_again(py);
        let replaced = self.namespaces.iter().find_map(Namespace::culprit);
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
            self.namespaces.iter().flat_map(Namespace::labels).chain(self.pins.labels()).map(label).collect();
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
        self.namespaces.iter().try_for_each(|namespace| namespace.visit(visit))?;
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
