//! Search for what `remove_color` and `_redact_secrets_values` take out of a text.

/// A code unit of a `str`.
pub trait Unit: Copy + PartialEq + From<u8> {
    /// The first place of an ASCII character.
    fn find(text: &[Self], character: u8) -> Option<usize> {
        const BLOCK: usize = 32;
        let character = Self::from(character);
        // All of a block is counted, so that it is compared at once.
        let has_it = |block: &[Self]| block.iter().filter(|unit| **unit == character).count() > 0;
        let (blocks, _) = text.as_chunks::<BLOCK>();
        let start = blocks.iter().take_while(|block| !has_it(*block)).count() * BLOCK;
        text[start..].iter().position(|unit| *unit == character).map(|position| start + position)
    }
}

impl Unit for u8 {
    fn find(text: &[Self], character: u8) -> Option<usize> {
        memchr::memchr(character, text)
    }
}
impl Unit for u16 {}
impl Unit for u32 {}

/// `re.sub('\x1b[^m]*m', '', text)`, or `None` if there is nothing to take out.
pub fn without_color<T: Unit>(text: &[T]) -> Option<Vec<T>> {
    let mut rest = text;
    let mut kept = None::<Vec<T>>;
    while let Some(start) = T::find(rest, b'\x1b') {
        // Without an end there is none for later starts either.
        let Some(length) = T::find(&rest[start..], b'm') else { break };
        kept.get_or_insert_with(|| Vec::with_capacity(text.len())).extend_from_slice(&rest[..start]);
        rest = &rest[start + length + 1..];
    }
    if let Some(kept) = &mut kept {
        kept.extend_from_slice(rest);
    }
    kept
}

/// The parts of a text that `re.sub('^(.{skip}[^=]+)=.*', …)` keeps: in front of the equals
/// sign, and from the end of that line on. `None` if it doesn't match.
pub fn around_value<T: Unit>(text: &[T], skip: usize) -> Option<(&[T], &[T])> {
    let equals = skip + T::find(text.get(skip..)?, b'=')?;
    if equals == skip {
        return None;
    }
    let (key, value) = text.split_at(equals);
    let end = T::find(value, b'\n').unwrap_or(value.len());
    Some((key, &value[end..]))
}

#[cfg(test)]
mod tests {
    use super::{Unit as _, around_value, without_color};

    #[test]
    fn colors() {
        for (text, expected) in [
            ("", None),
            ("plain m", None),
            ("\x1b[31", None),
            ("m\x1b", None),
            ("\x1b[31mred\x1b[0m", Some("red")),
            ("\x1b\n\x1b[1;2m!", Some("!")),
            ("a\x1bmb\x1b[", Some("ab\x1b[")),
            ("\x1bm", Some("")),
        ] {
            assert_eq!(without_color(text.as_bytes()).as_deref(), expected.map(str::as_bytes), "{text:?}");
            let wide: Vec<u32> = text.chars().map(u32::from).collect();
            let expected: Option<Vec<u32>> = expected.map(|text| text.chars().map(u32::from).collect());
            assert_eq!(without_color(&wide), expected);
        }
    }

    #[test]
    fn every_place_of_a_wide_character() {
        for length in 0..100 {
            assert_eq!(u32::find(&vec![5; length], b'm'), None);
            for place in 0..length {
                let mut text = vec![0x16d_u16; length];
                text[place..].fill(u16::from(b'm'));
                assert_eq!(u16::find(&text, b'm'), Some(place));
            }
        }
    }

    #[test]
    fn values() {
        for (text, skip, expected) in [
            ("A=b", 0, Some(("A", ""))),
            ("A=", 0, Some(("A", ""))),
            ("A=b=c\nd=e", 0, Some(("A", "\nd=e"))),
            ("A\nB=c", 0, Some(("A\nB", ""))),
            ("=b", 0, None),
            ("A", 0, None),
            ("", 0, None),
            ("--x=A=b", 4, Some(("--x=A", ""))),
            ("--x==b", 4, None),
            ("--x=", 4, None),
            ("--x", 4, None),
        ] {
            let expected = expected.map(|(key, rest): (&str, &str)| (key.as_bytes(), rest.as_bytes()));
            assert_eq!(around_value(text.as_bytes(), skip), expected, "{text:?}");
        }
    }
}
