//! Digests of functions' code, which say whether it is known; see `code_digest` in
//! `sky_rs_patch/_fingerprints/compute.py`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyCode, PyComplex, PyDict, PyEllipsis, PyFloat, PyFrozenSet, PyFunction, PyInt, PyNone, PyString,
    PyTuple,
};

use super::known::{CODE, Code};
use crate::pins::parts;

/// The table of this interpreter's code, and what it takes to look into it.
pub(super) struct Known<'py> {
    table: &'static [Code],
    sha256: Bound<'py, PyAny>,
    cache_wrapper: Bound<'py, PyAny>,
}

impl<'py> Known<'py> {
    pub(super) fn new(py: Python<'py>) -> PyResult<Self> {
        let version = py.version_info();
        let table = CODE.iter().find(|(minor, _)| version.major == 3 && *minor == version.minor);
        let functools = py.import(intern!(py, "functools"))?;
        Ok(Self {
            table: table.map_or(&[], |(_, codes)| codes),
            sha256: py.import(intern!(py, "hashlib"))?.getattr(intern!(py, "sha256"))?,
            cache_wrapper: functools.getattr(intern!(py, "_lru_cache_wrapper"))?,
        })
    }

    /// Whether `functools.lru_cache` made it.
    pub(super) fn is_cached(&self, value: &Bound<'py, PyAny>) -> bool {
        value.get_type().is(&self.cache_wrapper)
    }

    /// The variant of a function, and the function with what it is made of; `None` if it isn't known.
    pub(super) fn variant(
        &self,
        function: &Bound<'py, PyFunction>,
        name: &str,
        decorated: bool,
    ) -> PyResult<Option<(u8, Bound<'py, PyTuple>)>> {
        let py = function.py();
        if !self.table.iter().any(|code| code.function == name) {
            return Ok(None);
        }
        let [code, defaults, keyword_defaults] =
            parts(function).map(|part| part.unwrap_or_else(|| py.None().into_bound(py)));
        let Some(text) = text_of(&code, &defaults, &keyword_defaults)? else { return Ok(None) };
        let digest = self.sha256.call1((PyBytes::new(py, text.as_bytes()),))?.call_method0(intern!(py, "digest"))?;
        let digest = digest.extract::<Vec<u8>>()?;
        let Some(start) = digest.first_chunk::<8>() else { return Ok(None) };
        let digest = u64::from_be_bytes(*start);
        let is_it = |code: &&Code| code.digest == digest && code.decorated == decorated && code.function == name;
        let Some(known) = self.table.iter().find(is_it) else { return Ok(None) };
        let keyword_defaults = match keyword_defaults.cast::<PyDict>() {
            // It may change as well.
            Ok(items) => items.copy()?,
            Err(_) => PyDict::new(py),
        };
        let parts = PyTuple::new(py, [&code, &defaults, keyword_defaults.as_any()])?;
        Ok(Some((known.variant, PyTuple::new(py, [function.as_any(), parts.as_any()])?)))
    }
}

/// The text of which a digest is made, or None if some of it is no plain data.
#[pyfunction]
#[pyo3(signature = (code, defaults, keyword_defaults))]
pub(super) fn code_text(
    code: &Bound<'_, PyCode>,
    defaults: &Bound<'_, PyAny>,
    keyword_defaults: &Bound<'_, PyAny>,
) -> PyResult<Option<String>> {
    text_of(code, defaults, keyword_defaults)
}

fn text_of(
    code: &Bound<'_, PyAny>,
    defaults: &Bound<'_, PyAny>,
    keyword_defaults: &Bound<'_, PyAny>,
) -> PyResult<Option<String>> {
    let mut text = Text(String::with_capacity(8192));
    text.0.push('(');
    let mut plain = text.described(code)?;
    // As `_described` has them: of a dictionary, a list of its items.
    for (part, empty) in [(defaults, "()"), (keyword_defaults, "[]")] {
        text.0.push_str(", ");
        if part.is_truthy()? {
            plain = plain && text.described(part)?;
        } else {
            text.0.push_str(empty);
        }
    }
    text.0.push(')');
    Ok(plain.then_some(text.0))
}

/// What Python's `repr` gives of a description, as it grows.
struct Text(String);

