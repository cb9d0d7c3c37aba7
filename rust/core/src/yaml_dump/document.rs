//! Document of the serializer: its nodes, flattened in the order of their writing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write as _;

use super::scalar::Text;
use crate::{Decline, NativeResult};

/// A node. The items of a collection follow it; those of a mapping are keys and values in turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    Text(Text<'a>),
    /// A number, a boolean or null, which is always written plainly: its place in `plain`.
    Plain {
        start: usize,
        end: usize,
    },
    Sequence {
        count: usize,
        anchor: u32,
    },
    Mapping {
        count: usize,
        anchor: u32,
    },
    /// The number of the anchor that it names; which collection that is doesn't show.
    Alias {
        anchor: u32,
    },
}

/// No anchor; the first one that is given is 1.
pub(super) const UNANCHORED: u32 = 0;

/// The nodes of one document.
#[derive(Debug, Default)]
pub struct Document<'a> {
    nodes: Vec<Node<'a>>,
    plain: Vec<u8>,
    /// Where collections that may be met again stand in `nodes`, by identity.
    known: HashMap<usize, usize, BuildHasherDefault<Spread>>,
    anchors: u32,
    /// In all texts.
    characters: usize,
}

impl<'a> Document<'a> {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all nodes: anchors hold within one document.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.plain.clear();
        self.known.clear();
        self.anchors = 0;
        self.characters = 0;
    }

    /// Makes sure of the memory for so many nodes more.
    ///
    /// # Errors
    /// `Os` if there is none.
    pub fn make_room(&mut self, nodes: usize) -> NativeResult<()> {
        self.nodes.try_reserve(nodes).map_err(|_| Decline::Os)
    }

    /// About how many bytes it takes to write all of it.
    pub fn written(&self) -> usize {
        /// Indentation, indicators, a number.
        const A_NODE: usize = 32;
        self.nodes.len() * A_NODE + self.characters * 2
    }

    /// Adds a `str`.
    pub fn text(&mut self, text: Text<'a>) {
        self.characters += text.len();
        self.nodes.push(Node::Text(text));
    }

    /// Adds `None`.
    pub fn null(&mut self) {
        self.word(b"null");
    }

    /// Adds a `bool`.
    pub fn boolean(&mut self, value: bool) {
        self.word(if value { b"true" } else { b"false" });
    }

    /// Adds an `int`.
    pub fn integer(&mut self, value: i64) {
        let start = self.plain.len();
        // Writing to a vector can't fail.
        let _ = write!(self.plain, "{value}");
        self.nodes.push(Node::Plain { start, end: self.plain.len() });
    }

    /// Adds an `int` that is given by its digits.
    pub fn digits(&mut self, digits: &[u8]) {
        self.word(digits);
    }

    /// Adds a `float` that is given by Python's `repr`.
    pub fn float(&mut self, repr: &[u8]) {
        match repr {
            b"nan" => self.word(b".nan"),
            b"inf" => self.word(b".inf"),
            b"-inf" => self.word(b"-.inf"),
            _ => match repr.iter().position(|byte| *byte == b'e') {
                // YAML 1.1 has no floats without a point.
                Some(exponent) if !repr.contains(&b'.') => {
                    let start = self.plain.len();
                    self.plain.extend_from_slice(&repr[..exponent]);
                    self.plain.extend_from_slice(b".0");
                    self.plain.extend_from_slice(&repr[exponent..]);
                    self.nodes.push(Node::Plain { start, end: self.plain.len() });
                }
                _ => self.word(repr),
            },
        }
    }

    /// If the collection was met before, adds an alias of it, and says so.
    pub fn alias(&mut self, identity: usize) -> bool {
        let Some(at) = self.known.get(&identity) else { return false };
        if let Node::Sequence { anchor, .. } | Node::Mapping { anchor, .. } = &mut self.nodes[*at] {
            // Anchors are numbered in the order in which collections turn out to need them.
            if *anchor == UNANCHORED {
                self.anchors += 1;
                *anchor = self.anchors;
            }
            let anchor = *anchor;
            self.nodes.push(Node::Alias { anchor });
        }
        true
    }

    /// Adds a sequence of so many items, which have to follow. One with an identity may be met
    /// again.
    pub fn sequence(&mut self, count: usize, identity: Option<usize>) {
        self.collection(Node::Sequence { count, anchor: UNANCHORED }, identity);
    }

    /// Adds a mapping of so many entries, whose keys and values have to follow in turn.
    pub fn mapping(&mut self, count: usize, identity: Option<usize>) {
        self.collection(Node::Mapping { count, anchor: UNANCHORED }, identity);
    }

    fn collection(&mut self, node: Node<'a>, identity: Option<usize>) {
        if let Some(identity) = identity {
            self.known.insert(identity, self.nodes.len());
        }
        self.nodes.push(node);
    }

    fn word(&mut self, word: &[u8]) {
        let start = self.plain.len();
        self.plain.extend_from_slice(word);
        self.nodes.push(Node::Plain { start, end: self.plain.len() });
    }

    pub(super) fn node(&self, at: usize) -> Option<Node<'a>> {
        self.nodes.get(at).copied()
    }

    pub(super) fn plain(&self, start: usize, end: usize) -> &[u8] {
        &self.plain[start..end]
    }
}

/// A hasher for identities, which are addresses: all but the lowest bits differ already.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, number: usize) {
        // The golden ratio; the upper half of the product depends on all bits.
        let product = (self.0 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}
