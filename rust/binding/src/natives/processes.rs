//! Native `_safe_children`: psutil's walk over all processes, with its own objects as the result.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList};
use sky_rs_core::process_tree::snapshot;
use sky_rs_core::{Decline, NativeResult};

use super::decline_for;
use crate::call_args::{Argument, CallArgs, exact_i64, required};
use crate::calls;

/// Whether some process may not be looked at. The original then logs, and walks for itself;
/// to find that out first would only cost time.
static DENIED: AtomicBool = AtomicBool::new(false);

/// What the walk needs of psutil.
struct Psutil<'a, 'py> {
    process: &'a Bound<'py, PyAny>,
    no_such_process: &'a Bound<'py, PyAny>,
    zombie_process: &'a Bound<'py, PyAny>,
}

impl<'py> Psutil<'_, 'py> {
    /// `psutil.Process(pid)` and its `create_time()`, or `None` where psutil passes over the
    /// process because it has gone.
    ///
    /// # Errors
    /// `Os` for other exceptions.
    fn process(&self, pid: u32) -> NativeResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let py = self.process.py();
        let pid = PyInt::new(py, pid).into_any();
        let made = calls::call(self.process, [&pid]).and_then(|process| {
            let created = calls::method(&process, intern!(py, "create_time"), [])?;
            Ok((process, created))
        });
        match made {
            Ok(made) => Ok(Some(made)),
            Err(error) if error.is_instance(py, self.no_such_process) => Ok(None),
            Err(error) if error.is_instance(py, self.zombie_process) => Ok(None),
            Err(error) => Err(decline_for(py, error, Decline::Os)),
        }
    }
}

/// Context: `psutil.Process`, `psutil.NoSuchProcess` and `psutil.ZombieProcess`, the module's
/// dictionary, and the function that it must have as `_ppid_map`.
pub(super) fn safe_children<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    let [process] = call.bind(["process"], 1)?;
    let process = required(process)?.to_owned();
    let context = |index| call.context(index).ok_or(Decline::Platform);
    let psutil = Psutil { process: context(0)?, no_such_process: context(1)?, zombie_process: context(2)? };
    let ppid_map = context(3)?.cast::<PyDict>().map_err(|_| Decline::Platform)?.get_item(intern!(py, "_ppid_map"));
    if !ppid_map.ok().flatten().is_some_and(|found| call.context(4).is_some_and(|expected| found.is(expected))) {
        return Err(Decline::Guard);
    }
    is_plain(process.as_borrowed(), psutil.process)?;
    if DENIED.load(Ordering::Relaxed) {
        return Err(Decline::Platform);
    }

    // Raises if the number belongs to another process by now, and would again.
    let check = calls::method(&process, intern!(py, "_raise_if_pid_reused"), []);
    check.map_err(|error| decline_for(py, error, Decline::Os))?;
    let pid = calls::attribute(&process, intern!(py, "pid")).map_err(|error| decline_for(py, error, Decline::Type))?;
    let pid = u32::try_from(exact_i64(pid.as_borrowed())?).map_err(|_| Decline::Value)?;
    let snapshot = py.detach(snapshot).inspect_err(|decline| {
        if *decline == Decline::Platform {
            DENIED.store(true, Ordering::Relaxed);
        }
    })?;
    // Not the time that the object knows: the clock may have been set since.
    let Some((_, own)) = psutil.process(pid)? else {
        return Ok(PyList::empty(py).into_any());
    };
    let descendants = PyList::empty(py);
    snapshot.descendants(pid, |child| {
        let Some((child, created)) = psutil.process(child)? else { return Ok(false) };
        // A child that is older than its parent has the number of one that has gone.
        let in_time = own.le(created).map_err(|error| decline_for(py, error, Decline::Os))?;
        if in_time {
            descendants.append(child).map_err(|_| Decline::Os)?;
        }
        Ok(in_time)
    })?;
    Ok(descendants.into_any())
}

/// Makes sure of an exact `psutil.Process` that nobody has given methods of its own.
fn is_plain(process: Argument<'_, '_>, class: &Bound<'_, PyAny>) -> NativeResult<()> {
    let py = process.py();
    if !process.get_type().is(class) {
        return Err(Decline::Type);
    }
    let own = process.getattr(intern!(py, "__dict__")).map_err(|_| Decline::Type)?;
    let own = own.cast_into::<PyDict>().map_err(|_| Decline::Type)?;
    match own.contains(intern!(py, "children")) {
        Ok(false) => Ok(()),
        _ => Err(Decline::Type),
    }
}
