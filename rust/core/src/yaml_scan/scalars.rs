//! Ends of scalars, as `yaml.scanner.Scanner` finds them.

use super::Unit;
use super::scanner::{HASH, SPACE, Scanner, TAB, is_blank, is_break_or_end};
use super::token::{Scalar, Token};
use crate::{Decline, NativeResult};

/// How many hexadecimal digits follow the escapes that have some.
pub(super) fn escape_digits(escape: u32) -> usize {
    match u8::try_from(escape) {
        Ok(b'x') => 2,
        Ok(b'u') => 4,
        Ok(b'U') => 8,
        _ => 0,
    }
}

/// What the escapes of one character stand for.
pub(super) fn escape_replacement(escape: u32) -> Option<u32> {
    Some(match u8::try_from(escape).ok()? {
        b'0' => 0,
        b'a' => 0x07,
        b'b' => 0x08,
        b't' | b'\t' => 0x09,
        b'n' => 0x0a,
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'r' => 0x0d,
        b'e' => 0x1b,
        same @ (b' ' | b'"' | b'\\' | b'/') => same.into(),
        b'N' => 0x85,
        b'_' => 0xa0,
        b'L' => 0x2028,
        b'P' => 0x2029,
        _ => return None,
    })
}

fn is_flow_indicator(character: u32) -> bool {
    matches!(u8::try_from(character), Ok(b',' | b'[' | b']' | b'{' | b'}'))
}

