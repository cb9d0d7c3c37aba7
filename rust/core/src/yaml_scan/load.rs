//! Loader for `yaml_utils.safe_load` and its like: the values of texts of which libyaml and `PyYAML`'s own
//! scanner surely make the same.
//!
//! The originals use libyaml. What the two are known to take in different ways is declined, and
//! so is what task files hardly ever have: see [`super::scanner::Scanned::plain`] and the
//! multi-line scalars below.
//!
//! What a merge key does differs between releases of `PyYAML`, so that it is the builder's affair.

use super::duplicates::{unescape, unquote};
use super::token::{Kind, Scalar, Token};
use super::value::{Plain, resolve};
use super::{MAX_DEPTH, Unit, block_scalar, parser, scanner};
use crate::{Decline, NativeResult};

/// Longer texts go to the original, which Ctrl-C can stop.
const MAX_LENGTH: usize = 4 << 20;

/// Makes objects of what a text holds, in its order: a mapping's keys and values by turns. What
/// is made outside of all collections is a document.
pub trait Builder<T> {
    fn null(&mut self) -> NativeResult<()>;
    fn boolean(&mut self, value: bool) -> NativeResult<()>;
    fn integer(&mut self, value: i64) -> NativeResult<()>;
    fn float(&mut self, value: f64) -> NativeResult<()>;
    /// A text of the stream's own characters.
    fn text(&mut self, value: &[T]) -> NativeResult<()>;
    /// A text of any characters.
    fn wide_text(&mut self, value: &[u32]) -> NativeResult<()>;
    fn begin(&mut self, mapping: bool) -> NativeResult<()>;
    fn end(&mut self) -> NativeResult<()>;
    /// The node that comes next may be met again, under this name.
    fn anchor(&mut self, name: &[T]) -> NativeResult<()>;
    /// A node that stands elsewhere already.
    fn alias(&mut self, name: &[T]) -> NativeResult<()>;
    /// The plain scalar `<<`.
    fn merge(&mut self) -> NativeResult<()>;
    /// Names are those of one document.
    fn end_document(&mut self);
}

/// Builds what all documents of a text hold.
///
/// # Errors
/// `Value` if it isn't certain what the original would make of the text; what `builder` declines.
pub fn load<T: Unit>(text: &[T], builder: &mut impl Builder<T>) -> NativeResult<()> {
    if text.len() > MAX_LENGTH || text.iter().any(|unit| (*unit).into() == u32::from(b'\r')) {
        return Err(Decline::Value);
    }
    let scanned = scanner::scan(text)?;
    if !scanned.plain {
        return Err(Decline::Value);
    }
    parser::parse(&scanned.tokens, Loader { text, builder, depth: 0 })
}

/// Tells a builder of the nodes.
struct Loader<'t, T, B> {
    text: &'t [T],
    builder: &'t mut B,
    depth: usize,
}

impl<'t, T: Unit, B: Builder<T>> Loader<'t, T, B> {
    fn slice(&self, token: Token) -> NativeResult<&'t [T]> {
        self.text.get(token.start as usize..token.end as usize).ok_or(Decline::Value)
    }

    #[cold]
    fn anchor(&mut self, token: Token) -> NativeResult<()> {
        self.builder.anchor(self.slice(token)?)
    }
}

impl<T: Unit, B: Builder<T>> parser::Nodes for Loader<'_, T, B> {
    fn scalar(&mut self, token: Option<Token>, anchor: Option<Token>) -> NativeResult<()> {
        if let Some(anchor) = anchor {
            self.anchor(anchor)?;
        }
        let Some(token) = token else {
            return self.builder.null();
        };
        let text = self.slice(token)?;
        match token.kind {
            Kind::Scalar(Scalar::Verbatim) => self.builder.text(text),
            Kind::Scalar(Scalar::Plain) => match resolve(text)? {
                Plain::Text => self.builder.text(text),
                Plain::Null => self.builder.null(),
                Plain::Boolean(value) => self.builder.boolean(value),
                Plain::Integer(value) => self.builder.integer(value),
                Plain::Float(value) => self.builder.float(value),
                Plain::Merge => self.builder.merge(),
            },
            Kind::Scalar(Scalar::Quoted) => self.builder.wide_text(&unquote(text)),
            Kind::Scalar(Scalar::Escaped) => {
                let value = unescape(text)?;
                // libyaml refuses surrogates.
                if value.iter().any(|character| (0xd800..0xe000).contains(character)) {
                    return Err(Decline::Value);
                }
                self.builder.wide_text(&value)
            }
            Kind::Scalar(Scalar::Block(column)) => {
                self.builder.text(&block_scalar::value(text, column.into()).ok_or(Decline::Value)?)
            }
            _ => Err(Decline::Value),
        }
    }

    fn begin(&mut self, mapping: bool, anchor: Option<Token>) -> NativeResult<()> {
        if self.depth >= MAX_DEPTH {
            return Err(Decline::Value);
        }
        if let Some(anchor) = anchor {
            self.anchor(anchor)?;
        }
        self.depth += 1;
        self.builder.begin(mapping)
    }

    fn end(&mut self) -> NativeResult<()> {
        self.depth -= 1;
        self.builder.end()
    }

    fn alias(&mut self, token: Token) -> NativeResult<()> {
        self.builder.alias(self.slice(token)?)
    }

    fn end_document(&mut self) {
        self.builder.end_document();
    }
}
