//! `yaml_utils.check_no_duplicate_keys`: surely no mapping has a key twice.

use std::cmp::Ordering;

use super::scalars::{escape_digits, escape_replacement};
use super::token::{Kind, Scalar, Token};
use super::{MAX_DEPTH, Unit, parser, scanner};
use crate::{Answer, Decline};

/// Longer texts go to the original, which Ctrl-C can stop.
const MAX_LENGTH: usize = 4 << 20;

/// Mappings of more keys are sorted rather than compared key by key.
const FEW_KEYS: usize = 12;

/// Succeeds if no mapping of the text has two scalar keys of one value.
///
/// # Errors
/// `Value` if one has, or if that isn't certain: the original looks itself.
pub fn none_in<T: Unit>(text: &[T]) -> Answer<()> {
    if text.len() > MAX_LENGTH {
        return Err(Decline::Value);
    }
    let tokens = scanner::scan(text)?;
    parser::parse(&tokens, Composer { text, keys: Vec::new(), open: Vec::new() })
}

/// A key's value.
enum Key<'t, T> {
    Verbatim(&'t [T]),
    Decoded(Vec<u32>),
}

enum Collection {
    Sequence,
    Mapping {
        /// Where its keys begin among all.
        first: usize,
        /// Whether a key comes next, rather than a value.
        at_key: bool,
    },
}

/// Collects the keys of the mappings that have been begun.
struct Composer<'t, T> {
    text: &'t [T],
    keys: Vec<Key<'t, T>>,
    open: Vec<Collection>,
}

impl<T: Unit> parser::Nodes for Composer<'_, T> {
    #[inline]
    fn scalar(&mut self, token: Option<Token>) -> Answer<()> {
        if let Some(Collection::Mapping { at_key, .. }) = self.open.last_mut() {
            *at_key = !*at_key;
            // It was a key if a value comes next.
            if !*at_key {
                self.keys.push(decode(self.text, token)?);
            }
        }
        Ok(())
    }

    fn begin(&mut self, mapping: bool) -> Answer<()> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Decline::Value);
        }
        let first = self.keys.len();
        self.open.push(if mapping { Collection::Mapping { first, at_key: true } } else { Collection::Sequence });
        Ok(())
    }

    fn end(&mut self) -> Answer<()> {
        if let Some(Collection::Mapping { first, .. }) = self.open.pop() {
            if has_duplicates(&mut self.keys[first..]) {
                return Err(Decline::Value);
            }
            self.keys.truncate(first);
        }
        if let Some(Collection::Mapping { at_key, .. }) = self.open.last_mut() {
            *at_key = !*at_key;
        }
        Ok(())
    }
}

fn decode<T: Unit>(text: &[T], token: Option<Token>) -> Answer<Key<'_, T>> {
    let Some(token) = token else {
        return Ok(Key::Verbatim(&[]));
    };
    let text = text.get(token.start as usize..token.end as usize).ok_or(Decline::Value)?;
    match token.kind {
        Kind::Scalar(Scalar::Verbatim) => Ok(Key::Verbatim(text)),
        Kind::Scalar(Scalar::Quoted) => Ok(Key::Decoded(unquote(text))),
        Kind::Scalar(Scalar::Escaped) => unescape(text).map(Key::Decoded),
        _ => Err(Decline::Value),
    }
}

/// Halves the doubled quotes.
fn unquote<T: Unit>(text: &[T]) -> Vec<u32> {
    let mut units = text.iter().map(|unit| (*unit).into());
    let mut value = Vec::with_capacity(text.len());
    while let Some(character) = units.next() {
        value.push(character);
        if character == u32::from(b'\'') {
            units.next();
        }
    }
    value
}

fn unescape<T: Unit>(text: &[T]) -> Answer<Vec<u32>> {
    let mut units = text.iter().map(|unit| (*unit).into());
    let mut value = Vec::with_capacity(text.len());
    while let Some(character) = units.next() {
        if character != u32::from(b'\\') {
            value.push(character);
            continue;
        }
        let escape = units.next().ok_or(Decline::Value)?;
        value.push(match escape_replacement(escape) {
            Some(replacement) => replacement,
            None => units.by_ref().take(escape_digits(escape)).try_fold(0, |code, digit| {
                let digit = char::from_u32(digit).and_then(|digit| digit.to_digit(16)).ok_or(Decline::Value)?;
                Ok((code << 4) | digit)
            })?,
        });
    }
    Ok(value)
}

fn has_duplicates<T: Unit>(keys: &mut [Key<'_, T>]) -> bool {
    if keys.len() <= FEW_KEYS {
        return keys.iter().enumerate().any(|(index, key)| keys[..index].iter().any(|other| key.equals(other)));
    }
    keys.sort_unstable_by(Key::compare);
    keys.windows(2).any(|pair| matches!(pair, [one, other] if one.equals(other)))
}

impl<T: Unit> Key<'_, T> {
    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Verbatim(one), Self::Verbatim(other)) => one == other,
            _ => self.compare(other) == Ordering::Equal,
        }
    }

    /// Any order will do, if it is one of the values.
    fn compare(&self, other: &Self) -> Ordering {
        let wide =
            |units: &[T], characters: &[u32]| units.iter().map(|unit| (*unit).into()).cmp(characters.iter().copied());
        match (self, other) {
            (Self::Verbatim(one), Self::Verbatim(other)) => one.cmp(other),
            (Self::Decoded(one), Self::Decoded(other)) => one.cmp(other),
            (Self::Verbatim(one), Self::Decoded(other)) => wide(one, other),
            (Self::Decoded(one), Self::Verbatim(other)) => wide(other, one).reverse(),
        }
    }
}
