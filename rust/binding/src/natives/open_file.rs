//! Open text files as arguments: looked at without a trace, and read once the answer is certain.
//!
//! What is left of the file is first read past its object, by `pread(2)`, so that nothing has moved if
//! the call is declined. With an answer at hand, the file's own `read` is called just as the original
//! would call it, so that the file is left as the original leaves it. Should that give another text,
//! or raise, the original goes on from there: it is handed a stream that first repeats what was read.
//!
//! Text that the file has decoded already, since some of it was read before, shows in the first read
//! alone: `tell` would know, but makes the file forget its `newlines`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::{BorrowedFd, RawFd};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyString, PyType};
use sky_rs_core::yaml_scan::reading::{BUFFER, reads};
use sky_rs_core::{Decline, NativeResult, file};

use super::decline_for;
use crate::call_args::{Argument, exact_i64, exact_str};
use crate::calls;
use crate::gil::GilBound;

/// Longer files go to the original, which Ctrl-C can stop.
const MAX_BYTES: usize = 4 << 20;

/// A `TextIOWrapper` as `open(path)` gives it, what seems to be left of its text, and what was read.
pub(super) struct OpenFile<'py> {
    file: Bound<'py, PyAny>,
    rest: Vec<u8>,
    readings: Vec<PyResult<Bound<'py, PyAny>>>,
}

impl<'py> OpenFile<'py> {
    /// Looks at a file that is open for reading UTF-8, with nothing of it replaced.
    ///
    /// # Errors
    /// `Type` for everything else, `Decode` for other encodings, and what `rest_of` says of the file.
    pub(super) fn look(argument: Argument<'_, 'py>) -> NativeResult<Self> {
        let py = argument.py();
        let kinds = kinds(py).ok_or(Decline::Type)?;
        let file = layer(argument, &kinds[0], Some(intern!(py, "mode")))?;
        let get = |object: &Bound<'py, PyAny>, name| {
            calls::attribute(object, name).map_err(|error| decline_for(py, error, Decline::Type))
        };
        let buffer = layer(get(&file, intern!(py, "buffer"))?.as_borrowed(), &kinds[1], None)?;
        let raw = layer(get(&buffer, intern!(py, "raw"))?.as_borrowed(), &kinds[2], Some(intern!(py, "name")))?;
        if !is_utf8(&get(&file, intern!(py, "encoding"))?) {
            return Err(Decline::Decode);
        }
        let ask = |object, name| {
            let answer = calls::method(object, name, []).map_err(|error| decline_for(py, error, Decline::Os))?;
            exact_i64(answer.as_borrowed())
        };
        let fd = RawFd::try_from(ask(&raw, intern!(py, "fileno"))?).ok().filter(|fd| *fd >= 0).ok_or(Decline::Os)?;
        let position = u64::try_from(ask(&buffer, intern!(py, "tell"))?).map_err(|_| Decline::Value)?;
        let rest = py.detach(move || {
            // SAFETY: if another thread closes the file meanwhile, the call fails, or reads another
            // one; what was read is compared with what the file itself gives.
            file::rest_of(unsafe { BorrowedFd::borrow_raw(fd) }, position, MAX_BYTES)
        })?;
        Ok(Self { file, rest, readings: Vec::with_capacity(2) })
    }

    /// Reads the file to its end as libyaml does, if `parse` makes something of its text.
    ///
    /// # Errors
    /// Those of `parse`, and `Decode` if the text isn't UTF-8: nothing was read. `Changed` if it was: then
    /// there is a stream for the original, see `resumed`.
    pub(super) fn load<T>(mut self, parse: impl Fn(&str) -> NativeResult<T>) -> NativeResult<T> {
        let rest = std::mem::take(&mut self.rest);
        let text = std::str::from_utf8(&rest).map_err(|_| Decline::Decode)?;
        let made = parse(text)?;
        if self.read(text) {
            return Ok(made);
        }
        // All of the text, if it is less than was asked for.
        let whole = self.readings.first().and_then(|first| first.as_ref().ok()?.cast::<PyString>().ok()).cloned();
        if self.readings.len() == 1
            && let Some(text) = whole.as_ref().and_then(|whole| whole.to_str().ok()).filter(|text| text.len() < BUFFER)
            && let Ok(made) = parse(text)
            && self.read(text)
        {
            return Ok(made);
        }
        self.hand_over();
        Err(Decline::Changed)
    }

    /// Reads on from what was read; whether all of it is `text`.
    fn read(&mut self, text: &str) -> bool {
        let py = self.file.py();
        let mut number = 0;
        let compared = reads(text, |size, expected| {
            if number == self.readings.len() {
                let size = PyInt::new(py, size);
                self.readings.push(calls::method(&self.file, intern!(py, "read"), [size.as_any()]));
            }
            let found = self.readings[number].as_ref().ok();
            number += 1;
            let found = found.and_then(|found| found.cast_exact::<PyString>().ok()?.to_str().ok());
            if found == Some(expected) { Ok(()) } else { Err(()) }
        });
        compared.is_ok()
    }

    #[cold]
    fn hand_over(self) {
        let py = self.file.py();
        let readings = self.readings.into_iter().map(|reading| reading.map(Bound::unbind)).collect();
        let resumed = Resumed { file: self.file.unbind(), readings: GilBound::new(RefCell::new(readings)) };
        RESUMED.set(Py::new(py, resumed).ok());
    }
}

