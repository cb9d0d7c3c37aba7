//! Merge keys of YAML, as `PyYAML`'s `SafeConstructor.flatten_mapping` has them, release by release.

use std::collections::{HashMap, HashSet};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use sky_rs_core::{Decline, NativeResult};

use super::yaml_objects::check;
use crate::call_args::exact_i64;

/// What a release of `PyYAML` makes of several mappings that are merged into one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flattening {
    /// Up to 6.0.3: those of a list in reverse, so that the first that has a key prevails.
    Reversed,
    /// From 6.0.4 on: in order, but no key whose node's text is the same *object* as that of one before.
    /// One object are the texts of a node that is merged twice, and those of one character.
    Ordered,
}

/// So many pairs may be merged: the original takes a time that grows with them.
const MAX_PAIRS: usize = 100_000;
/// So deep may merged mappings merge others: the original recurses.
const MAX_HEIGHT: usize = 32;

#[derive(Clone)]
struct Pair<'py> {
    text: Text,
    key: Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
}

/// Tells the text of a key's node from those of others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Text {
    /// The address of a text, which is the key itself. If it is empty, or a character of Latin-1, it is one
    /// object with all such texts, here as in the original.
    Address(usize),
    /// That of another scalar, which is longer than a character: no other node has it.
    Number(usize),
    /// That of another scalar, which may be a digit, or `~`.
    Unknown,
}

/// A mapping that has ended, with all that it has merged.
struct Source<'py> {
    /// Keeps the address from being used again.
    _dict: Bound<'py, PyDict>,
    pairs: Vec<Pair<'py>>,
    height: usize,
}

/// Mappings that others may merge, by their dictionary's address.
#[derive(Default)]
pub(super) struct Sources<'py> {
    by_address: HashMap<usize, Source<'py>>,
    numbers: usize,
}

impl<'py> Sources<'py> {
    fn get(&self, object: &Bound<'py, PyAny>) -> NativeResult<&Source<'py>> {
        self.by_address.get(&(object.as_ptr() as usize)).ok_or(Decline::Value)
    }

    fn text(&mut self, key: &Bound<'py, PyAny>) -> Text {
        if key.is_exact_instance_of::<PyString>() {
            Text::Address(key.as_ptr() as usize)
        } else if key.is_none() || exact_i64(key.as_borrowed()).is_ok_and(|number| (0..10).contains(&number)) {
            Text::Unknown
        } else {
            self.numbers += 1;
            Text::Number(self.numbers)
        }
    }
}

/// What a mapping merges, and its own pairs if others may merge it.
pub(super) struct Merging<'py> {
    /// Whether what is to be merged comes next.
    expects_source: bool,
    merged: Vec<Pair<'py>>,
    texts: HashSet<Text>,
    height: usize,
    /// Not of a mapping whose first pairs went by.
    own: Option<Vec<Pair<'py>>>,
}

impl Default for Merging<'_> {
    fn default() -> Self {
        Self { own: Some(Vec::new()), ..Self::late() }
    }
}

impl<'py> Merging<'py> {
    /// Of a mapping that others can't merge.
    pub(super) fn late() -> Self {
        Self { expects_source: false, merged: Vec::new(), texts: HashSet::new(), height: 0, own: None }
    }

    /// Whether what is to be merged comes next.
    pub(super) fn expects_source(&self) -> bool {
        self.expects_source
    }

    pub(super) fn add(&mut self, key: Bound<'py, PyAny>, value: Bound<'py, PyAny>, sources: &mut Sources<'py>) {
        if let Some(own) = &mut self.own {
            own.push(Pair { text: sources.text(&key), key, value });
        }
    }

    /// What comes next is merged.
    pub(super) fn begin_source(&mut self) -> NativeResult<()> {
        if std::mem::replace(&mut self.expects_source, true) { Err(Decline::Value) } else { Ok(()) }
    }

    /// Merges a mapping, or each of a list.
    ///
    /// # Errors
    /// `Value` for everything else, for mappings of which not all is known, and without `flattening`.
    pub(super) fn merge(
        &mut self,
        object: &Bound<'py, PyAny>,
        sources: &Sources<'py>,
        flattening: Option<Flattening>,
    ) -> NativeResult<()> {
        self.expects_source = false;
        let flattening = flattening.ok_or(Decline::Value)?;
        let Ok(list) = object.cast_exact::<PyList>() else {
            return self.merge_one(sources.get(object)?, flattening);
        };
        let mut several = list.iter().map(|item| sources.get(&item)).collect::<NativeResult<Vec<_>>>()?;
        if flattening == Flattening::Reversed {
            several.reverse();
        }
        several.into_iter().try_for_each(|source| self.merge_one(source, flattening))
    }

    fn merge_one(&mut self, source: &Source<'py>, flattening: Flattening) -> NativeResult<()> {
        self.height = self.height.max(source.height + 1);
        if self.height > MAX_HEIGHT || self.merged.len() + source.pairs.len() > MAX_PAIRS {
            return Err(Decline::Value);
        }
        for pair in &source.pairs {
            if flattening == Flattening::Ordered {
                if pair.text == Text::Unknown {
                    return Err(Decline::Value);
                }
                if !self.texts.insert(pair.text) {
                    continue;
                }
            }
            self.merged.push(pair.clone());
        }
        Ok(())
    }

    /// Puts what was merged before what the mapping has itself, for which `dict` stands; others may merge
    /// it from now on.
    pub(super) fn finish(self, dict: &Bound<'py, PyDict>, sources: &mut Sources<'py>) -> NativeResult<()> {
        if !self.merged.is_empty() {
            let own = dict.copy().map_err(|_| Decline::Os)?;
            dict.clear();
            for pair in &self.merged {
                insert(dict, &pair.key, &pair.value)?;
            }
            for (key, value) in &own {
                insert(dict, &key, &value)?;
            }
        }
        if let Some(own) = self.own {
            let mut pairs = self.merged;
            pairs.extend(own);
            let source = Source { _dict: dict.clone(), pairs, height: self.height };
            sources.by_address.insert(dict.as_ptr() as usize, source);
        }
        Ok(())
    }
}

/// `dict[key] = value`
pub(super) fn insert(dict: &Bound<'_, PyDict>, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> NativeResult<()> {
    // SAFETY: all three are alive, and the key is plain, so that no Python code runs.
    check(dict.py(), unsafe { ffi::PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()) })
}
