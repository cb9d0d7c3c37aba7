//! Natives that ask the kernel: ports, processors, memory, processes, descriptors.

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyString};
use sky_rs_core::{Decline, NativeResult, cgroup, cpu, memory, port, process, workers};

use super::files::count_entries;
use super::logging::debug_is_silent;
use super::paths::encode;
use crate::call_args::{Argument, CallArgs, exact_i64, exact_str, optional_str, required};
use crate::text::ascii;

fn integer(py: Python<'_>, value: i64) -> NativeResult<Bound<'_, PyAny>> {
    Ok(value.into_pyobject(py).map_err(|_| Decline::Value)?.into_any())
}

/// Context: the logger of the original's module.
pub(super) fn find_free_port<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let logger = call.context(0);
    free_port(call, || logger.map_or(Ok(()), debug_is_silent))
}

pub(super) fn find_free_port_silent<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    free_port(call, || Ok(()))
}

/// `may_skip_log` is asked at the first busy port: each one costs the original a log record.
fn free_port<'py>(
    call: &CallArgs<'_, 'py>,
    may_skip_log: impl Fn() -> NativeResult<()>,
) -> NativeResult<Bound<'py, PyAny>> {
    const SIGNALS_EVERY: u16 = 1024;
    let py = call.py();
    let [start] = call.bind(["start_port"], 1)?;
    let start = u16::try_from(exact_i64(required(start)?)?).map_err(|_| Decline::Value)?;
    let free = port::first_free(start, |busy| {
        if busy == start {
            may_skip_log()?;
        }
        if busy % SIGNALS_EVERY == 0 { super::files::check_signals(py) } else { Ok(()) }
    })?;
    integer(py, i64::from(free))
}

/// A variable's name as `os.environ` keeps it. Made once: the object carries its hash.
macro_rules! variable {
    ($py:expr, $name:literal) => {{
        static NAME: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();
        NAME.get_or_init($py, || PyBytes::new($py, $name).unbind()).bind($py)
    }};
}
pub(super) use variable;

/// Reads a variable from the dictionary behind `os.environ`: context 0, or the environment
/// of the moment where the function is called without a route.
pub(super) fn environment<'py>(
    call: &CallArgs<'_, 'py>,
    name: &Bound<'py, PyBytes>,
) -> NativeResult<Option<Bound<'py, PyAny>>> {
    let get = |data: &Bound<'py, PyAny>| {
        data.cast::<PyDict>().map_err(|_| Decline::Platform)?.get_item(name).map_err(|_| Decline::Platform)
    };
    match call.context(0) {
        Some(data) => get(data),
        None => get(&present_environment(call.py()).map_err(|_| Decline::Platform)?),
    }
}

#[cold]
fn present_environment(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import(intern!(py, "os"))?.getattr(intern!(py, "environ"))?.getattr(intern!(py, "_data"))
}

/// `float(text)`, by CPython's own parser.
fn parse_float<'py>(text: &Bound<'py, PyAny>) -> NativeResult<Bound<'py, PyFloat>> {
    let py = text.py();
    // Beyond ASCII, float() of the text isn't float() of its bytes.
    if !text.cast::<PyBytes>().is_ok_and(|bytes| bytes.as_bytes().is_ascii()) {
        return Err(Decline::Value);
    }
    // SAFETY: the object is live; the call gives a new float, or null with an error set.
    let number = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyFloat_FromString(text.as_ptr())) };
    number.map_err(|_| Decline::Value)?.cast_into::<PyFloat>().map_err(|_| Decline::Value)
}

/// Context: the dictionary behind `os.environ`.
pub(super) fn get_cpu_count<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    let [] = call.bind([], 0)?;
    if let Some(limit) = environment(call, variable!(py, b"SKYPILOT_POD_CPU_CORE_LIMIT"))? {
        let limit = parse_float(&limit)?;
        // SAFETY: `limit` is a float; the call gives a new int, or null with an error set
        // (infinities and NaN).
        let count = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyNumber_Long(limit.as_ptr())) };
        return count.map_err(|_| Decline::Value);
    }
    let mut count = cpu::affinity()?;
    if let Some(limit) = cgroup::cpu_limit()? {
        // Whole cores, rounded towards zero; limits are far below 2^53.
        #[expect(clippy::cast_possible_truncation)]
        let limit = limit as i64;
        count = count.min(limit);
    }
    // One processor is always online.
    if count > 1 && !cpu::online_is_the_kernels() {
        count = count.min(online()?);
    }
    integer(py, count)
}

/// `os.cpu_count()`.
fn online() -> NativeResult<i64> {
    // SAFETY: sysconf(3) takes any name.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    if count < 1 { Err(Decline::Platform) } else { Ok(count) }
}

