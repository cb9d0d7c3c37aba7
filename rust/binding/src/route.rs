//! Route: an original, the native function or candidate that may answer for it, and the decision
//! that every call goes through.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit, ffi};
use sky_rs_core::{Decline, NativeResult};

use crate::call_args::CallArgs;
use crate::counters::Counters;
use crate::gil::GilBound;
use crate::guards::Guards;
use crate::natives::{self, Native};
use crate::{calls, errors, faults, panics, switch, tracing};

enum Implementation {
    Native(&'static Native),
    /// A callable, and whether its exceptions are the call's.
    Candidate(GilBound<Cell<Option<Py<PyAny>>>>, bool),
}

/// An original together with the native function, or any other callable, that answers calls
/// in its place while the switch is on and the guards hold.
#[pyclass(frozen, weakref, module = "sky_rs_patch._native")]
pub(crate) struct Route {
    name: String,
    original: GilBound<Cell<Option<Py<PyAny>>>>,
    implementation: Implementation,
    enabled: GilBound<Cell<bool>>,
    /// Is told of every call: see `call_unusual`.
    observer: GilBound<Cell<Option<Py<PyAny>>>>,
    /// Is told of the first call that is declined for a reason that nobody asked for, and then gone.
    first_decline: GilBound<Cell<Option<Py<PyAny>>>>,
    /// Enabled, without an observer, and with nobody who wants to be told of the first decline: the
    /// one thing that an ordinary call asks.
    ordinary: GilBound<Cell<bool>>,
    guards: GilBound<RefCell<Guards>>,
    counters: GilBound<Counters>,
    /// Whether an exception of the candidate was told of: the first one is enough.
    told: GilBound<Cell<bool>>,
    /// Whether what it has counted in memory of its own is kept when it goes.
    leaves_counts: bool,
}

impl Drop for Route {
    fn drop(&mut self) {
        if self.leaves_counts {
            self.counters.get_mut().leave(&self.name);
        }
    }
}

/// Borrows what a cell holds, for as long as the GIL is held.
fn peek<'a, T>(cell: &'a Cell<Option<Py<T>>>) -> *mut ffi::PyObject {
    // SAFETY: the reference ends before anything else can touch the cell.
    let content: &'a Option<Py<T>> = unsafe { &*cell.as_ptr() };
    content.as_ref().map_or(std::ptr::null_mut(), Py::as_ptr)
}

/// Reports an observer's ordinary exceptions as unraisable; propagates the rest.
fn leave_out(observer: &Bound<'_, PyAny>, error: PyErr) -> PyResult<()> {
    let py = observer.py();
    if error.is_instance_of::<PyException>(py) {
        error.write_unraisable(py, Some(observer));
        return Ok(());
    }
    Err(error)
}

