//! Tokens of the scanner.

/// A token's kind; tags and directives are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowMappingStart,
    FlowSequenceEnd,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Anchor,
    Alias,
    Scalar(Scalar),
}

/// How the value of a scalar relates to its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// Without quotes on one line: the value is what stands between the token's ends.
    Plain,
    /// Between quotes on one line; the value is the text as it stands.
    Verbatim,
    /// Between single quotes on one line, with doubled ones in it.
    Quoted,
    /// Between double quotes on one line, with escapes in it.
    Escaped,
    /// Over several lines; a key is never like that unless `?` is before it.
    Folded,
    /// After `|` or `>`, with the column in which its lines begin.
    Block(u16),
}

/// A token and where its value is in the text: that of a scalar, or the name of an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
}
