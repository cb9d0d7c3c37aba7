//! Parser: from tokens to the nodes that `yaml.parser.Parser` and `yaml.composer.Composer` make.

use super::token::{Kind, Token};
use crate::{Decline, NativeResult};

/// What is told of the nodes, in their order in the text: a mapping's keys and values by turns.
/// `anchor` is the token of a node's anchor, if it has one.
pub(super) trait Nodes {
    /// A scalar, or none where it was left out: its value is empty.
    fn scalar(&mut self, token: Option<Token>, anchor: Option<Token>) -> NativeResult<()>;
    /// A collection, which must decline to be nested too deeply.
    fn begin(&mut self, mapping: bool, anchor: Option<Token>) -> NativeResult<()>;
    fn end(&mut self) -> NativeResult<()>;
    /// A node that stands elsewhere already.
    fn alias(&mut self, token: Token) -> NativeResult<()>;
    fn end_document(&mut self);
}

/// What comes next: the methods of the original's parser.
#[derive(Clone, Copy)]
enum State {
    DocumentEnd,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceEntry { first: bool },
    FlowSequenceEntryMappingKey,
    FlowSequenceEntryMappingValue,
    FlowSequenceEntryMappingEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue,
    FlowMappingEmptyValue,
}

struct Parser<'t, N> {
    tokens: &'t [Token],
    /// What comes after the node that is parsed.
    states: Vec<State>,
    nodes: N,
}

/// Tells of all nodes of a stream, whose last token is `StreamEnd`.
///
/// # Errors
/// `Value` where the original would raise; what `nodes` declines.
pub(super) fn parse(tokens: &[Token], nodes: impl Nodes) -> NativeResult<()> {
    Parser { tokens, states: Vec::new(), nodes }.stream()
}

