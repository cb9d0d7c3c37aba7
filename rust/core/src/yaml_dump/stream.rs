//! Emitter: indentation, indicators, collections.

use super::document::{Document, Node, UNANCHORED};
use super::scalar::{Analysis, Style, Text};
use crate::{Decline, NativeResult};

const BEST_INDENT: usize = 2;
/// Keys of so many characters, tag and anchor included, aren't simple any more.
const KEY_LIMIT: usize = 128;
/// `!!str` and `!!int` count even though they aren't written. Other scalars are short.
const TAG_LENGTH: usize = 5;

/// The place that a node is written at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    SimpleKey,
    /// A key after `?`, or a value.
    Entry,
}

/// Writes documents.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are PyYAML's, and independent of each other")]
pub struct Stream {
    pub(super) out: Vec<u8>,
    pub(super) column: usize,
    /// The last character was a white space.
    pub(super) whitespace: bool,
    /// There is nothing but indentation and indicators on the line so far.
    pub(super) indention: bool,
    /// The document ends with a plain scalar, so that its end must be marked.
    pub(super) open_ended: bool,
    pub(super) indent: Option<usize>,
    /// How many collections and scalars are being written, one within the other.
    pub(super) levels: usize,
    first: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// An empty stream.
    pub fn new() -> Self {
        Self {
            out: Vec::with_capacity(1024),
            column: 0,
            whitespace: true,
            indention: true,
            open_ended: false,
            indent: None,
            levels: 0,
            first: true,
        }
    }

    /// Makes sure of the memory for so many bytes more.
    ///
    /// # Errors
    /// `Os` if there is none.
    pub fn make_room(&mut self, bytes: usize) -> NativeResult<()> {
        self.out.try_reserve(bytes).map_err(|_| Decline::Os)
    }

    /// Writes a document.
    pub fn document(&mut self, document: &Document<'_>) {
        if !self.first {
            self.write_indent();
            self.write_indicator(b"---", true);
        }
        self.first = false;
        self.write_node(document, 0, Place::Root);
        self.write_indent();
    }

    /// Ends the stream and gives what was written, which is all ASCII.
    pub fn finish(mut self) -> Vec<u8> {
        if self.open_ended {
            self.write_indicator(b"...", true);
            self.write_indent();
        }
        self.out
    }

    /// Writes the node that stands at an index, and gives the index of the one after it.
    fn write_node(&mut self, document: &Document<'_>, at: usize, place: Place) -> usize {
        match document.node(at) {
            Some(Node::Text(text)) => self.write_text(text, text.analysis(), place),
            Some(Node::Plain { start, end }) => {
                self.within_scalar(|stream| {
                    stream.write_plain(document.plain(start, end), false, place == Place::Root);
                });
            }
            Some(Node::Alias { anchor }) => self.write_anchor(b'*', anchor),
            Some(Node::Sequence { count, anchor }) => {
                self.write_anchor(b'&', anchor);
                if count > 0 {
                    return self.write_sequence(document, at + 1, count, place);
                }
                self.write_empty(b"[", b"]");
            }
            Some(Node::Mapping { count, anchor }) => {
                self.write_anchor(b'&', anchor);
                if count > 0 {
                    return self.write_mapping(document, at + 1, count);
                }
                self.write_empty(b"{", b"}");
            }
            // The caller promised another node.
            None => {}
        }
        at + 1
    }

    fn write_text(&mut self, text: Text<'_>, analysis: Analysis, place: Place) {
        // Simple keys stay on one line.
        let split = place != Place::SimpleKey;
        self.within_scalar(|stream| match (analysis.style, text) {
            (Style::Plain, Text::Ucs1(units)) => stream.write_plain(units, split, place == Place::Root),
            (Style::Single, Text::Ucs1(units)) => stream.write_single_quoted(units, split),
            (_, Text::Ucs1(units)) => stream.write_double_quoted(units, split),
            (_, Text::Ucs2(units)) => stream.write_wide(units, analysis.style, split, place == Place::Root),
            (_, Text::Ucs4(units)) => stream.write_wide(units, analysis.style, split, place == Place::Root),
        });
    }