/// One of the objects that `open` makes, which has no attributes of its own but `own`.
fn layer<'py>(
    object: Argument<'_, 'py>,
    kind: &Py<PyAny>,
    own: Option<&Bound<'py, PyString>>,
) -> NativeResult<Bound<'py, PyAny>> {
    let py = object.py();
    if !object.get_type().is(kind) {
        return Err(Decline::Type);
    }
    let attributes = calls::attribute(&object, intern!(py, "__dict__")).map_err(|_| Decline::Type)?;
    let attributes = attributes.cast_exact::<PyDict>().map_err(|_| Decline::Type)?;
    let known = own.is_some_and(|own| attributes.contains(own).unwrap_or(false));
    if attributes.len() == usize::from(known) { Ok(object.to_owned()) } else { Err(Decline::Type) }
}

/// `TextIOWrapper`, `BufferedReader` and `FileIO`, whatever stands for them in `io`.
fn kinds(py: Python<'_>) -> Option<&'static [Py<PyAny>; 3]> {
    static KINDS: PyOnceLock<[Py<PyAny>; 3]> = PyOnceLock::new();
    let kind = |name| -> PyResult<Py<PyAny>> {
        let kind = py.import("_io")?.getattr(name)?.cast_into::<PyType>()?;
        // SAFETY: it is a live type.
        let flags = unsafe { ffi::PyType_GetFlags(kind.as_type_ptr()) };
        // Classes of Python code can be changed.
        #[cfg(Py_3_10)]
        let fixed = flags & ffi::Py_TPFLAGS_HEAPTYPE == 0 || flags & ffi::Py_TPFLAGS_IMMUTABLETYPE != 0;
        #[cfg(not(Py_3_10))]
        let fixed = flags & ffi::Py_TPFLAGS_HEAPTYPE == 0;
        if fixed { Ok(kind.into_any().unbind()) } else { Err(PyTypeError::new_err("another class")) }
    };
    KINDS
        .get_or_try_init(py, || Ok::<_, PyErr>([kind("TextIOWrapper")?, kind("BufferedReader")?, kind("FileIO")?]))
        .ok()
}

/// Whether an encoding is UTF-8, in one of the usual spellings.
fn is_utf8(encoding: &Bound<'_, PyAny>) -> bool {
    exact_str(encoding.as_borrowed())
        .is_ok_and(|encoding| matches!(encoding.to_str(), Ok("utf-8" | "UTF-8" | "utf8" | "UTF8")))
}

thread_local! {
    /// For the decline that is on its way.
    static RESUMED: Cell<Option<Py<Resumed>>> = const { Cell::new(None) };
}

/// The stream that the original is to read on from in the place of its argument, after a native
/// function has read some of that and found it changed.
pub(crate) fn resumed<'py>(argument: Argument<'_, 'py>) -> Option<Bound<'py, PyAny>> {
    let resumed = RESUMED.take()?.into_bound(argument.py());
    resumed.get().file.is(argument).then(|| resumed.into_any())
}

/// A file of which something was read already; the same reads give it once more, exception included.
#[pyclass(frozen, module = "sky_rs_patch._native")]
struct Resumed {
    file: Py<PyAny>,
    readings: GilBound<RefCell<VecDeque<PyResult<Py<PyAny>>>>>,
}

#[pymethods]
impl Resumed {
    fn read<'py>(&self, size: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = size.py();
        let again = self.readings.get(py).borrow_mut().pop_front();
        match again {
            Some(reading) => reading.map(|text| text.into_bound(py)),
            None => calls::method(self.file.bind(py), intern!(py, "read"), [size]),
        }
    }

    fn __getattr__<'py>(&self, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        calls::attribute(self.file.bind(name.py()), name)
    }
}
