//! Scalars: their text, and the styles in which it can be written.

use std::borrow::Cow;

use super::implicit::resolves;

/// The code points of a text, in the width in which the interpreter keeps them.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// Up to U+00FF.
    Ucs1(&'a [u8]),
    /// Up to U+FFFF.
    Ucs2(&'a [u16]),
    /// Up to U+10FFFF.
    Ucs4(&'a [u32]),
}

impl Text<'_> {
    /// The number of code points.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Ucs1(units) => units.len(),
            Self::Ucs2(units) => units.len(),
            Self::Ucs4(units) => units.len(),
        }
    }

    /// In which style the text is written, and whether it may be a simple key.
    pub(super) fn analysis(self) -> Analysis {
        match self {
            Self::Ucs1(units) => analyze(units),
            Self::Ucs2(units) => analyze(units),
            Self::Ucs4(units) => analyze(units),
        }
    }
}

/// A code unit that holds a whole code point.
pub(super) trait Unit: Copy + Into<u32> {
    /// Units that are known to be ASCII, as bytes.
    fn ascii(units: &[Self]) -> Cow<'_, [u8]> {
        // The low byte is all there is of them.
        #[expect(clippy::cast_possible_truncation)]
        units.iter().map(|unit| (*unit).into() as u8).collect()
    }
}

impl Unit for u8 {
    fn ascii(units: &[Self]) -> Cow<'_, [u8]> {
        Cow::Borrowed(units)
    }
}
impl Unit for u16 {}
impl Unit for u32 {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Analysis {
    pub(super) style: Style,
    pub(super) multiline: bool,
}

const SPACE: u32 = 0x20;
const BREAK: u32 = 0x0a;

/// What the emitter's analysis comes to where tags and flow collections play no part, and
/// nothing beyond ASCII is allowed.
fn analyze<T: Unit>(text: &[T]) -> Analysis {
    let mut line_breaks = false;
    let mut special = false;
    // A space next to a line break, which only escapes keep.
    let mut folds = false;
    let mut indicators = starts_with_indicator(text);
    let mut previous = 0;
    for (index, unit) in text.iter().enumerate() {
        let unit = (*unit).into();
        match unit {
            SPACE => folds |= previous == BREAK,
            BREAK => {
                line_breaks = true;
                folds |= previous == SPACE;
            }
            0x3a => indicators |= text.get(index + 1).is_none_or(|next| (*next).into() == SPACE),
            0x23 => indicators |= previous == SPACE,
            0x21..=0x7e => {}
            0x85 | 0x2028 | 0x2029 => {
                line_breaks = true;
                special = true;
            }
            _ => special = true,
        }
        previous = unit;
    }
    let style = if special || folds {
        Style::Double
    } else if line_breaks || indicators || previous == SPACE || resolves(&T::ascii(text)) {
        Style::Single
    } else {
        Style::Plain
    };
    Analysis { style, multiline: line_breaks }
}

/// Whether the first characters alone forbid a plain scalar.
fn starts_with_indicator<T: Unit>(text: &[T]) -> bool {
    let at = |index: usize| text.get(index).map(|unit| (*unit).into());
    let Some(first) = at(0).and_then(char::from_u32) else { return false };
    match first {
        ' ' | '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => true,
        '?' | '-' if at(1).is_none_or(|next| next == SPACE) => true,
        // Marks of a document's start and end.
        '-' | '.' => at(1) == at(0) && at(2) == at(0),
        _ => false,
    }
}
