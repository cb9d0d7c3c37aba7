//! Proof, for `yaml_utils.check_no_duplicate_keys`, that no mapping has a key twice.

use std::cmp::Ordering;

use super::scalars::{escape_digits, escape_replacement};
use super::token::{Kind, Scalar, Token};
use super::{MAX_DEPTH, Unit, parser, scanner};
use crate::{Decline, NativeResult};

/// Longer texts go to the original, which Ctrl-C can stop.
const MAX_LENGTH: usize = 4 << 20;

/// Mappings of more keys are sorted rather than compared key by key.
const FEW_KEYS: usize = 12;

/// Anchors are looked through one by one.
const MAX_ANCHORS: usize = 64;

/// Succeeds if no mapping of the text has two scalar keys of one value.
///
/// # Errors
/// `Value` if one has, or if that isn't certain: the original looks itself.
pub fn none_in<T: Unit>(text: &[T]) -> NativeResult<()> {
    if text.len() > MAX_LENGTH {
        return Err(Decline::Value);
    }
    let tokens = scanner::scan(text)?.tokens;
    parser::parse(&tokens, Composer { text, keys: Vec::new(), open: Vec::new(), anchors: Vec::new() })
}

/// A key's value.
enum Key<'t, T> {
    Verbatim(&'t [T]),
    Decoded(Vec<u32>),
}

/// A collection that has been begun.
struct Collection {
    /// Where the keys of a mapping begin among all; none of a sequence.
    first: Option<usize>,
    /// Whether a key comes next, rather than a value.
    at_key: bool,
    /// How deep what it holds is nested.
    height: usize,
    /// Its place among the anchors.
    anchor: Option<usize>,
}

/// A node's anchor.
struct Anchor<'t, T> {
    name: &'t [T],
    /// How deep the node is nested; none while it isn't complete.
    height: Option<usize>,
}

/// Collects the keys of the mappings that have been begun.
struct Composer<'t, T> {
    text: &'t [T],
    keys: Vec<Key<'t, T>>,
    open: Vec<Collection>,
    /// Those of the document.
    anchors: Vec<Anchor<'t, T>>,
}

impl<'t, T: Unit> Composer<'t, T> {
    fn slice(&self, token: Token) -> NativeResult<&'t [T]> {
        self.text.get(token.start as usize..token.end as usize).ok_or(Decline::Value)
    }

    /// Remembers an anchor, of which there must be no other in the document.
    fn anchor(&mut self, token: Option<Token>, height: Option<usize>) -> NativeResult<Option<usize>> {
        let Some(token) = token else {
            return Ok(None);
        };
        let name = self.slice(token)?;
        if self.anchors.len() >= MAX_ANCHORS || self.anchors.iter().any(|anchor| anchor.name == name) {
            return Err(Decline::Value);
        }
        self.anchors.push(Anchor { name, height });
        Ok(Some(self.anchors.len() - 1))
    }

    /// Notes a complete node in the collection that holds it; whether it is a key.
    #[inline]
    fn complete(&mut self, height: usize) -> bool {
        let Some(parent) = self.open.last_mut() else {
            return false;
        };
        parent.height = parent.height.max(height);
        let is_key = parent.at_key;
        parent.at_key = parent.first.is_some() && !is_key;
        is_key
    }
}

