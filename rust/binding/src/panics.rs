//! Containment of panics: each becomes a decline, and its message is kept for the status.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;

use pyo3::prelude::*;
use sky_rs_core::{Decline, NativeResult};

use crate::gil::clear_error;

/// The first ones say the most.
const KEPT: usize = 8;

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Takes the place of Rust's own hook, which prints. It is this extension's alone: others have
/// a standard library of their own.
pub(crate) fn keep_messages() {
    set_hook(Box::new(|panic| {
        // If another thread stayed behind in the parent of a fork with it, so be it.
        if let Ok(mut seen) = SEEN.try_lock()
            && seen.len() < KEPT
        {
            seen.push(panic.to_string());
        }
    }));
}

/// The messages of the first panics of this process, with where they happened.
#[pyfunction]
pub(crate) fn panics() -> Vec<String> {
    SEEN.try_lock().map_or_else(|_| Vec::new(), |seen| seen.clone())
}

/// Runs what must not panic; if it does, that is a reason to decline.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call more is a tenth of what the shortest function costs")]
pub(crate) fn caught<T>(py: Python<'_>, work: impl FnOnce() -> NativeResult<T>) -> NativeResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(after(py)))
}

/// The original must not find an error that was set on the way.
#[cold]
fn after(py: Python<'_>) -> Decline {
    clear_error(py);
    Decline::Panic
}