impl<T: Unit> Scanner<'_, T> {
    pub(super) fn scan_plain_scalar(&mut self) -> Token {
        let in_flow = self.in_flow();
        let indent = self.indent + 1;
        let start = self.position;
        let first_line = self.line;
        let (mut end, mut last_line) = (start, first_line);
        while self.peek(0) != HASH {
            let part = self.position;
            loop {
                let character = self.peek(0);
                let stop = match character {
                    0x3a => {
                        let next = self.peek(1);
                        self.plain &= !(in_flow && is_flow_indicator(next));
                        is_blank(next) || (in_flow && is_flow_indicator(next))
                    }
                    0x3f => {
                        self.plain &= !in_flow;
                        in_flow
                    }
                    _ => is_blank(character) || (in_flow && is_flow_indicator(character)),
                };
                if stop {
                    break;
                }
                self.position += 1;
            }
            if self.position == part {
                break;
            }
            self.allow_simple_key = false;
            (end, last_line) = (self.position, self.line);
            if !self.skip_plain_spaces() || self.peek(0) == HASH || (!in_flow && self.column() < indent) {
                break;
            }
        }
        // White space within the line is part of the value, as it stands.
        let shape = if last_line == first_line { Scalar::Plain } else { Scalar::Folded };
        Self::scalar(start, end, shape)
    }

    /// Whether there was white space after which the scalar may go on.
    fn skip_plain_spaces(&mut self) -> bool {
        let start = self.position;
        self.skip_spaces();
        let whitespace = self.position > start;
        if !self.line_break() {
            return whitespace;
        }
        self.allow_simple_key = true;
        if self.at_document_indicator() {
            return false;
        }
        loop {
            if self.peek(0) == SPACE {
                self.position += 1;
            } else if self.line_break() {
                if self.at_document_indicator() {
                    return false;
                }
            } else {
                return true;
            }
        }
    }

    pub(super) fn scan_quoted_scalar(&mut self, quote: u32) -> NativeResult<Token> {
        let double = quote == u32::from(b'"');
        self.position += 1;
        let start = self.position;
        let mut shape = Scalar::Verbatim;
        loop {
            let character = self.peek(0);
            if character == quote {
                if double || self.peek(1) != quote {
                    break;
                }
                self.position += 2;
                shape = worse(shape, Scalar::Quoted);
            } else if double && character == u32::from(b'\\') {
                self.position += 1;
                shape = worse(shape, if self.skip_escape()? { Scalar::Folded } else { Scalar::Escaped });
            } else if is_break_or_end(character) {
                if !self.line_break() {
                    return Err(Decline::Value);
                }
                self.skip_quoted_breaks()?;
                shape = Scalar::Folded;
            } else {
                self.position += 1;
            }
        }
        let token = Self::scalar(start, self.position, shape);
        self.position += 1;
        Ok(token)
    }

    /// Steps over an escape; whether it was a line break.
    fn skip_escape(&mut self) -> NativeResult<bool> {
        let escape = self.peek(0);
        let digits = escape_digits(escape);
        if escape_replacement(escape).is_some() {
            self.position += 1;
        } else if digits > 0 {
            self.position += 1;
            let mut code = 0u32;
            for _ in 0..digits {
                let digit = char::from_u32(self.peek(0)).and_then(|digit| digit.to_digit(16));
                code = (code << 4) | digit.ok_or(Decline::Value)?;
                self.position += 1;
            }
            // `chr()` raises what isn't caught.
            if code > 0x10_ffff {
                return Err(Decline::Value);
            }
        } else if self.line_break() {
            self.skip_quoted_breaks()?;
            return Ok(true);
        } else {
            return Err(Decline::Value);
        }
        Ok(false)
    }

    fn skip_quoted_breaks(&mut self) -> NativeResult<()> {
        loop {
            if self.at_document_indicator() {
                return Err(Decline::Value);
            }
            while matches!(self.peek(0), SPACE | TAB) {
                self.position += 1;
            }
            if !self.line_break() {
                return Ok(());
            }
        }
    }

    pub(super) fn scan_block_scalar(&mut self) -> NativeResult<Token> {
        let start = self.position;
        self.position += 1;
        let increment = self.scan_block_scalar_header()?;
        let least = (self.indent + 1).max(1);
        let indent = if let Some(increment) = increment {
            let indent = least + increment - 1;
            self.skip_block_scalar_breaks(indent);
            indent
        } else {
            let widest = self.skip_block_scalar_start();
            // libyaml refuses a tab there.
            self.plain &= self.peek(0) != TAB;
            least.max(widest)
        };
        while self.column() == indent && self.peek(0) != 0 {
            self.skip_to_line_end();
            self.line_break();
            self.skip_block_scalar_breaks(indent);
        }
        let column = u16::try_from(indent).map_err(|_| Decline::Value)?;
        Ok(Self::scalar(start, self.position, Scalar::Block(column)))
    }

    /// Steps over the rest of the first line; the indentation indicator, if there is one.
    fn scan_block_scalar_header(&mut self) -> NativeResult<Option<isize>> {
        let mut increment = None;
        let mut chomped = false;
        // One of each, in either order.
        loop {
            match u8::try_from(self.peek(0)) {
                Ok(b'+' | b'-') if !chomped => chomped = true,
                Ok(digit @ b'1'..=b'9') if increment.is_none() => increment = Some(isize::from(digit - b'0')),
                _ => break,
            }
            self.position += 1;
        }
        if !matches!(self.peek(0), SPACE) && !is_break_or_end(self.peek(0)) {
            return Err(Decline::Value);
        }
        self.skip_spaces();
        if self.peek(0) == HASH {
            self.skip_to_line_end();
        }
        if !is_break_or_end(self.peek(0)) {
            return Err(Decline::Value);
        }
        self.line_break();
        Ok(increment)
    }

    /// Steps over empty lines and the first indentation; the widest indentation among them.
    fn skip_block_scalar_start(&mut self) -> isize {
        let mut widest = 0;
        loop {
            if self.peek(0) == SPACE {
                self.position += 1;
                widest = widest.max(self.column());
            } else if !self.line_break() {
                return widest;
            }
        }
    }

    fn skip_block_scalar_breaks(&mut self, indent: isize) {
        loop {
            while self.column() < indent && self.peek(0) == SPACE {
                self.position += 1;
            }
            if !self.line_break() {
                return;
            }
        }
    }
}

/// What is harder to decode.
fn worse(one: Scalar, other: Scalar) -> Scalar {
    if one == Scalar::Folded { one } else { other }
}
