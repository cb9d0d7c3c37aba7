//! Regular expressions: `re.search` for patterns of a small language, over ASCII texts.
//!
//! Taken are those whose meaning doesn't depend on how Python's engine goes about it: no
//! backreferences, no assertions but `^` and `$`, nothing repeated that may be empty. Whether
//! such a pattern is found anywhere is then a question about its language alone.

use super::Undecided;

/// Longer programs aren't made: repetitions are written out.
const MAX_PROGRAM: usize = 4096;
const MAX_NESTING: u32 = 32;
/// At most so many pairs of instruction and position are visited.
const MAX_VISITS: usize = 1 << 18;
/// Patterns that are remembered; a schema has a few.
const MAX_PATTERNS: usize = 64;

/// A set of ASCII characters, one bit each.
type Set = u128;

const ALL: Set = u128::MAX;
const NEWLINE: Set = 1 << b'\n';
const DIGITS: Set = range(b'0', b'9');
const LETTERS: Set = range(b'a', b'z') | range(b'A', b'Z');
const WORD: Set = LETTERS | DIGITS | 1 << b'_';
/// As `str.isspace` has it, with the four separators.
const SPACE: Set = range(b'\t', b'\r') | range(0x1c, 0x1f) | 1 << b' ';

const fn range(first: u8, last: u8) -> Set {
    (ALL >> (127 - (last - first))) << first
}

#[derive(Clone, Debug)]
enum Instruction {
    /// One character of the set.
    One(Set),
    /// Goes on at the next instruction, and at that one.
    Split(usize),
    Jump(usize),
    Start,
    End,
    Found,
}

/// A pattern that can be searched for.
#[derive(Clone, Debug)]
pub struct Pattern {
    program: Vec<Instruction>,
    anchored: bool,
}

/// Part of a pattern's syntax tree.
#[derive(Clone, Debug)]
enum Node {
    One(Set),
    Start,
    End,
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat { node: Box<Node>, least: u32, most: Option<u32> },
}