impl Text {
    /// Adds a value as `_described` describes it; `false` if it is no plain data.
    fn described(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Ok(code) = value.cast_exact::<PyCode>() {
            return self.code(code);
        }
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.string(text)?;
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            self.bytes(bytes.as_bytes());
        } else if let Ok(items) = value.cast_exact::<PyTuple>() {
            return self.sequence(items.iter(), "(", if items.len() == 1 { ",)" } else { ")" });
        } else if let Ok(items) = value.cast_exact::<PyDict>() {
            let keys = items.keys();
            keys.sort()?;
            self.0.push('[');
            for (index, key) in keys.iter().enumerate() {
                self.0.push_str(if index > 0 { ", (" } else { "(" });
                let Some(value) = items.get_item(&key)? else { return Ok(false) };
                if !self.described(&key)? {
                    return Ok(false);
                }
                self.0.push_str(", ");
                if !self.described(&value)? {
                    return Ok(false);
                }
                self.0.push(')');
            }
            self.0.push(']');
        } else if let Ok(items) = value.cast_exact::<PyFrozenSet>() {
            // Its order isn't the same in each process.
            let mut texts =
                items.iter().map(|item| Ok(item.repr()?.to_str()?.to_owned())).collect::<PyResult<Vec<_>>>()?;
            texts.sort_unstable();
            let texts = texts.iter().map(|text| PyString::new(value.py(), text).into_any());
            return self.sequence(texts, "[", "]");
        } else if is_plain(value) {
            self.0.push_str(value.repr()?.to_str()?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn code(&mut self, code: &Bound<'_, PyCode>) -> PyResult<bool> {
        let py = code.py();
        self.0.push('(');
        for name in [
            intern!(py, "co_name"),
            intern!(py, "co_code"),
            intern!(py, "co_names"),
            intern!(py, "co_varnames"),
            intern!(py, "co_freevars"),
            intern!(py, "co_cellvars"),
            intern!(py, "co_flags"),
            intern!(py, "co_argcount"),
            intern!(py, "co_posonlyargcount"),
            intern!(py, "co_kwonlyargcount"),
        ] {
            if !self.described(&code.getattr(name)?)? {
                return Ok(false);
            }
            self.0.push_str(", ");
        }
        // From CPython 3.11 on.
        match code.getattr_opt(intern!(py, "co_exceptiontable"))? {
            Some(table) if self.described(&table)? => {}
            Some(_) => return Ok(false),
            None => self.0.push_str("b''"),
        }
        self.0.push_str(", ");
        let constants = code.getattr(intern!(py, "co_consts"))?;
        let plain = self.sequence(constants.cast::<PyTuple>()?.iter(), "[", "]")?;
        self.0.push(')');
        Ok(plain)
    }

    fn sequence<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        start: &str,
        end: &str,
    ) -> PyResult<bool> {
        self.0.push_str(start);
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.0.push_str(", ");
            }
            if !self.described(&item)? {
                return Ok(false);
            }
        }
        self.0.push_str(end);
        Ok(true)
    }

    fn string(&mut self, text: &Bound<'_, PyString>) -> PyResult<()> {
        // Most are names, of which nothing is escaped.
        let simple = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\'' && byte != b'\\';
        match text.to_str() {
            Ok(text) if text.bytes().all(simple) => {
                self.0.push('\'');
                self.0.push_str(text);
                self.0.push('\'');
            }
            _ => self.0.push_str(text.repr()?.to_str()?),
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
        self.0.push('b');
        self.0.push(quote);
        for &byte in bytes {
            match byte {
                b'\t' => self.0.push_str("\\t"),
                b'\n' => self.0.push_str("\\n"),
                b'\r' => self.0.push_str("\\r"),
                b'\\' => self.0.push_str("\\\\"),
                b' '..=b'~' if char::from(byte) != quote => self.0.push(char::from(byte)),
                b' '..=b'~' => self.0.extend(['\\', quote]),
                _ => self.0.extend(["\\x", DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
            }
        }
        self.0.push(quote);
    }
}

const DIGITS: [&str; 16] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];

/// Whether it is of one of the types in `_PLAIN`, and of no subclass.
fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyNone>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyComplex>()
        || value.is_exact_instance_of::<PyEllipsis>()
}
