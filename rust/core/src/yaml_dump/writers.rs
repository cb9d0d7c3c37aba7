//! Writers of the emitter: a scalar's characters in one of the styles, folded where need be.

use std::io::Write as _;

use super::scalar::{Style, Unit};
use super::stream::Stream;

/// Lines are folded at the first space beyond this column.
const BEST_WIDTH: usize = 80;
const SPACE: u32 = 0x20;

impl Stream {
    /// Text that is kept in more than one byte a character, although it may not need them.
    pub(super) fn write_wide<T: Unit>(&mut self, text: &[T], style: Style, split: bool, root: bool) {
        match style {
            Style::Plain => self.write_plain(&T::ascii(text), split, root),
            Style::Single => self.write_single_quoted(&T::ascii(text), split),
            Style::Double => self.write_double_quoted(text, split),
        }
    }

    /// Text without line breaks, which neither starts nor ends with a space.
    pub(super) fn write_plain(&mut self, text: &[u8], split: bool, root: bool) {
        if root {
            self.open_ended = true;
        }
        if !self.whitespace {
            self.write(b" ");
        }
        self.whitespace = false;
        self.indention = false;
        if !split || self.fits(text) {
            return self.write(text);
        }
        let mut at = 0;
        while at < text.len() {
            let space = memchr::memchr(b' ', &text[at..]).map_or(text.len(), |more| at + more);
            self.write(&text[at..space]);
            at = run_end(text, space, b' ');
            if at - space == 1 && self.column > BEST_WIDTH {
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
            } else {
                self.write(&text[space..at]);
            }
        }
    }

    /// Text without anything that needs an escape.
    pub(super) fn write_single_quoted(&mut self, text: &[u8], split: bool) {
        self.write_indicator(b"'", true);
        if self.fits(text) && memchr::memchr2(b'\'', b'\n', text).is_none() {
            self.write(text);
        } else {
            self.write_quoted_parts(text, split);
        }
        self.write_indicator(b"'", false);
    }

    fn write_quoted_parts(&mut self, text: &[u8], split: bool) {
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            match byte {
                b' ' => {
                    let end = run_end(text, at, b' ');
                    let inside = at != 0 && end != text.len();
                    if end - at == 1 && self.column > BEST_WIDTH && split && inside {
                        self.write_indent();
                    } else {
                        self.write(&text[at..end]);
                    }
                    at = end;
                }
                b'\n' => {
                    let end = run_end(text, at, b'\n');
                    // A single line break would be read as a space.
                    for _ in at..=end {
                        self.write_line_break();
                    }
                    self.write_indent();
                    at = end;
                }
                b'\'' => {
                    self.write(b"''");
                    at += 1;
                }
                _ => {
                    let end = memchr::memchr3(b' ', b'\n', b'\'', &text[at..]).map_or(text.len(), |more| at + more);
                    self.write(&text[at..end]);
                    at = end;
                }
            }
        }
    }

    /// Any text.
    pub(super) fn write_double_quoted<T: Unit>(&mut self, text: &[T], split: bool) {
        self.write_indicator(b"\"", true);
        let mut start = 0;
        let mut end = 0;
        // Once more than there are characters, for what is left at the end.
        while end <= text.len() {
            let unit: Option<u32> = text.get(end).map(|unit| (*unit).into());
            if unit.is_none_or(needs_escape) {
                if start < end {
                    self.write(&T::ascii(&text[start..end]));
                    start = end;
                }
                if let Some(unit) = unit {
                    self.write_escape(unit);
                    start = end + 1;
                }
            }
            let inside = end > 0 && end + 1 < text.len();
            let may_break = unit == Some(SPACE) || start >= end;
            if split && inside && may_break && self.column + end > BEST_WIDTH + start {
                if start < end {
                    self.write(&T::ascii(&text[start..end]));
                    start = end;
                }
                self.write(b"\\");
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
                if text[start].into() == SPACE {
                    self.write(b"\\");
                }
            }
            end += 1;
        }
        self.write_indicator(b"\"", false);
    }

    fn write_escape(&mut self, unit: u32) {
        let before = self.out.len();
        self.out.push(b'\\');
        if let Some(letter) = escape_letter(unit) {
            self.out.push(letter);
        } else {
            // Writing to a vector can't fail.
            let _ = match unit {
                0..=0xff => write!(self.out, "x{unit:02X}"),
                0x100..=0xffff => write!(self.out, "u{unit:04X}"),
                _ => write!(self.out, "U{unit:08X}"),
            };
        }
        self.column += self.out.len() - before;
    }

    /// Whether no fold can come before the text's end.
    fn fits(&self, text: &[u8]) -> bool {
        self.column + text.len() <= BEST_WIDTH
    }

    fn write(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
        self.column += text.len();
    }
}

/// Where a run of a byte that starts at an index ends.
fn run_end(text: &[u8], start: usize, byte: u8) -> usize {
    text[start..].iter().position(|other| *other != byte).map_or(text.len(), |more| start + more)
}

fn needs_escape(unit: u32) -> bool {
    unit == 0x22 || unit == 0x5c || !(0x20..=0x7e).contains(&unit)
}

fn escape_letter(unit: u32) -> Option<u8> {
    Some(match unit {
        0x00 => b'0',
        0x07 => b'a',
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0b => b'v',
        0x0c => b'f',
        0x0d => b'r',
        0x1b => b'e',
        0x22 => b'"',
        0x5c => b'\\',
        0x85 => b'N',
        0xa0 => b'_',
        0x2028 => b'L',
        0x2029 => b'P',
        _ => return None,
    })
}