impl Node {
    fn may_be_empty(&self) -> bool {
        match self {
            Self::One(_) => false,
            Self::Start | Self::End => true,
            Self::Sequence(nodes) => nodes.iter().all(Self::may_be_empty),
            Self::Choice(nodes) => nodes.iter().any(Self::may_be_empty),
            Self::Repeat { node, least, .. } => *least == 0 || node.may_be_empty(),
        }
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    ignore_case: bool,
    depth: u32,
}

impl Parser<'_> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take_if(&mut self, text: &[u8]) -> bool {
        self.rest.strip_prefix(text).is_some_and(|rest| {
            self.rest = rest;
            true
        })
    }

    fn choice(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        let mut branches = vec![self.sequence()?];
        while self.take_if(b"|") {
            branches.push(self.sequence()?);
        }
        self.depth -= 1;
        if branches.len() == 1 { branches.pop() } else { Some(Node::Choice(branches)) }
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            let node = self.atom()?;
            nodes.push(self.repeated(node)?);
        }
        Some(Node::Sequence(nodes))
    }

    fn atom(&mut self) -> Option<Node> {
        Some(match self.take()? {
            b'^' => Node::Start,
            b'$' => Node::End,
            b'.' => Node::One(ALL & !NEWLINE),
            b'(' => return self.group(),
            b'[' => Node::One(self.class()?),
            b'\\' => Node::One(self.escape()?),
            b'*' | b'+' | b'?' | b'{' | b'}' | b']' => return None,
            literal => {
                let set = 1 << literal;
                let case = if self.ignore_case && literal.is_ascii_alphabetic() { 1 << (literal ^ 0x20) } else { 0 };
                Node::One(set | case)
            }
        })
    }

    fn group(&mut self) -> Option<Node> {
        let outer = self.ignore_case;
        if self.take_if(b"?") {
            if self.take_if(b"i") {
                self.ignore_case = true;
            }
            if !self.take_if(b":") {
                return None;
            }
        }
        let node = self.choice()?;
        self.ignore_case = outer;
        self.take_if(b")").then_some(node)
    }

    fn escape(&mut self) -> Option<Set> {
        Some(match self.take()? {
            b'd' => DIGITS,
            b'D' => !DIGITS,
            b'w' => WORD,
            b'W' => !WORD,
            b's' => SPACE,
            b'S' => !SPACE,
            b'n' => NEWLINE,
            b't' => 1 << b'\t',
            b'r' => 1 << b'\r',
            punctuation if punctuation.is_ascii_punctuation() => 1 << punctuation,
            _ => return None,
        })
    }

    /// The rest of a `[...]`.
    fn class(&mut self) -> Option<Set> {
        let negated = self.take_if(b"^");
        let mut set: Set = 0;
        let mut first = true;
        loop {
            let byte = self.take()?;
            // Python warns of what may once be set operations.
            let doubled = self.rest.first() == Some(&byte) && matches!(byte, b'-' | b'&' | b'~' | b'|');
            if byte == b'[' || doubled {
                return None;
            }
            if byte == b']' {
                break;
            }
            let is_range = self.rest.first() == Some(&b'-') && self.rest.get(1).is_some_and(|next| *next != b']');
            if byte == b'\\' {
                set |= self.escape()?;
                // Python's ranges may start with one of these.
                if self.rest.first() == Some(&b'-') && self.rest.get(1) != Some(&b']') {
                    return None;
                }
            } else if is_range {
                self.take();
                let high = self.take()?;
                if matches!(high, b'\\' | b'[' | b'-') || high < byte {
                    return None;
                }
                set |= range(byte, high);
            } else if byte == b'-' && !first && self.rest.first() != Some(&b']') {
                // A hyphen after a range.
                return None;
            } else {
                set |= 1 << byte;
            }
            first = false;
        }
        // How case is ignored within sets is another matter.
        if first || (self.ignore_case && set & LETTERS != 0) {
            return None;
        }
        Some(if negated { !set } else { set })
    }

    fn repeated(&mut self, node: Node) -> Option<Node> {
        let (least, most) = match self.rest.first() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => {
                self.take();
                let bounds = self.bounds()?;
                return self.repeat(node, bounds);
            }
            _ => return Some(node),
        };
        self.take();
        self.repeat(node, (least, most))
    }

    fn repeat(&mut self, node: Node, (least, most): (u32, Option<u32>)) -> Option<Node> {
        // Whether few or many are tried first doesn't matter.
        self.take_if(b"?");
        let another = matches!(self.rest.first(), Some(b'*' | b'+' | b'?' | b'{'));
        if another || node.may_be_empty() || most.is_some_and(|most| most < least) {
            return None;
        }
        Some(Node::Repeat { node: Box::new(node), least, most })
    }

    /// The rest of a `{m}`, `{m,}` or `{m,n}`.
    fn bounds(&mut self) -> Option<(u32, Option<u32>)> {
        let least = self.number()?;
        if self.take_if(b"}") {
            return Some((least, Some(least)));
        }
        if !self.take_if(b",") {
            return None;
        }
        if self.take_if(b"}") {
            return Some((least, None));
        }
        let most = self.number()?;
        self.take_if(b"}").then_some((least, Some(most)))
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=3).contains(&digits) {
            return None;
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Some(number.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
    }
}

impl Pattern {
    /// Reads a pattern; `None` if it isn't one of those that are known here.
    pub fn new(source: &[u8]) -> Option<Self> {
        if !source.is_ascii() {
            return None;
        }
        let mut parser = Parser { rest: source, ignore_case: false, depth: 0 };
        let node = parser.choice()?;
        // What is left is a parenthesis too many.
        if !parser.rest.is_empty() {
            return None;
        }
        let mut program = Vec::new();
        emit(&mut program, &node)?;
        program.push(Instruction::Found);
        let anchored = matches!(program.first(), Some(Instruction::Start));
        Some(Self { program, anchored })
    }

