//! Values of literal and folded block scalars.

use super::Unit;
use super::scanner::{SPACE, TAB};

/// What becomes of the line breaks at the end.
#[derive(Clone, Copy)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

/// The value of a block scalar, which begins with its indicator and whose lines begin in that
/// column; its line breaks are `\n`.
pub(super) fn value<T: Unit>(text: &[T], column: usize) -> Option<Vec<T>> {
    let newline = T::from(b'\n');
    let header_end = text.iter().position(|unit| *unit == newline).unwrap_or(text.len());
    let header = &text[..header_end];
    let folded = header.first().map(|unit| (*unit).into()) == Some(u32::from(b'>'));
    let chomping = chomping(header);
    let mut rest = Rest { text: text.get(header_end + 1..).unwrap_or_default(), column };
    let mut value = Vec::with_capacity(rest.text.len());
    let mut at_content = rest.skip_breaks(&mut value);
    // What follows the last line of content, or goes before the first: its own line break, and those
    // of empty lines.
    let mut broken = false;
    let mut breaks = value.len();
    while at_content {
        let more_indented = is_blank(rest.text);
        let end = rest.text.iter().position(|unit| *unit == newline);
        value.extend_from_slice(&rest.text[..end.unwrap_or(rest.text.len())]);
        broken = end.is_some();
        rest.text = rest.text.get(end.map_or(rest.text.len(), |end| end + 1)..)?;
        let line_end = value.len();
        if broken {
            value.push(newline);
        }
        at_content = rest.skip_breaks(&mut value);
        breaks = value.len() - line_end - usize::from(broken);
        if at_content && folded && broken && !more_indented && !is_blank(rest.text) {
            // The line break is dropped, or a space stands for it if it is the only one.
            if breaks == 0 {
                value[line_end] = T::from(b' ');
            } else {
                value.pop();
            }
        }
    }
    let dropped = match chomping {
        Chomping::Keep => 0,
        Chomping::Clip => breaks,
        Chomping::Strip => breaks + usize::from(broken),
    };
    value.truncate(value.len().saturating_sub(dropped));
    Some(value)
}

fn is_blank<T: Unit>(text: &[T]) -> bool {
    text.first().is_some_and(|unit| matches!((*unit).into(), SPACE | TAB))
}

/// What the header says before its blanks and comment.
fn chomping<T: Unit>(header: &[T]) -> Chomping {
    let indicators = header.iter().skip(1).map(|unit| (*unit).into()).take_while(|character| *character != SPACE);
    for character in indicators {
        match u8::try_from(character) {
            Ok(b'+') => return Chomping::Keep,
            Ok(b'-') => return Chomping::Strip,
            _ => {}
        }
    }
    Chomping::Clip
}

/// What is left of the scalar.
struct Rest<'t, T> {
    text: &'t [T],
    column: usize,
}

impl<T: Unit> Rest<'_, T> {
    /// Steps over empty lines, whose breaks are added, and an indentation; whether a line of
    /// content follows.
    fn skip_breaks(&mut self, value: &mut Vec<T>) -> bool {
        loop {
            let spaces = self.text.iter().take(self.column).take_while(|unit| (**unit).into() == SPACE).count();
            self.text = &self.text[spaces..];
            match self.text.first() {
                Some(unit) if (*unit).into() == u32::from(b'\n') => {
                    value.push(*unit);
                    self.text = &self.text[1..];
                }
                first => return spaces == self.column && first.is_some(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn literal_and_folded_scalars() {
        for (text, column, expected) in [
            ("|", 2, ""),
            ("|\n", 2, ""),
            ("|+\n\n", 2, "\n"),
            ("|\n\n  \n", 2, ""),
            ("|\n  a\n", 2, "a\n"),
            ("|-\n  a\n\n", 2, "a"),
            ("|+ # c\n  a\n\n", 2, "a\n\n"),
            ("|\n  a", 2, "a"),
            ("|-2\n   a\n", 2, " a"),
            ("|\n\n  a\n\n    b\n\n\n", 2, "\na\n\n  b\n"),
            (">\n  a\n  b\n\n  c\n\n\n  d\n", 2, "a b\nc\n\nd\n"),
            (">-\n  a\n    b\n  c\n", 2, "a\n  b\nc"),
            (">\n  a\n\n    b\n\n  c\n", 2, "a\n\n  b\n\nc\n"),
            (">+\n  a\n\n\n", 2, "a\n\n\n"),
            (">\n\n  a", 2, "\na"),
            ("|- # +\n  a\n", 2, "a"),
        ] {
            let found = value(text.as_bytes(), column).map(|value| String::from_utf8(value).unwrap_or_default());
            assert_eq!(found.as_deref(), Some(expected), "{text:?}");
        }
    }
}
