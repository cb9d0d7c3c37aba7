//! Containers for data that the GIL protects.

use pyo3::{Python, ffi};

/// A value that is only touched by the thread that holds the GIL.
///
/// The extension declares `gil_used`, so that a free-threaded interpreter takes its GIL up
/// before it runs any of this.
pub(crate) struct GilBound<T>(T);

// SAFETY: `get` asks for the token that only the holder of the GIL has, and the token can't
// outlive the hold.
unsafe impl<T: Send> Sync for GilBound<T> {}

impl<T> GilBound<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for who has nobody to share it with.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    #[inline]
    pub(crate) fn get(&self, _py: Python<'_>) -> &T {
        &self.0
    }
}

/// Clears the error indicator without building a `PyErr`, which PyO3 could only drop later
/// where it doesn't know that the thread is attached.
pub(crate) fn clear_error(_py: Python<'_>) {
    // SAFETY: the token proves that the thread is attached.
    unsafe { ffi::PyErr_Clear() };
}