    /// Whether the pattern is found somewhere in an ASCII text.
    pub fn is_in(&self, text: &[u8]) -> Result<bool, Undecided> {
        let positions = text.len() + 1;
        let visits = self.program.len().checked_mul(positions).filter(|visits| *visits <= MAX_VISITS);
        let mut search = Search {
            program: &self.program,
            text,
            visited: vec![0; visits.ok_or(Undecided)?.div_ceil(64)],
            waiting: Vec::new(),
        };
        let starts = if self.anchored { 1 } else { positions };
        // What failed once at an instruction and a position fails there again.
        Ok((0..starts).any(|start| search.runs(start)))
    }
}

fn emit(program: &mut Vec<Instruction>, node: &Node) -> Option<()> {
    if program.len() > MAX_PROGRAM {
        return None;
    }
    match node {
        Node::One(set) => program.push(Instruction::One(*set)),
        Node::Start => program.push(Instruction::Start),
        Node::End => program.push(Instruction::End),
        Node::Sequence(nodes) => nodes.iter().try_for_each(|node| emit(program, node))?,
        Node::Choice(nodes) => {
            let (last, others) = nodes.split_last()?;
            let mut ends = Vec::new();
            for node in others {
                let split = hold(program);
                emit(program, node)?;
                ends.push(hold(program));
                program[split] = Instruction::Split(program.len());
            }
            emit(program, last)?;
            for end in ends {
                program[end] = Instruction::Jump(program.len());
            }
        }
        Node::Repeat { node, least, most } => {
            for _ in 0..*least {
                emit(program, node)?;
            }
            if let Some(most) = most {
                let mut splits = Vec::new();
                for _ in *least..*most {
                    splits.push(hold(program));
                    emit(program, node)?;
                }
                for split in splits {
                    program[split] = Instruction::Split(program.len());
                }
            } else {
                let split = hold(program);
                emit(program, node)?;
                program.push(Instruction::Jump(split));
                program[split] = Instruction::Split(program.len());
            }
        }
    }
    Some(())
}

/// Leaves room for an instruction that isn't known yet.
fn hold(program: &mut Vec<Instruction>) -> usize {
    program.push(Instruction::Found);
    program.len() - 1
}

struct Search<'a> {
    program: &'a [Instruction],
    text: &'a [u8],
    visited: Vec<u64>,
    /// Instructions and positions that are still to be tried.
    waiting: Vec<(usize, usize)>,
}

impl Search<'_> {
    /// Whether the pattern is found right at a position.
    fn runs(&mut self, start: usize) -> bool {
        self.waiting.push((0, start));
        while let Some((mut at, mut position)) = self.waiting.pop() {
            loop {
                match self.program[at] {
                    Instruction::One(set) => {
                        let Some(byte) = self.text.get(position) else { break };
                        if set >> byte & 1 == 0 {
                            break;
                        }
                        at += 1;
                        position += 1;
                    }
                    Instruction::Split(other) => {
                        // Only here do ways part, or meet again.
                        let visit = at * (self.text.len() + 1) + position;
                        let (word, bit) = (visit / 64, 1 << (visit % 64));
                        if self.visited[word] & bit != 0 {
                            break;
                        }
                        self.visited[word] |= bit;
                        self.waiting.push((other, position));
                        at += 1;
                    }
                    Instruction::Jump(target) => at = target,
                    Instruction::Start if position == 0 => at += 1,
                    Instruction::End if matches!(self.text[position..], [] | [b'\n']) => at += 1,
                    Instruction::Start | Instruction::End => break,
                    Instruction::Found => return true,
                }
            }
        }
        false
    }
}

/// Patterns by their text, so that a schema that is built anew needn't be read anew.
#[derive(Debug, Default)]
pub struct Patterns {
    known: Vec<(Box<[u8]>, Option<Pattern>)>,
}

