//! YAML writer for `dump_yaml_str`: what `PyYAML`'s `SafeDumper` writes, with `SkyPilot`'s empty lines between
//! the entries of the outermost collection.
//!
//! The caller turns its objects into a [`Document`], a flat list of nodes in the order in which
//! they are written, and a [`Stream`] writes one document after the other. Since only plain data
//! is represented, and never in flow style, much of what the emitter can do has no part in this:
//! there are no tags, no block scalars, no flow collections but `[]` and `{}`, and all output is
//! ASCII.

mod document;
pub(crate) mod implicit;
mod scalar;
mod stream;
mod writers;

pub use document::Document;
pub use scalar::Text;
pub use stream::Stream;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Document, Stream, Text};

    fn written(fill: impl FnOnce(&mut Document<'_>)) -> String {
        let mut document = Document::new();
        fill(&mut document);
        let mut stream = Stream::new();
        stream.document(&document);
        String::from_utf8(stream.finish()).unwrap()
    }

    fn of_text(text: Text<'_>) -> String {
        let mut document = Document::new();
        document.mapping(1, None);
        document.text(text);
        document.sequence(2, None);
        document.text(text);
        document.mapping(1, None);
        document.text(text);
        document.text(text);
        let mut stream = Stream::new();
        stream.document(&document);
        String::from_utf8(stream.finish()).unwrap()
    }

    #[test]
    fn entries_of_the_outermost_mapping_are_set_apart() {
        let text = written(|document| {
            document.mapping(3, None);
            document.text(Text::Ucs1(b"name"));
            document.text(Text::Ucs1(b"a: b"));
            document.text(Text::Ucs1(b"on"));
            document.sequence(3, None);
            document.integer(-7);
            document.float(b"1e+17");
            document.sequence(0, None);
            document.boolean(true);
            document.mapping(1, None);
            document.null();
            document.text(Text::Ucs1(b""));
        });
        assert_eq!(text, "name: 'a: b'\n\n'on':\n- -7\n- 1.0e+17\n- []\n\ntrue:\n  null: ''\n");
    }

    #[test]
    fn what_is_met_again_gets_an_anchor() {
        let text = written(|document| {
            document.sequence(3, Some(1));
            document.mapping(0, Some(2));
            assert!(!document.alias(3));
            assert!(document.alias(1));
            assert!(document.alias(2));
        });
        assert_eq!(text, "&id001\n\n- &id002 {}\n\n- *id001\n\n- *id002\n");
    }

    #[test]
    fn documents_are_set_apart_and_open_ends_marked() {
        let mut document = Document::new();
        let mut stream = Stream::new();
        for number in 1..3 {
            document.clear();
            document.integer(number);
            stream.document(&document);
        }
        assert_eq!(stream.finish(), b"1\n--- 2\n...\n");
        assert!(Stream::new().finish().is_empty());
    }

    #[test]
    fn long_keys_are_complex() {
        let key = [b'k'; 123];
        let text = |length| {
            let mut document = Document::new();
            document.mapping(1, None);
            document.text(Text::Ucs1(&key[..length]));
            document.sequence(1, None);
            document.integer(1);
            let mut stream = Stream::new();
            stream.document(&document);
            String::from_utf8(stream.finish()).unwrap()
        };
        assert_eq!(text(122), format!("{}:\n- 1\n", "k".repeat(122)));
        assert_eq!(text(123), format!("? {}\n\n: - 1\n", "k".repeat(123)));
    }

    proptest! {
        #[test]
        fn the_width_in_which_a_text_is_kept_makes_no_difference(units in proptest::collection::vec(
            prop_oneof![Just(b' '), Just(b'\n'), Just(b'\''), Just(b':'), 0x20_u8..0x7f, any::<u8>()], 0..200,
        )) {
            let two: Vec<u16> = units.iter().map(|unit| u16::from(*unit)).collect();
            let four: Vec<u32> = units.iter().map(|unit| u32::from(*unit)).collect();
            let text = of_text(Text::Ucs1(&units));
            prop_assert!(text.is_ascii());
            prop_assert_eq!(&text, &of_text(Text::Ucs2(&two)));
            prop_assert_eq!(&text, &of_text(Text::Ucs4(&four)));
        }

        #[test]
        fn any_text_can_be_written(units in proptest::collection::vec(any::<u32>(), 0..200)) {
            let text = of_text(Text::Ucs4(&units));
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
        }
    }
}
