//! Native `dump_yaml_str`: plain data is flattened into documents, which the core writes.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use pyo3::{Borrowed, ffi};
use sky_rs_core::yaml_dump::{Document, Stream, Text};
use sky_rs_core::{Decline, NativeResult};

use crate::call_args::{Argument, CallArgs, exact_f64, exact_i64, required};
use crate::gil::clear_error;
use crate::text::{Units, ascii, from_ascii, units};

/// So deep may collections be nested: the original takes three Python frames for each level.
const MAX_DEPTH: usize = 64;
/// With fewer frames than this the original may fail earlier.
const RECURSION_LIMIT: i32 = 1000;

/// Context: the lists of implicit resolvers, each followed by a tuple of what it must hold.
pub(super) fn dump_yaml_str<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [config] = call.bind(["config"], 1)?;
    let config = required(config)?;
    if let Some(resolvers) = call.context(0) {
        check_lists(resolvers)?;
    }
    check_recursion_limit()?;
    let mut stream = Stream::new();
    let mut document = Document::new();
    if let Ok(documents) = config.cast_exact::<PyList>() {
        each_item(documents, |item| {
            document.clear();
            add(&mut document, item, 0)?;
            write(&mut stream, &document)
        })?;
    } else {
        add(&mut document, config, 0)?;
        write(&mut stream, &document)?;
    }
    from_ascii(call.py(), [&stream.finish()])
}

fn write(stream: &mut Stream, document: &Document<'_>) -> NativeResult<()> {
    stream.make_room(document.written())?;
    stream.document(document);
    Ok(())
}

pub(super) fn check_recursion_limit() -> NativeResult<()> {
    // SAFETY: the call reads a number of the interpreter.
    if unsafe { ffi::Py_GetRecursionLimit() } < RECURSION_LIMIT { Err(Decline::Platform) } else { Ok(()) }
}

/// Lists have no versions, and `add_implicit_resolver` appends to them in place.
pub(super) fn check_lists(snapshot: &Bound<'_, PyAny>) -> NativeResult<()> {
    let snapshot = snapshot.cast::<PyTuple>().map_err(|_| Decline::Guard)?;
    let count = snapshot.len();
    for at in (0..count - count % 2).step_by(2) {
        // SAFETY: the tuple has that many items; those of even number are lists, and the others
        // tuples, or the casts fail. Nothing runs that could change any of them.
        let same = unsafe {
            let list = Borrowed::from_ptr(snapshot.py(), ffi::PyTuple_GET_ITEM(snapshot.as_ptr(), index(at)));
            let items = Borrowed::from_ptr(snapshot.py(), ffi::PyTuple_GET_ITEM(snapshot.as_ptr(), index(at + 1)));
            let list = list.cast_exact::<PyList>().map_err(|_| Decline::Guard)?;
            let items = items.cast_exact::<PyTuple>().map_err(|_| Decline::Guard)?;
            list.len() == items.len()
                && (0..list.len()).all(|at| {
                    let found = ffi::PyList_GET_ITEM(list.as_ptr(), index(at));
                    found == ffi::PyTuple_GET_ITEM(items.as_ptr(), index(at))
                })
        };
        if !same {
            return Err(Decline::Guard);
        }
    }
    Ok(())
}

fn index(at: usize) -> ffi::Py_ssize_t {
    at.cast_signed()
}

/// Adds an object and all that it holds. No Python code runs meanwhile, so that nothing changes
/// and all of it lives on.
fn add<'a>(document: &mut Document<'a>, object: Argument<'a, '_>, depth: usize) -> NativeResult<()> {
    if let Ok(text) = object.cast_exact::<PyString>() {
        document.text(match units(text) {
            Units::Ascii(units) | Units::Latin1(units) => Text::Ucs1(units),
            Units::Ucs2(units) => Text::Ucs2(units),
            Units::Ucs4(units) => Text::Ucs4(units),
        });
    } else if let Ok(mapping) = object.cast_exact::<PyDict>() {
        if !is_known(document, object, depth)? {
            document.make_room(1 + 2 * mapping.len())?;
            document.mapping(mapping.len(), identity(object, depth));
            each_entry(mapping, |key, value| {
                add(document, key, depth + 1)?;
                add(document, value, depth + 1)
            })?;
        }
    } else if let Ok(list) = object.cast_exact::<PyList>() {
        if !is_known(document, object, depth)? {
            document.make_room(1 + list.len())?;
            document.sequence(list.len(), identity(object, depth));
            each_item(list, |item| add(document, item, depth + 1))?;
        }
    } else if object.is_none() {
        document.null();
    } else if let Ok(truth) = object.cast_exact::<PyBool>() {
        document.boolean(truth.is_true());
    } else if object.is_exact_instance_of::<PyInt>() {
        match exact_i64(object) {
            Ok(value) => document.integer(value),
            Err(_) => add_long_integer(document, object)?,
        }
    } else if object.is_exact_instance_of::<PyFloat>() {
        add_float(document, exact_f64(object)?)?;
    } else if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        add_tuple(document, object, tuple.len(), depth)?;
    } else {
        return Err(Decline::Type);
    }
    Ok(())
}