impl Patterns {
    pub const fn new() -> Self {
        Self { known: Vec::new() }
    }

    /// Whether a pattern is found in a text, both ASCII.
    pub fn search(&mut self, source: &[u8], text: &[u8]) -> Result<bool, Undecided> {
        let position = self.known.iter().position(|(known, _)| **known == *source).unwrap_or_else(|| {
            if self.known.len() == MAX_PATTERNS {
                self.known.clear();
            }
            self.known.push((source.into(), Pattern::new(source)));
            self.known.len() - 1
        });
        self.known[position].1.as_ref().ok_or(Undecided)?.is_in(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    fn found(pattern: &str, text: &str) -> Option<bool> {
        Pattern::new(pattern.as_bytes()).map(|pattern| pattern.is_in(text.as_bytes()).unwrap())
    }

    #[test]
    fn known_answers() {
        for (pattern, text, answer) in [
            ("", "", true),
            ("b", "abc", true),
            ("^b", "abc", false),
            ("c$", "abc\n", true),
            ("c$", "abc\n\n", false),
            ("^[^\\n]*$", "a b", true),
            ("^[^\\n]*$", "a\nb", false),
            ("^(https|s3)://.+", "s3://x", true),
            ("^(https|s3)://.+", "s3://", false),
            ("^(?:(?i:(aws|gcp))(?:/[^/]+)?|\\*)$", "AwS/us", true),
            ("^(?:(?i:(aws|gcp))(?:/[^/]+)?|\\*)$", "aws/us/1", false),
            ("^(?:(?i:(aws|gcp))(?:/[^/]+)?|\\*)$", "*", true),
            ("^(?:x{2,3}|y)+$", "xxyxxx", true),
            ("^(?:x{2,3}|y)+$", "xyx", false),
            ("[a-c_.-]", "-", true),
            ("^\\d+\\s\\w$", "12\x1c_", true),
        ] {
            assert_eq!(found(pattern, text), Some(answer), "{pattern:?} in {text:?}");
        }
    }

    #[test]
    fn unknown_syntax_is_left_alone() {
        for pattern in [
            "(",
            ")",
            "a**",
            "a*+",
            "a++",
            "*",
            "(a*)*",
            "(?=a)",
            "(?P<n>a)",
            "\\b",
            "\\1",
            "\\Z",
            "a{",
            "a{,3}",
            "a{2,1}",
            "[",
            "[]",
            "[]a]",
            "[a",
            "[[:alpha:]]",
            "[a--b]",
            "[b-a]",
            "(?i:[a-z])",
            "(?i)a",
            "^*",
            "\u{e9}",
            "(?i:a",
            "a{1}{2}",
            "[\\d-z]",
            "(|a)+",
            "a{1000}",
            "\\x41",
            "\\",
            "[a-c-e]",
            "]",
            "}",
        ] {
            assert!(Pattern::new(pattern.as_bytes()).is_none(), "{pattern:?}");
        }
    }

    #[test]
    fn hard_ones_end() {
        let text = "a".repeat(60) + "!";
        assert_eq!(found("^(?:a+)+$", &text), Some(false));
        assert_eq!(found("(?:a|aa)+$", &text), Some(false));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_left(pattern in "[\\x00-\\x7f]{0,12}", text in "[\\x00-\\x7f]{0,12}") {
            if let Some(pattern) = Pattern::new(pattern.as_bytes()) {
                let _ = pattern.is_in(text.as_bytes());
            }
        }

        #[test]
        fn literal_texts_are_found(text in "[a-z /]{0,9}", around in "[a-z /\\n]{0,9}") {
            prop_assert_eq!(found(&text, &format!("{around}{text}{around}")), Some(true));
            prop_assert_eq!(found(&format!("^{text}$"), &around), Some(around.trim_end_matches('\n') == text
                && around.len() - text.len() < 2));
        }
    }
}
