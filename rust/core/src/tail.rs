//! The last lines of a file, read backwards in blocks.

use memchr::memrchr;

use crate::{Decline, NativeResult};

const FIRST_BLOCK: usize = 8 * 1024;
/// Each byte is looked at three times (newlines, ASCII, the copy), so a block had better stay
/// in the first caches; and so small a buffer comes from the heap, without page faults.
const LARGEST_BLOCK: usize = 64 * 1024;
/// A generous guess, so that one read is usually enough for a short tail.
const BYTES_PER_LINE: usize = 256;

/// Emits the last `count` lines of a file, the last one first, without their newlines.
///
/// Only `b'\n'` ends a line, and one at the very end of the file doesn't start another.
/// `read(buffer, offset)` fills the buffer from the file. No more than the lines of one
/// block, plus the longest line, is held at a time.
///
/// # Errors
/// `Os` if there is no memory for a line, and whatever `read` or `emit` return.
pub fn last_lines(
    size: u64,
    count: u64,
    mut read: impl FnMut(&mut [u8], u64) -> NativeResult<()>,
    mut emit: impl FnMut(&[u8]) -> NativeResult<()>,
) -> NativeResult<()> {
    if size == 0 || count == 0 {
        return Ok(());
    }
    let mut block = usize::try_from(count)
        .unwrap_or(LARGEST_BLOCK)
        .saturating_mul(BYTES_PER_LINE)
        .clamp(FIRST_BLOCK, LARGEST_BLOCK);
    // `buffer[..pending]` holds the file's bytes from `start` on that aren't emitted yet;
    // only `buffer[..unsearched]` may have a newline.
    let mut buffer = Vec::new();
    let mut start = size;
    let mut pending = 0;
    let mut unsearched = 0;
    let mut remaining = count;
    loop {
        if let Some(newline) = memrchr(b'\n', &buffer[..unsearched]) {
            emit(&buffer[newline + 1..pending])?;
            remaining -= 1;
            if remaining == 0 {
                return Ok(());
            }
            pending = newline;
            unsearched = newline;
            continue;
        }
        if start == 0 {
            return emit(&buffer[..pending]);
        }
        let first = start == size;
        let length = usize::try_from(start).unwrap_or(usize::MAX).min(block.max(pending));
        start -= length as u64;
        if buffer.len() < length + pending {
            let more = length + pending - buffer.len();
            buffer.try_reserve(more).map_err(|_| Decline::Os)?;
            buffer.resize(length + pending, 0);
        }
        buffer.copy_within(..pending, length);
        read(&mut buffer[..length], start)?;
        pending += length;
        unsearched = length;
        if first && buffer[pending - 1] == b'\n' {
            pending -= 1;
            unsearched = pending;
        }
        block = (block * 2).min(LARGEST_BLOCK);
    }
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_BLOCK, last_lines};
    use crate::Decline;
    use proptest::prelude::*;

    fn tail(content: &[u8], count: u64) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        last_lines(
            content.len() as u64,
            count,
            |buffer, offset| {
                let offset = usize::try_from(offset).unwrap();
                buffer.copy_from_slice(&content[offset..offset + buffer.len()]);
                Ok(())
            },
            |line| {
                lines.push(line.to_vec());
                Ok(())
            },
        )
        .expect("nothing fails here");
        lines.reverse();
        lines
    }

    fn expected(content: &[u8], count: usize) -> Vec<Vec<u8>> {
        if content.is_empty() || count == 0 {
            return Vec::new();
        }
        let body = content.strip_suffix(b"\n").unwrap_or(content);
        let lines: Vec<_> = body.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines[lines.len().saturating_sub(count)..].to_vec()
    }

    #[test]
    fn edges() {
        for content in [&b""[..], b"\n", b"\n\n", b"a", b"a\n", b"\na", b"a\n\n", b"\r\n"] {
            for count in 0..4 {
                assert_eq!(tail(content, count as u64), expected(content, count), "{content:?} {count}");
            }
        }
    }

    #[test]
    fn lines_longer_than_any_block() {
        let mut content = vec![b'x'; 3 * LARGEST_BLOCK];
        content.extend_from_slice(b"\nshort\n");
        content.extend(std::iter::repeat_n(b'y', LARGEST_BLOCK + 1));
        for count in 1..5 {
            assert_eq!(tail(&content, count as u64), expected(&content, count));
        }
    }

    #[test]
    fn failures_go_up() {
        let failing = last_lines(9, 1, |_, _| Err(Decline::Changed), |_| Ok(()));
        assert_eq!(failing, Err(Decline::Changed));
    }

    proptest! {
        #[test]
        fn agrees_with_splitting(lines in proptest::collection::vec("[a\r]{0,6000}", 0..8), count in 0usize..10, end: bool) {
            let mut content = lines.join("\n").into_bytes();
            if end { content.push(b'\n'); }
            prop_assert_eq!(tail(&content, count as u64), expected(&content, count));
        }
    }
}