impl<T: Unit> parser::Nodes for Composer<'_, T> {
    #[inline]
    fn scalar(&mut self, token: Option<Token>, anchor: Option<Token>) -> NativeResult<()> {
        self.anchor(anchor, Some(0))?;
        if self.complete(0) {
            let key = match token {
                None => Key::Verbatim(&[][..]),
                Some(token) => decode(self.slice(token)?, token.kind)?,
            };
            self.keys.push(key);
        }
        Ok(())
    }

    fn begin(&mut self, mapping: bool, anchor: Option<Token>) -> NativeResult<()> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Decline::Value);
        }
        let anchor = self.anchor(anchor, None)?;
        let first = mapping.then_some(self.keys.len());
        self.open.push(Collection { first, at_key: mapping, height: 0, anchor });
        Ok(())
    }

    fn end(&mut self) -> NativeResult<()> {
        let ended = self.open.pop().ok_or(Decline::Value)?;
        if let Some(first) = ended.first {
            if has_duplicates(self.keys.get_mut(first..).ok_or(Decline::Value)?) {
                return Err(Decline::Value);
            }
            self.keys.truncate(first);
        }
        let height = ended.height + 1;
        if let Some(anchor) = ended.anchor.and_then(|anchor| self.anchors.get_mut(anchor)) {
            anchor.height = Some(height);
        }
        self.complete(height);
        Ok(())
    }

    fn alias(&mut self, token: Token) -> NativeResult<()> {
        let name = self.slice(token)?;
        let anchor = self.anchors.iter().find(|anchor| anchor.name == name).ok_or(Decline::Value)?;
        // Within its own node the original never comes to an end.
        let height = anchor.height.ok_or(Decline::Value)?;
        if self.open.len() + height > MAX_DEPTH || self.complete(height) {
            return Err(Decline::Value);
        }
        Ok(())
    }

    fn end_document(&mut self) {
        self.anchors.clear();
    }
}

fn decode<T: Unit>(text: &[T], kind: Kind) -> NativeResult<Key<'_, T>> {
    match kind {
        Kind::Scalar(Scalar::Plain | Scalar::Verbatim) => Ok(Key::Verbatim(text)),
        Kind::Scalar(Scalar::Quoted) => Ok(Key::Decoded(unquote(text))),
        Kind::Scalar(Scalar::Escaped) => unescape(text).map(Key::Decoded),
        _ => Err(Decline::Value),
    }
}