impl<N: Nodes> Parser<'_, N> {
    fn peek(&self) -> Kind {
        self.tokens.first().map_or(Kind::StreamEnd, |token| token.kind)
    }

    fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    /// Steps over a token of that kind, if one is next.
    fn accept(&mut self, kind: Kind) -> bool {
        let accepted = self.peek() == kind;
        if accepted {
            self.skip();
        }
        accepted
    }

    fn stream(&mut self) -> NativeResult<()> {
        if !matches!(self.peek(), Kind::DocumentStart | Kind::StreamEnd) {
            self.states.push(State::DocumentEnd);
            self.node(true, false)?;
            self.document()?;
        }
        loop {
            while self.accept(Kind::DocumentEnd) {}
            if self.peek() == Kind::StreamEnd {
                return Ok(());
            }
            if !self.accept(Kind::DocumentStart) {
                return Err(Decline::Value);
            }
            if matches!(self.peek(), Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd) {
                self.nodes.scalar(None, None)?;
            } else {
                self.states.push(State::DocumentEnd);
                self.node(true, false)?;
                self.document()?;
            }
        }
    }

    /// The rest of a document whose root node has been begun.
    fn document(&mut self) -> NativeResult<()> {
        while let Some(state) = self.states.pop() {
            match state {
                State::DocumentEnd => {
                    self.nodes.end_document();
                    return Ok(());
                }
                State::BlockSequenceEntry => self.block_sequence_entry()?,
                State::IndentlessSequenceEntry => self.indentless_sequence_entry()?,
                State::BlockMappingKey => self.block_mapping_key()?,
                State::BlockMappingValue => self.block_mapping_value()?,
                State::FlowSequenceEntry { first } => self.flow_sequence_entry(first)?,
                State::FlowSequenceEntryMappingKey => self.flow_sequence_entry_mapping_key()?,
                State::FlowSequenceEntryMappingValue => self.flow_sequence_entry_mapping_value()?,
                State::FlowSequenceEntryMappingEnd => {
                    self.nodes.end()?;
                    self.states.push(State::FlowSequenceEntry { first: false });
                }
                State::FlowMappingKey { first } => self.flow_mapping_key(first)?,
                State::FlowMappingValue => self.flow_mapping_value()?,
                State::FlowMappingEmptyValue => self.empty(State::FlowMappingKey { first: false })?,
            }
        }
        Ok(())
    }

    /// The next node: a scalar as a whole, of a collection the beginning.
    fn node(&mut self, block: bool, indentless_sequence: bool) -> NativeResult<()> {
        if let Some(alias) = self.take(Kind::Alias) {
            return self.nodes.alias(alias);
        }
        let anchor = self.take(Kind::Anchor);
        match self.peek() {
            Kind::Scalar(_) => {
                let token = self.tokens.first().copied();
                self.skip();
                self.nodes.scalar(token, anchor)
            }
            // The entry itself is looked at next.
            Kind::BlockEntry if indentless_sequence => self.begin(false, anchor, State::IndentlessSequenceEntry),
            Kind::FlowSequenceStart => self.begin_after(false, anchor, State::FlowSequenceEntry { first: true }),
            Kind::FlowMappingStart => self.begin_after(true, anchor, State::FlowMappingKey { first: true }),
            Kind::BlockSequenceStart if block => self.begin_after(false, anchor, State::BlockSequenceEntry),
            Kind::BlockMappingStart if block => self.begin_after(true, anchor, State::BlockMappingKey),
            // With an anchor a node may be left out.
            _ if anchor.is_some() => self.nodes.scalar(None, anchor),
            _ => Err(Decline::Value),
        }
    }

    /// The next token, if it is of that kind.
    fn take(&mut self, kind: Kind) -> Option<Token> {
        let token = self.tokens.first().copied().filter(|token| token.kind == kind);
        if token.is_some() {
            self.skip();
        }
        token
    }

    fn begin_after(&mut self, mapping: bool, anchor: Option<Token>, state: State) -> NativeResult<()> {
        self.skip();
        self.begin(mapping, anchor, state)
    }

    fn begin(&mut self, mapping: bool, anchor: Option<Token>, state: State) -> NativeResult<()> {
        self.states.push(state);
        self.nodes.begin(mapping, anchor)
    }

    /// A node that was left out.
    fn empty(&mut self, then: State) -> NativeResult<()> {
        self.states.push(then);
        self.nodes.scalar(None, None)
    }

    /// A node, unless one of `these` is next.
    fn node_unless(&mut self, these: &[Kind], block: bool, then: State) -> NativeResult<()> {
        if these.contains(&self.peek()) {
            return self.empty(then);
        }
        self.states.push(then);
        self.node(block, block && !matches!(then, State::BlockSequenceEntry | State::IndentlessSequenceEntry))
    }

    fn block_sequence_entry(&mut self) -> NativeResult<()> {
        if self.accept(Kind::BlockEntry) {
            self.node_unless(&[Kind::BlockEntry, Kind::BlockEnd], true, State::BlockSequenceEntry)
        } else if self.accept(Kind::BlockEnd) {
            self.nodes.end()
        } else {
            Err(Decline::Value)
        }
    }

    fn indentless_sequence_entry(&mut self) -> NativeResult<()> {
        if self.accept(Kind::BlockEntry) {
            let these = [Kind::BlockEntry, Kind::Key, Kind::Value, Kind::BlockEnd];
            self.node_unless(&these, true, State::IndentlessSequenceEntry)
        } else {
            self.nodes.end()
        }
    }

    fn block_mapping_key(&mut self) -> NativeResult<()> {
        if self.accept(Kind::Key) {
            self.node_unless(&[Kind::Key, Kind::Value, Kind::BlockEnd], true, State::BlockMappingValue)
        } else if self.accept(Kind::BlockEnd) {
            self.nodes.end()
        } else {
            Err(Decline::Value)
        }
    }

    fn block_mapping_value(&mut self) -> NativeResult<()> {
        if self.accept(Kind::Value) {
            self.node_unless(&[Kind::Key, Kind::Value, Kind::BlockEnd], true, State::BlockMappingKey)
        } else {
            self.empty(State::BlockMappingKey)
        }
    }

    fn flow_sequence_entry(&mut self, first: bool) -> NativeResult<()> {
        if self.accept(Kind::FlowSequenceEnd) {
            return self.nodes.end();
        }
        if !first && !self.accept(Kind::FlowEntry) {
            return Err(Decline::Value);
        }
        match self.peek() {
            Kind::Key => self.begin(true, None, State::FlowSequenceEntryMappingKey),
            Kind::FlowSequenceEnd => {
                self.skip();
                self.nodes.end()
            }
            _ => {
                self.states.push(State::FlowSequenceEntry { first: false });
                self.node(false, false)
            }
        }
    }

    fn flow_sequence_entry_mapping_key(&mut self) -> NativeResult<()> {
        self.skip();
        let these = [Kind::Value, Kind::FlowEntry, Kind::FlowSequenceEnd];
        self.node_unless(&these, false, State::FlowSequenceEntryMappingValue)
    }

    fn flow_sequence_entry_mapping_value(&mut self) -> NativeResult<()> {
        if self.accept(Kind::Value) {
            let these = [Kind::FlowEntry, Kind::FlowSequenceEnd];
            self.node_unless(&these, false, State::FlowSequenceEntryMappingEnd)
        } else {
            self.empty(State::FlowSequenceEntryMappingEnd)
        }
    }

    fn flow_mapping_key(&mut self, first: bool) -> NativeResult<()> {
        if self.accept(Kind::FlowMappingEnd) {
            return self.nodes.end();
        }
        if !first && !self.accept(Kind::FlowEntry) {
            return Err(Decline::Value);
        }
        match self.peek() {
            Kind::Key => {
                self.skip();
                let these = [Kind::Value, Kind::FlowEntry, Kind::FlowMappingEnd];
                self.node_unless(&these, false, State::FlowMappingValue)
            }
            Kind::FlowMappingEnd => {
                self.skip();
                self.nodes.end()
            }
            _ => {
                self.states.push(State::FlowMappingEmptyValue);
                self.node(false, false)
            }
        }
    }

    fn flow_mapping_value(&mut self) -> NativeResult<()> {
        if self.accept(Kind::Value) {
            let these = [Kind::FlowEntry, Kind::FlowMappingEnd];
            self.node_unless(&these, false, State::FlowMappingKey { first: false })
        } else {
            self.empty(State::FlowMappingKey { first: false })
        }
    }
}
