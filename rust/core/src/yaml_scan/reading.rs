//! Sizes in which libyaml asks a stream for its text, so that a file can be read to its end as the
//! original reads it.
//!
//! libyaml fills a buffer of bytes, decodes all complete characters in it and fills it again. `PyYAML`
//! gives it UTF-8: it asks the stream for as many *characters* as there is room for bytes, and keeps
//! what doesn't fit for the next time.

/// Bytes of libyaml's buffer.
pub const BUFFER: usize = 16 * 1024;
/// So many bytes libyaml wants before it decides what the encoding is.
const MARK: usize = 3;

/// Calls `read` for each of the reads that take in a whole text, the last of which finds nothing:
/// with the size that is asked for, and what is then read.
///
/// # Errors
/// That of `read`, which ends it.
pub fn reads<'t, E>(text: &'t str, mut read: impl FnMut(usize, &'t str) -> Result<(), E>) -> Result<(), E> {
    let is_ascii = text.is_ascii();
    // Ends of what is decoded, in the buffer, and read from the stream.
    let (mut decoded, mut buffered, mut taken) = (0, 0, 0);
    loop {
        let room = BUFFER - (buffered - decoded);
        if buffered == taken {
            let rest = &text[taken..];
            let end = if is_ascii { Some(room) } else { rest.char_indices().nth(room).map(|(index, _)| index) };
            let part = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
            read(room, part)?;
            taken += part.len();
        }
        if buffered == taken {
            return Ok(());
        }
        buffered += room.min(taken - buffered);
        if decoded > 0 || buffered >= MARK {
            decoded = (0..=buffered).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(buffered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::reads;

    fn sizes(text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut whole = String::new();
        let all = reads(text, |size, part| {
            found.push((size, part.chars().count()));
            whole.push_str(part);
            Ok::<(), ()>(())
        });
        assert_eq!(all, Ok(()));
        assert_eq!(whole, text);
        found
    }

    #[test]
    fn what_libyaml_asks_for() {
        const B: usize = 16384;
        for (text, expected) in [
            (String::new(), vec![(B, 0)]),
            ("a".to_owned(), vec![(B, 1), (B - 1, 0)]),
            ("é".to_owned(), vec![(B, 1), (B - 2, 0)]),
            ("abc".to_owned(), vec![(B, 3), (B, 0)]),
            ("a".repeat(B), vec![(B, B), (B, 0)]),
            ("a".repeat(B + 1), vec![(B, B), (B, 1), (B, 0)]),
            // What doesn't fit waits for the next filling, and a character may be cut.
            ("é".repeat(B), vec![(B, B), (B, 0)]),
            ("語".repeat(B), vec![(B, B), (B, 0)]),
            (format!("a{}", "é".repeat(B)), vec![(B, B), (B, 1), (B, 0)]),
            (format!("{}b", "語".repeat(B)), vec![(B, B), (B, 1), (B, 0)]),
        ] {
            assert_eq!(sizes(&text), expected, "{} bytes", text.len());
        }
    }
}