    fn within_scalar(&mut self, write: impl FnOnce(&mut Self)) {
        let indent = self.indent;
        self.indent = Some(indent.map_or(BEST_INDENT, |indent| indent + BEST_INDENT));
        self.levels += 1;
        write(self);
        self.levels -= 1;
        self.indent = indent;
    }

    fn write_sequence(&mut self, document: &Document<'_>, mut at: usize, count: usize, place: Place) -> usize {
        let indent = self.indent;
        let in_mapping = matches!(place, Place::SimpleKey | Place::Entry);
        let indentless = in_mapping && !self.indention;
        self.increase_indent(indentless);
        for _ in 0..count {
            self.write_indent();
            self.write_bullet(b"-");
            at = self.write_node(document, at, Place::Item);
        }
        self.levels -= 1;
        self.indent = indent;
        at
    }

    fn write_mapping(&mut self, document: &Document<'_>, mut at: usize, count: usize) -> usize {
        let indent = self.indent;
        self.increase_indent(false);
        for _ in 0..count {
            self.write_indent();
            at = if let Some(value) = self.write_simple_key(document, at) {
                value
            } else {
                self.write_bullet(b"?");
                let value = self.write_node(document, at, Place::Entry);
                self.write_indent();
                self.write_bullet(b":");
                value
            };
            at = self.write_node(document, at, Place::Entry);
        }
        self.levels -= 1;
        self.indent = indent;
        at
    }

    /// Writes a key and its colon, if it is a simple one.
    fn write_simple_key(&mut self, document: &Document<'_>, at: usize) -> Option<usize> {
        match document.node(at)? {
            Node::Text(text) => {
                let length = text.len();
                let analysis = text.analysis();
                if length == 0 || length + TAG_LENGTH >= KEY_LIMIT || analysis.multiline {
                    return None;
                }
                self.write_text(text, analysis, Place::SimpleKey);
            }
            Node::Plain { start, end } => {
                if end - start + TAG_LENGTH >= KEY_LIMIT {
                    return None;
                }
                self.write_node(document, at, Place::SimpleKey);
            }
            Node::Sequence { count, .. } | Node::Mapping { count, .. } if count > 0 => return None,
            _ => {
                self.write_node(document, at, Place::SimpleKey);
            }
        }
        self.write_indicator(b":", false);
        Some(at + 1)
    }

    fn write_empty(&mut self, opening: &[u8], closing: &[u8]) {
        self.write_indicator(opening, true);
        self.write_indicator(closing, false);
    }

    fn write_anchor(&mut self, indicator: u8, anchor: u32) {
        if anchor != UNANCHORED {
            let name = format!("{}id{anchor:03}", char::from(indicator));
            self.write_indicator(name.as_bytes(), true);
        }
    }

    fn increase_indent(&mut self, indentless: bool) {
        self.indent = match self.indent {
            None => Some(0),
            Some(indent) if indentless => Some(indent),
            Some(indent) => Some(indent + BEST_INDENT),
        };
        self.levels += 1;
    }

    pub(super) fn write_indicator(&mut self, indicator: &[u8], need_whitespace: bool) {
        self.write_spaced(indicator, need_whitespace);
        self.indention = false;
    }

    /// An indicator after which a collection may go on in the same line.
    fn write_bullet(&mut self, indicator: &[u8]) {
        self.write_spaced(indicator, true);
    }

    fn write_spaced(&mut self, indicator: &[u8], need_whitespace: bool) {
        if need_whitespace && !self.whitespace {
            self.out.push(b' ');
            self.column += 1;
        }
        self.out.extend_from_slice(indicator);
        self.column += indicator.len();
        self.whitespace = false;
        self.open_ended = false;
    }

    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.write_line_break();
        }
        if self.column < indent {
            self.whitespace = true;
            self.out.resize(self.out.len() + indent - self.column, b' ');
            self.column = indent;
        }
    }

    pub(super) fn write_line_break(&mut self) {
        self.whitespace = true;
        self.indention = true;
        self.column = 0;
        self.out.push(b'\n');
        // What SkyPilot adds: an empty line at the outermost level.
        if self.levels == 1 {
            self.out.push(b'\n');
        }
    }
}
