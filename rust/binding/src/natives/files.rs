//! Natives that read files: `read_last_n_lines`, `hash_file`, `estimate_fd_for_directory`.

use std::ffi::{CStr, CString};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyMemoryView, PySlice, PyString};
use sky_rs_core::file::{RegularFile, end, exists, open_regular, read_exact_at, read_full, read_whole};
use sky_rs_core::{Decline, NativeResult, directory, tail, workers};

use super::decline_for;
use super::paths::path;
use crate::call_args::{Argument, CallArgs, exact_i64, exact_str, required};
use crate::calls;
use crate::text::{decode_utf8, from_ascii};

/// Runs pending signal handlers, as the original does between two reads.
pub(super) fn check_signals(py: Python<'_>) -> NativeResult<()> {
    py.check_signals().map_err(|error| {
        error.restore(py);
        Decline::Interrupted
    })
}

pub(super) fn read_last_n_lines<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    let [file_path, count, chunk_size, encoding, errors] =
        call.bind(["file_path", "n", "chunk_size", "encoding", "errors"], 2)?;
    let file_path = path(required(file_path)?)?;
    let count = u64::try_from(exact_i64(required(count)?)?).map_err(|_| Decline::Value)?;
    // The result doesn't depend on the size of the chunks.
    if chunk_size.map_or(Ok(1), exact_i64)? <= 0 {
        return Err(Decline::Value);
    }
    check_encoding(encoding)?;
    let errors = error_handler(errors)?;
    if count == 0 {
        return if exists(&file_path) { Ok(PyList::empty(py).into_any()) } else { Err(Decline::Os) };
    }

    let RegularFile { fd, size } = py.detach(|| open_regular(&file_path))?;
    let size = if size == 0 { end(&fd)? } else { size };
    // The last line first; a reversed list would hold the same references twice.
    let mut lines: Vec<Bound<'py, PyAny>> = Vec::new();
    let mut scratch = Vec::new();
    tail::last_lines(
        size,
        count,
        |buffer, offset| {
            // A line without an end is read in parts, so that signals don't wait for all of it.
            for (index, part) in buffer.chunks_mut(READ).enumerate() {
                check_signals(py)?;
                py.detach(|| read_exact_at(&fd, part, offset + (index * READ) as u64))?;
            }
            Ok(())
        },
        |line| {
            let newline = !lines.is_empty();
            lines.try_reserve(1).map_err(|_| Decline::Os)?;
            lines.push(decode_line(py, line, newline, errors, &mut scratch)?);
            Ok(())
        },
    )?;
    lines.reverse();
    Ok(PyList::new(py, lines).map_err(|_| Decline::Os)?.into_any())
}

fn check_encoding(encoding: Option<Argument<'_, '_>>) -> NativeResult<()> {
    let Some(encoding) = encoding else { return Ok(()) };
    let encoding = exact_str(encoding)?;
    match encoding.to_str() {
        Ok("utf-8" | "utf8" | "UTF-8") => Ok(()),
        _ => Err(Decline::Decode),
    }
}

/// Error handlers of CPython's own that don't depend on anything else.
fn error_handler(errors: Option<Argument<'_, '_>>) -> NativeResult<&'static CStr> {
    let Some(errors) = errors else { return Ok(c"replace") };
    match exact_str(errors)?.to_str() {
        Ok("replace") => Ok(c"replace"),
        Ok("ignore") => Ok(c"ignore"),
        Ok("strict") => Ok(c"strict"),
        Ok("backslashreplace") => Ok(c"backslashreplace"),
        Ok("surrogateescape") => Ok(c"surrogateescape"),
        _ => Err(Decline::Decode),
    }
}

/// `line.decode('utf-8', errors).rstrip('\r')`, with a newline if asked for.
fn decode_line<'py>(
    py: Python<'py>,
    line: &[u8],
    newline: bool,
    errors: &CStr,
    scratch: &mut Vec<u8>,
) -> NativeResult<Bound<'py, PyAny>> {
    let end = if newline { &b"\n"[..] } else { b"" };
    let returns = line.iter().rev().take_while(|byte| **byte == b'\r').count();
    let stripped = &line[..line.len() - returns];
    if stripped.is_ascii() {
        return from_ascii(py, [stripped, end]);
    }
    if std::str::from_utf8(stripped).is_ok() {
        scratch.clear();
        scratch.try_reserve(stripped.len() + end.len()).map_err(|_| Decline::Os)?;
        scratch.extend_from_slice(stripped);
        scratch.extend_from_slice(end);
        return decode_utf8(py, scratch, errors);
    }
    // The handler may drop bytes after a carriage return, so decode first and strip then.
    let text = decode_utf8(py, line, errors)?;
    let strip = || -> PyResult<Bound<'py, PyAny>> {
        let stripped = text.call_method1(intern!(py, "rstrip"), (intern!(py, "\r"),))?;
        if newline { stripped.add(intern!(py, "\n")) } else { Ok(stripped) }
    };
    strip().map_err(|_| Decline::Decode)
}

