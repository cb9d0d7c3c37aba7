//! Scanner: from text to tokens, as `yaml.scanner.Scanner` does it.
//!
//! The original scans as far as its parser asks. Its parser never tells it anything, so scanning
//! all of the text first makes the same tokens.

use super::token::{Kind, Scalar, Token};
use super::{MAX_DEPTH, Unit};
use crate::reserve::ensure_available;
use crate::{Decline, NativeResult};

/// A simple key is no longer than this.
const MAX_SIMPLE_KEY: usize = 1024;

/// Where a key without `?` may have begun.
#[derive(Clone, Copy)]
struct SimpleKey {
    /// The place of its first token.
    token: usize,
    required: bool,
    position: usize,
    line: usize,
    column: isize,
}

pub(super) struct Scanner<'t, T> {
    text: &'t [T],
    pub(super) position: usize,
    pub(super) line: usize,
    line_start: usize,
    tokens: Vec<Token>,
    /// The column of the innermost block collection, -1 outside of all.
    pub(super) indent: isize,
    indents: Vec<isize>,
    pub(super) allow_simple_key: bool,
    /// One for each flow level; the first is that of the block context.
    simple_keys: Vec<Option<SimpleKey>>,
    /// See [`Scanned::plain`].
    pub(super) plain: bool,
}

/// The tokens of a text.
pub(super) struct Scanned {
    pub(super) tokens: Vec<Token>,
    /// Whether there is nothing that libyaml's scanner takes in another way, or might. Multi-line
    /// scalars and what block scalars begin with isn't looked at.
    pub(super) plain: bool,
}

/// All tokens of a text.
///
/// # Errors
/// `Value` if the original would raise, or might see something else.
pub(super) fn scan<T: Unit>(text: &[T]) -> NativeResult<Scanned> {
    /// Bytes of tokens for a character, at the most.
    const TOKENS: usize = 2 * size_of::<Token>();
    ensure_available(text.len().saturating_mul(TOKENS))?;
    check_characters(text)?;
    let mut scanner = Scanner {
        text,
        position: 0,
        line: 0,
        line_start: 0,
        // Task files have a token for about eight characters, scripts fewer.
        tokens: Vec::with_capacity(text.len() / 8 + 16),
        indent: -1,
        indents: Vec::new(),
        allow_simple_key: true,
        simple_keys: vec![None],
        plain: true,
    };
    while scanner.fetch()? {}
    Ok(Scanned { tokens: scanner.tokens, plain: scanner.plain })
}

/// What the reader refuses, and line breaks and marks beyond ASCII, are for the original.
fn check_characters<T: Unit>(text: &[T]) -> NativeResult<()> {
    let unusual = text.iter().any(|unit| match (*unit).into() {
        0x20..=0x7e | 0x0a => false,
        0x09 | 0x0d | 0xa0..=0xd7ff | 0xe000..=0xfefe | 0xff00..=0xfffd | 0x1_0000..=0x10_ffff => {
            matches!((*unit).into(), 0x2028 | 0x2029)
        }
        _ => true,
    });
    if unusual { Err(Decline::Value) } else { Ok(()) }
}

/// NUL (the end), white space and line breaks: what the original calls `'\0 \t\r\n…'`.
pub(super) fn is_blank(character: u32) -> bool {
    matches!(character, 0 | 0x20 | 0x09 | 0x0d | 0x0a)
}

/// The end or a line break.
pub(super) fn is_break_or_end(character: u32) -> bool {
    matches!(character, 0 | 0x0d | 0x0a)
}

pub(super) const SPACE: u32 = b' ' as u32;
pub(super) const TAB: u32 = b'\t' as u32;
pub(super) const HASH: u32 = b'#' as u32;
const RETURN: u32 = b'\r' as u32;
const NEWLINE: u32 = b'\n' as u32;