/// A tuple is written as a list; the empty one is never an alias.
fn add_tuple<'a>(document: &mut Document<'a>, tuple: Argument<'a, '_>, count: usize, depth: usize) -> NativeResult<()> {
    if count == 0 {
        document.sequence(0, None);
        return Ok(());
    }
    if is_known(document, tuple, depth)? {
        return Ok(());
    }
    document.make_room(1 + count)?;
    document.sequence(count, identity(tuple, depth));
    for at in 0..count {
        // SAFETY: it is a tuple of that many items, and keeps them alive.
        let item = unsafe { Borrowed::from_ptr(tuple.py(), ffi::PyTuple_GET_ITEM(tuple.as_ptr(), index(at))) };
        add(document, item, depth + 1)?;
    }
    Ok(())
}

/// Whether a collection is in the document already, where an alias was added.
fn is_known(document: &mut Document<'_>, object: Argument<'_, '_>, depth: usize) -> NativeResult<bool> {
    if document.alias(object.as_ptr() as usize) {
        return Ok(true);
    }
    if depth < MAX_DEPTH { Ok(false) } else { Err(Decline::Value) }
}

/// What tells an object that may be met again. The collection that leads to an object holds a
/// reference to it; if there is no other, nothing else leads there. But the list of documents
/// leads to a document twice if that holds the list.
fn identity(object: Argument<'_, '_>, depth: usize) -> Option<usize> {
    // SAFETY: the object is live.
    let references = unsafe { ffi::Py_REFCNT(object.as_ptr()) };
    (references > 1 || depth == 0).then_some(object.as_ptr() as usize)
}

fn each_item<'a, 'py>(
    list: Borrowed<'a, 'py, PyList>,
    mut visit: impl FnMut(Argument<'a, 'py>) -> NativeResult<()>,
) -> NativeResult<()> {
    for at in 0..list.len() {
        // SAFETY: the list has that many items and keeps them alive: nothing changes it during
        // the visits.
        visit(unsafe { Borrowed::from_ptr(list.py(), ffi::PyList_GET_ITEM(list.as_ptr(), index(at))) })?;
    }
    Ok(())
}

fn each_entry<'a, 'py>(
    mapping: Borrowed<'a, 'py, PyDict>,
    mut visit: impl FnMut(Argument<'a, 'py>, Argument<'a, 'py>) -> NativeResult<()>,
) -> NativeResult<()> {
    let mut position = 0;
    let mut key = std::ptr::null_mut();
    let mut value = std::ptr::null_mut();
    // SAFETY: the dictionary isn't changed during the visits, and keeps keys and values alive.
    while unsafe { ffi::PyDict_Next(mapping.as_ptr(), &raw mut position, &raw mut key, &raw mut value) } != 0 {
        // SAFETY: the call above has set both.
        unsafe { visit(Borrowed::from_ptr(mapping.py(), key), Borrowed::from_ptr(mapping.py(), value))? };
    }
    Ok(())
}

/// An `int` beyond 64 bits, by `str`.
#[cold]
fn add_long_integer(document: &mut Document<'_>, number: Argument<'_, '_>) -> NativeResult<()> {
    let py = number.py();
    // SAFETY: the object is live; the call gives a new reference, or null with an error set
    // (an integer of more digits than Python prints).
    let text = unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyObject_Str(number.as_ptr())) };
    let Some(text) = text else {
        clear_error(py);
        return Err(Decline::Value);
    };
    let text = text.cast::<PyString>().map_err(|_| Decline::Value)?;
    document.digits(ascii(text.as_borrowed()).ok_or(Decline::Value)?);
    Ok(())
}

/// A `float`, by `repr`.
fn add_float(document: &mut Document<'_>, number: f64) -> NativeResult<()> {
    // SAFETY: asks for what `float.__repr__` asks for; the text ends with a zero and is freed
    // as the interpreter has it.
    unsafe {
        let repr =
            ffi::PyOS_double_to_string(number, b'r'.cast_signed(), 0, ffi::Py_DTSF_ADD_DOT_0, std::ptr::null_mut());
        if repr.is_null() {
            clear_error(Python::assume_attached());
            return Err(Decline::Os);
        }
        document.float(std::ffi::CStr::from_ptr(repr).to_bytes());
        ffi::PyMem_Free(repr.cast());
    }
    Ok(())
}