/// Files up to this size are read at once and hashed in one call.
const WHOLE: u64 = 64 * 1024;
/// The original's buffer: it fits the second-level cache.
const CHUNK: usize = 256 * 1024;
const PAGE: usize = 4096;
/// So much of a line is read at once.
const READ: usize = 1 << 20;

/// Algorithms for which `hashlib.new` is nothing but a call of OpenSSL's constructor.
const DIRECT: [&str; 6] = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

pub(super) fn hash_file<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    let [file_path, algorithm] = call.bind(["path", "hash_alg"], 2)?;
    let file_path = path(required(file_path)?)?;
    let algorithm = exact_str(required(algorithm)?)?;
    let RegularFile { fd, size } = py.detach(|| open_regular(&file_path))?;
    let constructor = hash_constructor(call, &algorithm)?;
    let new = |data: &Bound<'py, PyBytes>| {
        calls::call(&constructor, [algorithm.as_any(), data.as_any()])
            .map_err(|error| decline_for(py, error, Decline::Value))
    };

    if (1..=WHOLE).contains(&size) {
        let mut read = Err(Decline::Os);
        let size = usize::try_from(size).map_err(|_| Decline::Value)?;
        let content = PyBytes::new_with(py, size, |buffer| {
            // The file is closed on the way, still detached.
            read = py.detach(move || read_whole(&fd, buffer));
            Ok(())
        });
        let content = content.map_err(|_| Decline::Os)?;
        read?;
        check_signals(py)?;
        return new(&content);
    }
    let hash = new(&PyBytes::new(py, b""))?;
    // A file of /proc has no size, but something to read.
    let chunk = PyByteArray::new_with(py, if size == 0 { PAGE } else { CHUNK }, |_| Ok(())).map_err(|_| Decline::Os)?;
    loop {
        check_signals(py)?;
        // SAFETY: nobody else has seen the bytearray, and nothing runs Python code while
        // the slice lives.
        let buffer = unsafe { chunk.as_bytes_mut() };
        let count = py.detach(|| read_full(&fd, buffer))?;
        if count == 0 {
            return Ok(hash);
        }
        update(&hash, &chunk, count).map_err(|error| decline_for(py, error, Decline::Os))?;
    }
}

fn update(hash: &Bound<'_, PyAny>, chunk: &Bound<'_, PyByteArray>, count: usize) -> PyResult<()> {
    let py = hash.py();
    if count == chunk.len() {
        calls::method(hash, intern!(py, "update"), [chunk.as_any()])?;
    } else {
        let part = PyMemoryView::from(chunk)?.get_item(PySlice::new(py, 0, count.cast_signed(), 1))?;
        calls::method(hash, intern!(py, "update"), [&part])?;
    }
    Ok(())
}

/// What makes the hash object: OpenSSL's constructor, or `hashlib.new` for other algorithms.
fn hash_constructor<'py>(
    call: &CallArgs<'_, 'py>,
    algorithm: &Bound<'py, PyString>,
) -> NativeResult<Bound<'py, PyAny>> {
    static CONSTRUCTORS: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
    let py = call.py();
    let direct = algorithm.to_str().is_ok_and(|algorithm| DIRECT.contains(&algorithm));
    if let Some(constructor) = call.context(usize::from(!direct)) {
        return Ok(constructor.clone());
    }
    // Called without a route.
    let constructors = CONSTRUCTORS.get_or_try_init(py, || {
        let import = |module: &str| Ok::<_, PyErr>(py.import(module)?.getattr("new")?.unbind());
        Ok((import("_hashlib")?, import("hashlib")?))
    });
    let (openssl, any) = constructors.map_err(|_: PyErr| Decline::Platform)?;
    Ok(if direct { openssl } else { any }.bind(py).clone())
}

pub(super) fn estimate_fd_for_directory<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    let [directory] = call.bind(["path"], 1)?;
    let directory = path(required(directory)?)?;
    let entries = count_entries(py, &directory)?.ok_or(Decline::Os)?;
    let need = workers::fd_need(entries)?;
    Ok(need.into_pyobject(py).map_err(|_| Decline::Value)?.into_any())
}

/// The entries of a directory, or `None` if it is none.
pub(super) fn count_entries(py: Python<'_>, directory: &CString) -> NativeResult<Option<i64>> {
    py.detach(|| directory::entries(directory))
}