/// Context: the dictionary behind `os.environ`.
pub(super) fn get_mem_size_gb<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    memory_size(call, true)
}

/// Context: the dictionary behind `os.environ`.
pub(super) fn get_mem_size_gb_only<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    memory_size(call, false)
}

fn memory_size<'py>(call: &CallArgs<'_, 'py>, bytes_too: bool) -> NativeResult<Bound<'py, PyAny>> {
    const GIBIBYTE: f64 = 1_073_741_824.0;
    let py = call.py();
    let [] = call.bind([], 0)?;
    if let Some(limit) = environment(call, variable!(py, b"SKYPILOT_POD_MEMORY_GB_LIMIT"))? {
        return Ok(parse_float(&limit)?.into_any());
    }
    if bytes_too && let Some(limit) = environment(call, variable!(py, b"SKYPILOT_POD_MEMORY_BYTES_LIMIT"))? {
        return Ok(PyFloat::new(py, parse_float(&limit)?.value() / GIBIBYTE).into_any());
    }
    let size = memory::gibibytes(memory::total()?, cgroup::memory_limit()?)?;
    Ok(PyFloat::new(py, size).into_any())
}

pub(super) fn get_parallel_threads<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [cloud] = call.bind(["cloud_str"], 0)?;
    integer(call.py(), parallel_threads(cloud)?)
}

/// So many processors make no difference to the number of threads.
const FEW: i64 = 5;

fn parallel_threads(cloud: Option<Argument<'_, '_>>) -> NativeResult<i64> {
    let name = match optional_str(cloud)? {
        None => None,
        Some(name) => Some(ascii(name).ok_or(Decline::Value)?),
    };
    let multiplier = cpu::thread_multiplier(name)?;
    let possible = possible();
    // Up to five processors there are four threads, however many of them are online.
    let count = if possible <= FEW { possible } else { cpu::all_online(possible).map_or_else(online, Ok)? };
    Ok(cpu::parallel_threads(count, multiplier))
}

/// The number of processors that could ever be online, which is fixed when the kernel boots.
fn possible() -> i64 {
    const UNKNOWN: i64 = 0;
    static POSSIBLE: AtomicI64 = AtomicI64::new(UNKNOWN);
    let mut possible = POSSIBLE.load(Ordering::Relaxed);
    if possible == UNKNOWN {
        possible = cpu::possible().unwrap_or(i64::MAX);
        POSSIBLE.store(possible, Ordering::Relaxed);
    }
    possible
}

/// Context: the logger, and the globals of the original's module.
pub(super) fn get_max_workers_for_file_mounts<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    const LOW: i64 = 1024;
    let py = call.py();
    let [mounts, cloud] = call.bind(["common_file_mounts", "cloud_str"], 1)?;
    let mounts = required(mounts)?;
    if !mounts.is_exact_instance_of::<PyDict>() {
        return Err(Decline::Type);
    }
    let mounts = mounts.cast::<PyDict>().map_err(|_| Decline::Type)?;
    let threads = parallel_threads(cloud)?;
    let fd_limit = workers::fd_limit()?;
    if fd_limit < LOW && !low_limit_was_reported(call.context(1)) {
        return Err(Decline::Logging);
    }
    if let Some(logger) = call.context(0) {
        debug_is_silent(logger)?;
    }

    // Other threads run while directories are read, so take the sources first.
    let sources: Vec<Bound<'py, PyAny>> = mounts.values().iter().collect();
    let mut fd_need = workers::FD_PER_FILE;
    for source in &sources {
        let source: Bound<'py, PyString> = exact_str(source.as_borrowed())?.to_owned();
        if let Some(entries) = count_entries(py, &encode(&source)?)? {
            fd_need = fd_need.max(workers::fd_need(entries)?);
        }
    }
    integer(py, workers::max_workers(fd_limit, fd_need, threads))
}

/// Whether the original has warned about the low limit already, as it does once.
fn low_limit_was_reported(globals: Option<&Bound<'_, PyAny>>) -> bool {
    globals
        .and_then(|globals| globals.cast::<PyDict>().ok())
        .and_then(|globals| globals.get_item("_fd_limit_warning_shown").ok().flatten())
        .is_some_and(|shown| shown.cast::<PyBool>().is_ok_and(PyBoolMethods::is_true))
}

pub(super) fn is_process_alive<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [pid] = call.bind(["pid"], 1)?;
    let pid = exact_i64(required(pid)?)?;
    // psutil raises for negative numbers, and knows the range of a pid_t.
    let pid = u32::try_from(pid).ok().filter(|pid| i32::try_from(*pid).is_ok()).ok_or(Decline::Value)?;
    let alive = process::is_alive(pid)?;
    Ok(PyBool::new(call.py(), alive).to_owned().into_any())
}