impl<T: Unit> Scanner<'_, T> {
    /// The character `offset` further on; 0 from the end on, as in the original.
    #[inline]
    pub(super) fn peek(&self, offset: usize) -> u32 {
        self.text.get(self.position + offset).map_or(0, |unit| (*unit).into())
    }

    /// The character before this one.
    fn before(&self) -> u32 {
        self.position.checked_sub(1).and_then(|at| self.text.get(at)).map_or(0, |unit| (*unit).into())
    }

    pub(super) fn column(&self) -> isize {
        (self.position - self.line_start).cast_signed()
    }

    pub(super) fn in_flow(&self) -> bool {
        self.simple_keys.len() > 1
    }

    /// Steps over a line break, if there is one.
    #[inline]
    pub(super) fn line_break(&mut self) -> bool {
        match self.peek(0) {
            RETURN if self.peek(1) == NEWLINE => self.position += 2,
            NEWLINE | RETURN => self.position += 1,
            _ => return false,
        }
        self.line += 1;
        self.line_start = self.position;
        true
    }

    /// Steps over what is on the line.
    #[inline]
    pub(super) fn skip_to_line_end(&mut self) {
        let rest = &self.text[self.position..];
        let length = rest.iter().position(|unit| is_break_or_end((*unit).into()));
        self.position += length.unwrap_or(rest.len());
    }

    #[inline]
    pub(super) fn skip_spaces(&mut self) {
        while self.peek(0) == SPACE {
            self.position += 1;
        }
    }

    /// Whether nothing but spaces or a comment is left of the line.
    fn at_line_end(&self) -> bool {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let next = rest.iter().map(|unit| (*unit).into()).find(|character| *character != SPACE);
        next.is_none_or(|character| character == HASH || character == NEWLINE)
    }

    /// Whether `---` or `...` stands here, on its own.
    pub(super) fn at_document_indicator(&self) -> bool {
        let first = self.peek(0);
        (first == u32::from(b'-') || first == u32::from(b'.'))
            && self.peek(1) == first
            && self.peek(2) == first
            && is_blank(self.peek(3))
    }

    /// Adds the next token and what comes with it; false after the last one.
    fn fetch(&mut self) -> NativeResult<bool> {
        self.skip_to_next_token();
        self.drop_stale_keys()?;
        self.unwind_indent(self.column());
        let character = self.peek(0);
        if character == 0 {
            self.unwind_indent(-1);
            self.remove_simple_key()?;
            self.add(Kind::StreamEnd);
            return Ok(false);
        }
        if self.column() == 0 {
            if character == u32::from(b'%') {
                return Err(Decline::Value);
            }
            if self.at_document_indicator() {
                return self.fetch_document_indicator(character).map(|()| true);
            }
        }
        // Beyond ASCII all characters are those of plain scalars.
        match u8::try_from(character).unwrap_or(b'x') {
            b'[' => self.fetch_flow_start(Kind::FlowSequenceStart)?,
            b'{' => self.fetch_flow_start(Kind::FlowMappingStart)?,
            b']' => self.fetch_flow_end(Kind::FlowSequenceEnd)?,
            b'}' => self.fetch_flow_end(Kind::FlowMappingEnd)?,
            b',' => self.fetch_flow_entry()?,
            b'-' if is_blank(self.peek(1)) => self.fetch_block_entry()?,
            b'?' if self.in_flow() || is_blank(self.peek(1)) => self.fetch_key()?,
            b':' if self.in_flow() || is_blank(self.peek(1)) => self.fetch_value()?,
            b'|' | b'>' if !self.in_flow() => {
                // A key may follow.
                self.allow_simple_key = true;
                self.remove_simple_key()?;
                let token = self.scan_block_scalar()?;
                self.tokens.push(token);
            }
            quote @ (b'\'' | b'"') => {
                self.save_simple_key()?;
                self.allow_simple_key = false;
                let token = self.scan_quoted_scalar(quote.into())?;
                self.tokens.push(token);
            }
            b'*' => self.fetch_name(Kind::Alias)?,
            b'&' => self.fetch_name(Kind::Anchor)?,
            // Tags; what can't start any token.
            b'!' | b'|' | b'>' | b'%' | b'@' | b'`' | b'\t' | b'#' => return Err(Decline::Value),
            _ => {
                self.save_simple_key()?;
                self.allow_simple_key = false;
                let token = self.scan_plain_scalar();
                self.tokens.push(token);
            }
        }
        Ok(true)
    }

    fn add(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, start: 0, end: 0 });
    }

    /// A token with its place in the text.
    #[expect(clippy::cast_possible_truncation, reason = "texts of more than 4 GiB are declined")]
    fn token(kind: Kind, start: usize, end: usize) -> Token {
        Token { kind, start: start as u32, end: end as u32 }
    }

    pub(super) fn scalar(start: usize, end: usize, scalar: Scalar) -> Token {
        Self::token(Kind::Scalar(scalar), start, end)
    }

    fn skip_to_next_token(&mut self) {
        loop {
            self.skip_spaces();
            if self.peek(0) == HASH {
                self.plain &= self.position == self.line_start || self.before() == SPACE;
                self.skip_to_line_end();
            }
            if !self.line_break() {
                return;
            }
            if !self.in_flow() {
                self.allow_simple_key = true;
            }
        }
    }

    // Simple keys

    fn drop_stale_keys(&mut self) -> NativeResult<()> {
        let (line, position) = (self.line, self.position);
        for slot in &mut self.simple_keys {
            if let Some(key) = slot
                && (key.line != line || position - key.position > MAX_SIMPLE_KEY)
            {
                if key.required {
                    return Err(Decline::Value);
                }
                *slot = None;
            }
        }
        Ok(())
    }

    fn save_simple_key(&mut self) -> NativeResult<()> {
        if self.allow_simple_key {
            let required = !self.in_flow() && self.indent == self.column();
            self.remove_simple_key()?;
            let key = SimpleKey {
                token: self.tokens.len(),
                required,
                position: self.position,
                line: self.line,
                column: self.column(),
            };
            if let Some(slot) = self.simple_keys.last_mut() {
                *slot = Some(key);
            }
        }
        Ok(())
    }

    fn take_simple_key(&mut self) -> Option<SimpleKey> {
        self.simple_keys.last_mut().and_then(Option::take)
    }

    fn remove_simple_key(&mut self) -> NativeResult<()> {
        match self.take_simple_key() {
            Some(key) if key.required => Err(Decline::Value),
            _ => Ok(()),
        }
    }

    // Indentation

    fn unwind_indent(&mut self, column: isize) {
        if self.in_flow() {
            return;
        }
        while self.indent > column {
            self.indent = self.indents.pop().unwrap_or(-1);
            self.add(Kind::BlockEnd);
        }
    }

    fn add_indent(&mut self, column: isize) -> NativeResult<bool> {
        if self.indent >= column {
            return Ok(false);
        }
        if self.indents.len() >= MAX_DEPTH {
            return Err(Decline::Value);
        }
        self.indents.push(self.indent);
        self.indent = column;
        Ok(true)
    }

    // Fetchers

    fn fetch_document_indicator(&mut self, character: u32) -> NativeResult<()> {
        // Within a flow collection the parser refuses it.
        if self.in_flow() {
            return Err(Decline::Value);
        }
        self.unwind_indent(-1);
        self.remove_simple_key()?;
        self.allow_simple_key = false;
        self.position += 3;
        self.plain &= character == u32::from(b'-') && self.at_line_end();
        self.add(if character == u32::from(b'-') { Kind::DocumentStart } else { Kind::DocumentEnd });
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: Kind) -> NativeResult<()> {
        self.save_simple_key()?;
        if self.simple_keys.len() > MAX_DEPTH {
            return Err(Decline::Value);
        }
        self.simple_keys.push(None);
        self.allow_simple_key = true;
        self.position += 1;
        self.add(kind);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: Kind) -> NativeResult<()> {
        // One that nothing has opened is the parser's error.
        if !self.in_flow() {
            return Err(Decline::Value);
        }
        self.remove_simple_key()?;
        self.simple_keys.pop();
        self.allow_simple_key = false;
        self.position += 1;
        self.add(kind);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> NativeResult<()> {
        self.allow_simple_key = true;
        self.remove_simple_key()?;
        self.position += 1;
        self.add(Kind::FlowEntry);
        Ok(())
    }

    /// Outside flow collections a deeper indentation begins a collection.
    fn begin_block(&mut self, start: Kind) -> NativeResult<()> {
        if self.in_flow() {
            return Ok(());
        }
        if !self.allow_simple_key {
            return Err(Decline::Value);
        }
        if self.add_indent(self.column())? {
            self.add(start);
        }
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> NativeResult<()> {
        self.begin_block(Kind::BlockSequenceStart)?;
        self.allow_simple_key = true;
        self.remove_simple_key()?;
        self.position += 1;
        self.add(Kind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> NativeResult<()> {
        self.plain = false;
        self.begin_block(Kind::BlockMappingStart)?;
        self.allow_simple_key = !self.in_flow();
        self.remove_simple_key()?;
        self.position += 1;
        self.add(Kind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> NativeResult<()> {
        if let Some(key) = self.take_simple_key() {
            // The tokens of the key are there already.
            self.plain &= self.position - key.position < MAX_SIMPLE_KEY;
            self.insert(key.token, Kind::Key);
            if !self.in_flow() && self.add_indent(key.column)? {
                self.insert(key.token, Kind::BlockMappingStart);
            }
            self.allow_simple_key = false;
        } else {
            self.plain = false;
            self.begin_block(Kind::BlockMappingStart)?;
            self.allow_simple_key = !self.in_flow();
        }
        self.position += 1;
        self.add(Kind::Value);
        Ok(())
    }

    fn fetch_name(&mut self, kind: Kind) -> NativeResult<()> {
        self.save_simple_key()?;
        self.allow_simple_key = false;
        self.position += 1;
        let start = self.position;
        let byte = |character| u8::try_from(character).unwrap_or(u8::MAX);
        while matches!(byte(self.peek(0)), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_') {
            self.position += 1;
        }
        let ended = is_blank(self.peek(0)) || b"?:,]}%@`".contains(&byte(self.peek(0)));
        if self.position == start || !ended {
            return Err(Decline::Value);
        }
        self.plain &= matches!(byte(self.peek(0)), 0 | b' ' | b'\n' | b',' | b']' | b'}');
        self.tokens.push(Self::token(kind, start, self.position));
        Ok(())
    }

    fn insert(&mut self, place: usize, kind: Kind) {
        self.tokens.insert(place, Token { kind, start: 0, end: 0 });
    }
}