/// Halves the doubled quotes.
pub(super) fn unquote<T: Unit>(text: &[T]) -> Vec<u32> {
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

pub(super) fn unescape<T: Unit>(text: &[T]) -> NativeResult<Vec<u32>> {
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

#[cfg(test)]
mod tests {
    use super::none_in;
    use proptest::prelude::*;

    fn unique(text: &str) -> bool {
        let units: Vec<u32> = text.chars().map(u32::from).collect();
        let answer = none_in(&units).is_ok();
        if text.is_ascii() {
            assert_eq!(none_in(text.as_bytes()).is_ok(), answer, "{text:?} in another width");
        }
        answer
    }

    #[test]
    fn different_keys() {
        for text in [
            "",
            "# a: 1\n",
            "text",
            "a: 1\nb: 2",
            "a: 1\r\nA: 2\r\n",
            "- a: 1\n- a: 2\n",
            "a: 1\n---\na: 2\n...\n---\n",
            "a:\n  a:\n  - a: 1\n    b: |\n      a: 1\n      a: 2\n  b: >+2\n      a\n\n",
            "{a: [a, {a: b}], 'b': \"c\\\n  d\", c, ? d}",
            "a b: c\n  d\ne: 'f\n\n  g'\n",
            "a: &x {b: *y}\n",
            "a: &x {b: 1}\nc: [*x, *x]\n",
            "语: 1\n語: 2\n",
            "? a\n: b\nc: d\n",
        ] {
            // An alias without its anchor is an error, for the original to deal with.
            assert_eq!(unique(text), !text.contains("*y"), "{text:?}");
        }
    }

    #[test]
    fn equal_keys() {
        for text in [
            "a: 1\na: 2",
            "a: 1\r\n'a': 2",
            "\"\\x61\\u0062\": 1\nab: 2",
            "'it''s': 1\n\"it's\": 2",
            "'\"\\\\': 1\n\"\\\"\\\\\\\\\": 2",
            "{a, b: 1, a: 2}",
            "[[{a: 1, ? a : 2}]]",
            "a:\n- b: 1\n  b: 2",
            "---\na: 1\n---\n- b: 1\n  c: |\n   x\n  b: 2",
            "'': 1\n? \n: 2",
            "? [a]\n: {b: 1, b: 2}",
            "&x a: 1\na: *x",
        ] {
            assert!(!unique(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_left_to_the_original() {
        for text in [
            "a: !!str b",
            "%YAML 1.1\n---\n",
            "\u{feff}a: 1",
            "a: 1\u{2028}b: 1",
            "a\u{85}",
            "a\0",
            "\"\\U00110000\"",
            "\"\\UFFFFFFFF\"",
            "&a [*a]",
            "&a b: 1\n*a : 2",
            "? |\n  a\n: 1",
            "a: b: c",
            "a:\n\tb",
            "]",
            "[",
            "'a",
            "a: |0\n",
            "- a\nb: 1",
            "key: &a x\nother: &a y",
        ] {
            assert!(!unique(text), "{text:?}");
        }
        assert!(unique(&format!("{}{}", "[".repeat(64), "]".repeat(64))));
        assert!(!unique(&format!("{}{}", "[".repeat(65), "]".repeat(65))));
        assert!(unique(&format!("{}{}", "[a: ".repeat(32), "]".repeat(32))));
        assert!(!unique(&format!("{}{}", "[a: ".repeat(33), "]".repeat(33))));
        // A simple key is no longer than 1024 characters.
        assert!(unique(&format!("{}: 1", "a".repeat(1024))));
        assert!(!unique(&format!("{}: 1", "a".repeat(1025))));
        assert!(none_in(&vec![b'\n'; (4 << 20) + 1]).is_err());
    }

    #[test]
    fn aliases_add_to_the_depth() {
        let nested = |outer: usize, inner: usize| {
            let (open, close) = ("[".repeat(outer), "]".repeat(outer));
            format!("a: &x {}{}\nb: {open}*x{close}\n", "[".repeat(inner), "]".repeat(inner))
        };
        assert!(unique(&nested(20, 43)));
        assert!(!unique(&nested(20, 44)));
    }

    /// A value and whether it holds a key twice, written without any freedom.
    #[derive(Clone, Debug)]
    enum Value {
        Text(String),
        List(Vec<Value>),
        Map(Vec<(String, Value)>),
    }

    impl Value {
        fn doubled(&self) -> bool {
            match self {
                Self::Text(_) => false,
                Self::List(items) => items.iter().any(Self::doubled),
                Self::Map(items) => {
                    let twice =
                        |(index, (key, _)): (usize, &(String, Self))| items[..index].iter().any(|(k, _)| k == key);
                    items.iter().enumerate().any(twice) || items.iter().any(|(_, value)| value.doubled())
                }
            }
        }

        fn flow(&self) -> String {
            match self {
                Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
                Self::List(items) => format!("[{}]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", ")),
                Self::Map(items) => {
                    let item =
                        |(key, value): &(String, Self)| format!("{}: {}", Self::Text(key.clone()).flow(), value.flow());
                    format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(", "))
                }
            }
        }

        fn block(&self, indent: usize) -> String {
            let margin = " ".repeat(indent);
            match self {
                Self::List(items) if !items.is_empty() => items
                    .iter()
                    .map(|item| format!("\n{margin}- # -\n{margin}  {}", item.block(indent + 2)))
                    .collect::<Vec<_>>()
                    .concat(),
                Self::Map(items) if !items.is_empty() => items
                    .iter()
                    .map(|(key, value)| format!("\n{margin}{key:?}: {}", value.block(indent + 1)))
                    .collect::<Vec<_>>()
                    .concat(),
                _ => self.flow(),
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = "[ab' :#,-]{0,3}".prop_map(Value::Text);
        text.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec(("[ab' :#-]{0,2}", inner), 0..20).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn finds_what_was_written(value in values()) {
            prop_assert_eq!(unique(&value.flow()), !value.doubled(), "{}", value.flow());
            prop_assert_eq!(unique(&value.block(0)), !value.doubled(), "{}", value.block(0));
        }

        #[test]
        fn never_panics(text in "([ab:?\\-\\[\\]{},#&*!|>'\"\\\\% \t\r\n+1é]|: |- |\n {0,3}|---|\\.\\.\\.){0,40}") {
            unique(&text);
        }

        #[test]
        fn takes_any_units(units: Vec<u32>) {
            let _ = none_in(&units);
        }
    }
}
