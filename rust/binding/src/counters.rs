//! Counters of calls by backend and of declines by reason, without a lock.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Mutex;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sky_rs_core::Decline;

/// 64-bit numbers in one route's block: room for more reasons without a new layout.
pub(crate) const BLOCK: usize = 32;
const RUST: usize = 0;
const PYTHON: usize = 1;
const FIRST_DECLINE: usize = 2;
const _: () = assert!(FIRST_DECLINE + Decline::ALL.len() <= BLOCK);

/// Names and counts of routes that are gone and had nobody to count for.
static LEFT: Mutex<Vec<(String, Vec<u64>)>> = Mutex::new(Vec::new());

/// The names and counts of routes that went before somebody shared their counters, once.
#[pyfunction]
pub(crate) fn take_left_counts() -> Vec<(String, Vec<u64>)> {
    LEFT.try_lock().map_or_else(|_| Vec::new(), |mut left| std::mem::take(&mut *left))
}

/// One route's counters, in memory of our own or in a buffer that others can read, for
/// instance a mapped file that outlives the process.
pub(crate) struct Counters {
    block: Cell<NonNull<Cell<u64>>>,
    owned: Box<[Cell<u64>; BLOCK]>,
    shared: Cell<Option<PyBuffer<u64>>>,
}

// SAFETY: the pointer leads to memory that `owned` or `shared` keep alive, wherever the
// structure is moved. It is only used under `GilBound`.
unsafe impl Send for Counters {}

impl Counters {
    pub(crate) fn new() -> Self {
        let owned = Box::new([const { Cell::new(0) }; BLOCK]);
        Self { block: Cell::new(NonNull::from(&owned[0])), owned, shared: Cell::new(None) }
    }

    fn cell(&self, index: usize) -> &Cell<u64> {
        debug_assert!(index < BLOCK);
        // SAFETY: the block has `BLOCK` cells, and every caller's index is below that. It
        // lives in `owned`, or in `shared`, whose buffer is held.
        unsafe { self.block.get().add(index).as_ref() }
    }

    fn increment(&self, index: usize) {
        let cell = self.cell(index);
        cell.set(cell.get().wrapping_add(1));
    }

    #[inline]
    pub(crate) fn count_rust(&self) {
        self.increment(RUST);
    }

    pub(crate) fn count_python(&self, reason: Decline) {
        self.increment(PYTHON);
        self.increment(FIRST_DECLINE + reason as usize);
    }

    pub(crate) fn rust(&self) -> u64 {
        self.cell(RUST).get()
    }

    pub(crate) fn python(&self) -> u64 {
        self.cell(PYTHON).get()
    }

    pub(crate) fn declines(&self) -> impl Iterator<Item = (Decline, u64)> + '_ {
        Decline::ALL
            .into_iter()
            .map(|reason| (reason, self.cell(FIRST_DECLINE + reason as usize).get()))
            .filter(|(_, count)| *count > 0)
    }

    pub(crate) fn reset(&self) {
        for index in 0..BLOCK {
            self.cell(index).set(0);
        }
    }

    /// Goes on counting in a writable buffer of 64-bit numbers, on top of what is there: others may
    /// count there as well. What was counted in memory of our own is added.
    ///
    /// # Errors
    /// `ValueError` if the buffer is read-only, scattered or too short.
    pub(crate) fn share(&self, buffer: &Bound<'_, PyAny>) -> PyResult<()> {
        let buffer = PyBuffer::<u64>::get(buffer)?;
        if buffer.readonly() || !buffer.is_c_contiguous() || buffer.item_count() < BLOCK {
            return Err(PyValueError::new_err(format!(
                "counters need a writable, contiguous buffer of at least {BLOCK} 64-bit numbers, got {} ({})",
                buffer.item_count(),
                if buffer.readonly() { "read-only" } else { "writable" },
            )));
        }
        let target = NonNull::new(buffer.buf_ptr().cast::<Cell<u64>>())
            .ok_or_else(|| PyValueError::new_err("the buffer has no memory"))?;
        for (offset, own) in self.owned.iter().enumerate() {
            // SAFETY: the buffer is contiguous and long enough, and `PyBuffer<u64>` has checked the
            // format and the alignment.
            let cell = unsafe { target.add(offset).as_ref() };
            cell.set(cell.get().wrapping_add(own.take()));
        }
        self.block.set(target);
        drop(self.shared.replace(Some(buffer)));
        Ok(())
    }

    /// Keeps what was counted in memory of our own, for `take_left_counts`.
    pub(crate) fn leave(&mut self, name: &str) {
        let counts: Vec<_> = self.owned.iter().map(Cell::get).collect();
        // If another thread stayed behind in the parent of a fork with it, so be it.
        if counts.iter().any(|count| *count > 0)
            && let Ok(mut left) = LEFT.try_lock()
        {
            left.push((name.to_owned(), counts));
        }
    }

    /// Goes back to memory of our own, with the present counts.
    pub(crate) fn unshare(&self) {
        for (offset, own) in self.owned.iter().enumerate() {
            own.set(self.cell(offset).get());
        }
        self.block.set(NonNull::from(&self.owned[0]));
        drop(self.shared.take());
    }
}