/// Tells of a call's end: the path that it took, nanoseconds, result, exception. Gives back
/// the result; the observer can't change it.
///
/// # Safety
/// `result` is a new reference, or null with an error set.
unsafe fn report(
    finish: &Bound<'_, PyAny>,
    path: &str,
    elapsed: Duration,
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let py = finish.py();
    Python::attach(|_| {
        // SAFETY: the caller vouches for the result.
        let outcome = unsafe { Bound::from_owned_ptr_or_err(py, result) };
        let nanoseconds = PyInt::new(py, u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        let (path, none) = (PyString::new(py, path), py.None().into_bound(py));
        let told = match &outcome {
            Ok(value) => calls::call(finish, [path.as_any(), nanoseconds.as_any(), value, &none]),
            Err(error) => calls::call(finish, [path.as_any(), nanoseconds.as_any(), &none, error.value(py)]),
        };
        let told = told.map(drop).or_else(|error| leave_out(finish, error));
        match told.and(outcome) {
            Ok(value) => value.into_ptr(),
            Err(error) => {
                error.restore(py);
                std::ptr::null_mut()
            }
        }
    })
}

impl Route {
    /// Calls the route with the vectorcall protocol; gives a new reference, or null with an
    /// error set.
    ///
    /// # Safety
    /// The arguments are as the protocol has them.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the proxy's vectorcall is nothing but this")]
    pub(crate) unsafe fn call(
        &self,
        py: Python<'_>,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        if !self.ordinary.get(py).get() {
            // SAFETY: the caller vouches for the arguments.
            return unsafe { self.call_unusual(py, args, nargsf, kwnames) };
        }
        // SAFETY: the caller vouches for the arguments.
        let answer = unsafe { self.answer(py, args, nargsf, kwnames) };
        let reason = match answer {
            Ok(result) => {
                self.counters.get(py).count_rust();
                return result;
            }
            Err(reason) => reason,
        };
        // SAFETY: as above.
        unsafe { self.call_original(py, reason, args, nargsf, kwnames) }
    }

    /// A call of a route that is disabled or observed, or that has its first decline to tell of.
    ///
    /// # Safety
    /// As `call`.
    #[cold]
    #[inline(never)]
    unsafe fn call_unusual(
        &self,
        py: Python<'_>,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        if !self.enabled.get(py).get() {
            // SAFETY: the caller vouches for the arguments.
            return unsafe { self.call_original(py, Decline::Disabled, args, nargsf, kwnames) };
        }
        // SAFETY: as above; all of the references live as long as the call.
        let (arguments, names) = unsafe {
            let count = ffi::PyVectorcall_NARGS(nargsf).cast_unsigned();
            let names =
                Bound::from_borrowed_ptr_or_opt(py, kwnames).map(|names| names.cast_into_unchecked::<PyTuple>());
            let total = count + names.as_ref().map_or(0, PyTupleMethods::len);
            let arguments = (0..total).map(|index| Bound::from_borrowed_ptr(py, *args.add(index))).collect::<Vec<_>>();
            (arguments, names)
        };
        let finish = match Python::attach(|_| self.announce(py, &arguments, names.as_ref())) {
            Ok(finish) => finish,
            Err(error) => {
                error.restore(py);
                return std::ptr::null_mut();
            }
        };
        let start = Instant::now();
        // SAFETY: as above.
        let answer = unsafe { self.answer(py, args, nargsf, kwnames) };
        let (path, result) = match answer {
            Ok(result) => {
                self.counters.get(py).count_rust();
                ("rust", result)
            }
            Err(reason) => {
                let result = match self.tell_of_decline(py, reason) {
                    // SAFETY: as above.
                    Ok(()) => unsafe { self.call_original(py, reason, args, nargsf, kwnames) },
                    Err(_) => std::ptr::null_mut(),
                };
                (reason.name(), result)
            }
        };
        let elapsed = start.elapsed();
        match finish {
            // SAFETY: the result is a new reference, or null with an error set.
            Some(finish) => unsafe { report(&finish, path, elapsed, result) },
            None => result,
        }
    }

    /// Tells the observer of a call, and gets what wants to be told of its end.
    ///
    /// # Errors
    /// What isn't an `Exception`, like Ctrl-C. An observer that fails is left out.
    fn announce<'py>(
        &self,
        py: Python<'py>,
        arguments: &[Bound<'py, PyAny>],
        names: Option<&Bound<'py, PyTuple>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        // SAFETY: the pointer is null or a live object that the route holds.
        let Some(observer) = (unsafe { Bound::from_borrowed_ptr_or_opt(py, peek(self.observer.get(py))) }) else {
            return Ok(None);
        };
        let positional = arguments.len() - names.map_or(0, PyTupleMethods::len);
        let keywords = PyDict::new(py);
        for (name, value) in names.into_iter().flatten().zip(&arguments[positional..]) {
            keywords.set_item(name, value)?;
        }
        let positional = PyTuple::new(py, &arguments[..positional])?;
        let name = PyString::new(py, &self.name);
        match calls::call(&observer, [name.as_any(), positional.as_any(), keywords.as_any()]) {
            Ok(finish) if finish.is_none() => Ok(None),
            Ok(finish) => Ok(Some(finish)),
            Err(error) => leave_out(&observer, error).map(|()| None),
        }
    }

    fn set_ordinary(&self, py: Python<'_>) {
        let (observer, listener) = (self.observer.get(py), self.first_decline.get(py));
        let ordinary = self.enabled.get(py).get() && peek(observer).is_null() && peek(listener).is_null();
        self.ordinary.get(py).set(ordinary);
    }

    /// A new reference from the native side, or why there is none.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    unsafe fn answer(
        &self,
        py: Python<'_>,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> Result<*mut ffi::PyObject, Decline> {
        if !switch::is_on(py) {
            return Err(Decline::Switch);
        }
        let guards = self.guards.get(py);
        // They are only borrowed mutably while they are resolved or checked.
        let mut inside = guards.try_borrow().map_err(|_| Decline::Guard)?;
        if !inside.are_fresh(py) {
            drop(inside);
            panics::caught(py, || self.look_closer(py))?;
            inside = guards.try_borrow().map_err(|_| Decline::Guard)?;
        }
        match &self.implementation {
            Implementation::Native(native) => {
                // Nothing stays borrowed during the call: it may let other threads run, which
                // may want to resolve the guards, or to fork.
                let context = inside.context();
                drop(inside);
                // SAFETY: the caller vouches for the arguments.
                let call = unsafe { CallArgs::new(py, args, nargsf, kwnames, context.as_deref().unwrap_or(&[])) };
                native.call(&call)
            }
            Implementation::Candidate(candidate, raises) => {
                drop(inside);
                panics::caught(py, || {
                    // SAFETY: the caller vouches for the arguments.
                    unsafe { self.ask_candidate(py, peek(candidate.get(py)), *raises, args, nargsf, kwnames) }
                })
            }
        }
    }

    /// Resolves or checks the guards, for a call.
    ///
    /// # Errors
    /// `Guard` if they don't hold, `Debugger` if one is there, `Interrupted` with the exception set
    /// if a signal handler raised.
    #[cold]
    fn look_closer(&self, py: Python<'_>) -> NativeResult<()> {
        let guards = self.guards.get(py);
        // Where a program sets a name anew before each call, this is each call.
        let hold = guards.try_borrow_mut().map_err(|_| Decline::Guard)?.still_hold(py);
        let debugged = tracing::has_debugger(py);
        if hold && !debugged {
            return Ok(());
        }
        self.resolve_guards(py)?;
        let Ok(mut inside) = guards.try_borrow_mut() else { return Err(Decline::Guard) };
        if !inside.check(py) {
            return Err(Decline::Guard);
        }
        if debugged {
            inside.doubt();
            return Err(Decline::Debugger);
        }
        Ok(())
    }

    /// Resolves the guards if that is to be done now.
    ///
    /// # Errors
    /// As `look_closer`.
    fn resolve_guards(&self, py: Python<'_>) -> NativeResult<()> {
        let guards = self.guards.get(py);
        // Another thread, or an outer call, resolves or checks them.
        let Ok(mut inside) = guards.try_borrow_mut() else { return Err(Decline::Guard) };
        if let Some(resolver) = inside.begin_resolve(py) {
            drop(inside);
            Python::attach(|_| {
                // The resolver runs Python code, which may call this very route. Whoever traces the
                // program wants to see the program.
                let suspended = tracing::Suspended::new(py);
                let answer = calls::call(resolver.bind(py), []);
                drop(suspended);
                faults::pass("guards", c"derived");
                let Ok(mut inside) = guards.try_borrow_mut() else { return Err(Decline::Guard) };
                inside.finish_resolve(py, answer).map_err(|error| {
                    drop(inside);
                    if errors::is_failure(py, &error) {
                        error.write_unraisable(py, None);
                        return Decline::Guard;
                    }
                    error.restore(py);
                    Decline::Interrupted
                })
            })?;
        }
        Ok(())
    }

    #[inline(never)]
    unsafe fn ask_candidate(
        &self,
        py: Python<'_>,
        candidate: *mut ffi::PyObject,
        raises: bool,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> Result<*mut ffi::PyObject, Decline> {
        if candidate.is_null() {
            return Err(Decline::Disabled);
        }
        // SAFETY: the caller vouches for the arguments.
        let result = unsafe { calls::vectorcall(py, candidate, args, nargsf, kwnames) };
        if result.is_null() {
            return if raises { Ok(result) } else { Err(self.judge_error(py, candidate)) };
        }
        // SAFETY: `NotImplemented` lives forever, and the result is ours to drop.
        unsafe {
            if result == ffi::Py_NotImplemented() {
                ffi::Py_DECREF(result);
                return Err(Decline::Candidate);
            }
        }
        Ok(result)
    }

    /// What an exception of a candidate means: a decline, or the user's Ctrl-C.
    #[cold]
    fn judge_error(&self, py: Python<'_>, candidate: *mut ffi::PyObject) -> Decline {
        Python::attach(|_| {
            let Some(error) = PyErr::take(py) else { return Decline::CandidateRaised };
            if !errors::is_failure(py, &error) {
                error.restore(py);
                return Decline::Interrupted;
            }
            if !self.told.get(py).replace(true) {
                // SAFETY: the route holds its candidate, which has just been called.
                let candidate = unsafe { Bound::from_borrowed_ptr(py, candidate) };
                if let Err(interruption) = self.tell(&candidate, &error) {
                    interruption.restore(py);
                    return Decline::Interrupted;
                }
            }
            // PyO3's PanicException is no Exception, so that nobody catches it by accident.
            if error.is_instance_of::<PyException>(py) { Decline::CandidateRaised } else { Decline::Panic }
        })
    }

    /// Has an exception of the candidate remembered: see `sky_rs_patch._binding.candidates`.
    ///
    /// # Errors
    /// What isn't a failure, like Ctrl-C.
    fn tell(&self, candidate: &Bound<'_, PyAny>, error: &PyErr) -> PyResult<()> {
        let py = candidate.py();
        let name = PyString::new(py, &self.name);
        let told = py
            .import(intern!(py, "sky_rs_patch._binding.candidates"))
            .and_then(|candidates| candidates.getattr(intern!(py, "raised")))
            .and_then(|raised| calls::call(&raised, [name.as_any(), candidate, error.value(py).as_any()]));
        match told {
            Err(failure) if errors::is_failure(py, &failure) => {
                failure.write_unraisable(py, Some(candidate));
                Ok(())
            }
            told => told.map(drop),
        }
    }

    #[cold]
    #[inline(never)]
    unsafe fn call_original(
        &self,
        py: Python<'_>,
        reason: Decline,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        self.counters.get(py).count_python(reason);
        if reason == Decline::Interrupted {
            return std::ptr::null_mut();
        }
        debug_assert!(!PyErr::occurred(py), "a decline leaves no error behind");
        let original = peek(self.original.get(py));
        if original.is_null() {
            return std::ptr::null_mut();
        }
        if reason == Decline::Changed
            // SAFETY: the caller vouches for the arguments.
            && let Some(stream) = unsafe { Self::resumed(py, args, nargsf, kwnames) }
        {
            // SAFETY: the stream lives as long as the call; the route holds the original.
            return unsafe { calls::vectorcall(py, original, [stream.as_ptr()].as_ptr(), 1, std::ptr::null_mut()) };
        }
        // SAFETY: the caller vouches for the arguments, which are untouched; the route holds
        // the original.
        unsafe { calls::vectorcall(py, original, args, nargsf, kwnames) }
    }

    /// What the original is to read on from in the place of a call's only argument.
    #[inline(never)]
    unsafe fn resumed(
        py: Python<'_>,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> Option<Bound<'_, PyAny>> {
        // SAFETY: the caller vouches for the arguments.
        let call = unsafe { CallArgs::new(py, args, nargsf, kwnames, &[]) };
        call.only().and_then(natives::resumed)
    }

    /// Calls `first_decline`, for the first and last time, unless the decline was asked for.
    ///
    /// # Errors
    /// `Interrupted` with the exception set if it raised what isn't an `Exception`, like Ctrl-C.
    fn tell_of_decline(&self, py: Python<'_>, reason: Decline) -> NativeResult<()> {
        if matches!(reason, Decline::Switch | Decline::Disabled | Decline::Debugger | Decline::Interrupted) {
            return Ok(());
        }
        Python::attach(|_| {
            let Some(listener) = self.first_decline.get(py).take() else { return Ok(()) };
            self.set_ordinary(py);
            let listener = listener.into_bound(py);
            let problem = self.guards.get(py).try_borrow().ok().and_then(|guards| guards.problem(py));
            let (name, reason) = (PyString::new(py, &self.name), PyString::new(py, reason.name()));
            let _suspended = tracing::Suspended::new(py);
            let problem = problem.map_or_else(|| py.None().into_bound(py), |text| PyString::new(py, &text).into_any());
            let told = calls::call(&listener, [name.as_any(), reason.as_any(), &problem]);
            told.map(drop).or_else(|error| leave_out(&listener, error)).map_err(|error| {
                error.restore(py);
                Decline::Interrupted
            })
        })
    }

    /// A route of a native function, whose counts outlive it: see `counters::take_left_counts`.
    ///
    /// # Errors
    /// `ValueError` if there is no native function of that name.
    pub(crate) fn of_native(
        name: &str,
        original: &Bound<'_, PyAny>,
        native: &str,
        resolver: Py<PyAny>,
    ) -> PyResult<Self> {
        let native = PyString::new(original.py(), native).into_any();
        let mut route = Self::new(name.to_owned(), original.clone(), &native, Some(resolver), false)?;
        route.leaves_counts = true;
        Ok(route)
    }

    /// The original, for the proxy.
    pub(crate) fn original_ptr(&self, py: Python<'_>) -> *mut ffi::PyObject {
        peek(self.original.get(py))
    }
}

#[pymethods]
impl Route {
    /// `implementation` is the name of a native function, or a callable; `raises` says that an
    /// exception of the callable is the call's, not a decline.
    #[new]
    #[pyo3(signature = (name, original, implementation, resolver=None, raises=false))]
    fn new(
        name: String,
        original: Bound<'_, PyAny>,
        implementation: &Bound<'_, PyAny>,
        resolver: Option<Py<PyAny>>,
        raises: bool,
    ) -> PyResult<Self> {
        let implementation = if let Ok(native) = implementation.cast::<PyString>() {
            let native = native.to_str()?;
            let native = natives::find(native)
                .ok_or_else(|| PyValueError::new_err(format!("no native function is called {native:?}")))?;
            Implementation::Native(native)
        } else {
            Implementation::Candidate(GilBound::new(Cell::new(Some(implementation.clone().unbind()))), raises)
        };
        Ok(Self {
            name,
            original: GilBound::new(Cell::new(Some(original.unbind()))),
            implementation,
            enabled: GilBound::new(Cell::new(true)),
            observer: GilBound::new(Cell::new(None)),
            first_decline: GilBound::new(Cell::new(None)),
            ordinary: GilBound::new(Cell::new(true)),
            guards: GilBound::new(RefCell::new(Guards::new(resolver))),
            counters: GilBound::new(Counters::new()),
            told: GilBound::new(Cell::new(false)),
            leaves_counts: false,
        })
    }

    /// The route's name: the dotted name of its target.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn original(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        // SAFETY: the pointer is null or a live object that the route holds.
        unsafe { Bound::from_borrowed_ptr_or_opt(py, self.original_ptr(py)) }.map(Bound::unbind)
    }

    #[getter]
    fn enabled(&self, py: Python<'_>) -> bool {
        self.enabled.get(py).get()
    }

    #[setter]
    fn set_enabled(&self, py: Python<'_>, enabled: bool) {
        self.enabled.get(py).set(enabled);
        self.set_ordinary(py);
    }

    /// Called as `observer(name, args, kwargs)` before each call, or None. What it returns, if
    /// not None, is called after it as `finish(path, nanoseconds, result, exception)`; `path` is
    /// "rust", or the reason for which the original ran.
    #[getter]
    fn observer(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        // SAFETY: the pointer is null or a live object that the route holds.
        unsafe { Bound::from_borrowed_ptr_or_opt(py, peek(self.observer.get(py))) }.map(Bound::unbind)
    }

    #[setter]
    fn set_observer(&self, py: Python<'_>, observer: Option<Py<PyAny>>) {
        let previous = self.observer.get(py).replace(observer);
        self.set_ordinary(py);
        // Last, for it may run code.
        drop(previous);
    }

    /// Lets a listener, or nobody, be called once as `listener(name, reason, problem)` when a call
    /// is first handed to the original for a reason that nobody asked for; `problem` is that of
    /// the guards, or None.
    #[pyo3(signature = (listener))]
    fn on_first_decline(&self, py: Python<'_>, listener: Option<Py<PyAny>>) {
        let previous = self.first_decline.get(py).replace(listener);
        self.set_ordinary(py);
        // Last, for it may run code.
        drop(previous);
    }

    /// Calls by backend, declines by reason, and guards that failed, by name.
    fn counts(&self, py: Python<'_>) -> PyResult<(u64, u64, Py<PyDict>, Py<PyDict>)> {
        let counters = self.counters.get(py);
        let declines = PyDict::new(py);
        for (reason, count) in counters.declines() {
            declines.set_item(reason.name(), count)?;
        }
        let failures = PyDict::new(py);
        for (label, count) in self.guards.get(py).borrow().failures() {
            failures.set_item(label, count)?;
        }
        Ok((counters.rust(), counters.python(), declines.unbind(), failures.unbind()))
    }

    fn reset_counts(&self, py: Python<'_>) {
        self.counters.get(py).reset();
    }

    /// Counts in a writable buffer of 64-bit numbers from now on, on top of what is there, or in
    /// memory of the route's own if `buffer` is None.
    fn share_counts(&self, py: Python<'_>, buffer: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let counters = self.counters.get(py);
        if let Some(buffer) = buffer {
            return counters.share(buffer);
        }
        counters.unshare();
        Ok(())
    }

    /// Labels of all guards, which are derived first if need be.
    fn guard_labels(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.examine(py)?;
        Ok(self.guards.get(py).borrow().labels(py))
    }

    /// Derives the guards if need be and checks them, as the next call would; counts nothing.
    fn examine(&self, py: Python<'_>) -> PyResult<()> {
        if self.guards.get(py).try_borrow().is_ok_and(|guards| guards.are_fresh(py)) {
            return Ok(());
        }
        let looked = panics::caught(py, || {
            self.resolve_guards(py)?;
            if let Ok(mut guards) = self.guards.get(py).try_borrow_mut() {
                guards.culprit(py);
            }
            Ok(())
        });
        if looked == Err(Decline::Interrupted) { Err(PyErr::fetch(py)) } else { Ok(()) }
    }

    /// Why calls go to the original, if so: what could not be vouched for when the guards were
    /// derived, or what was replaced since, as the last call or `examine` found it.
    fn guard_problem(&self, py: Python<'_>) -> Option<String> {
        self.guards.get(py).borrow().problem(py)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let mut arguments: Vec<_> = args.iter().collect();
        let positional = arguments.len();
        let names = match kwargs {
            Some(kwargs) if !kwargs.is_empty() => {
                arguments.extend(kwargs.values());
                Some(PyTuple::new(py, kwargs.keys())?)
            }
            _ => None,
        };
        let names = names.as_ref().map_or(std::ptr::null_mut(), Bound::as_ptr);
        // SAFETY: `Bound` is a transparent pointer; all references live until the call ends.
        unsafe { Bound::from_owned_ptr_or_err(py, self.call(py, arguments.as_ptr().cast(), positional, names)) }
    }

    fn __repr__(&self) -> String {
        format!("<sky_rs_patch route {}>", self.name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector runs with the GIL held; nothing is touched but pointers.
        let py = unsafe { Python::assume_attached() };
        let visit_cell = |cell: &Cell<Option<Py<PyAny>>>| {
            // SAFETY: nothing writes to the cell while the collector looks.
            visit.call(unsafe { &*cell.as_ptr() })
        };
        visit_cell(self.original.get(py))?;
        visit_cell(self.observer.get(py))?;
        visit_cell(self.first_decline.get(py))?;
        if let Implementation::Candidate(candidate, _) = &self.implementation {
            visit_cell(candidate.get(py))?;
        }
        match self.guards.get(py).try_borrow() {
            Ok(guards) => guards.visit(&visit),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        self.original.get(py).take();
        self.observer.get(py).take();
        self.first_decline.get(py).take();
        self.set_ordinary(py);
        if let Implementation::Candidate(candidate, _) = &self.implementation {
            candidate.get(py).take();
        }
        if let Ok(mut guards) = self.guards.get(py).try_borrow_mut() {
            guards.clear();
        }
    }
}
