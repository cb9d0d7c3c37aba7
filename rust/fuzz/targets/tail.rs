//! The last lines of a file against a split of all of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sky_rs_core::tail::last_lines;

/// More than a few of the blocks in which a file is read.
const MAX_SIZE: usize = 400_000;

fuzz_target!(|input: (u8, Vec<(u8, u16)>)| {
    let (count, runs) = input;
    let mut content = Vec::new();
    for (byte, length) in runs {
        // Newlines one by one, since each is a line.
        let (byte, length) = if byte % 4 == 0 { (b'\n', usize::from(length % 4)) } else { (byte, length.into()) };
        content.extend(std::iter::repeat_n(byte, length.min(MAX_SIZE - content.len())));
    }
    let mut lines = Vec::new();
    let read = |buffer: &mut [u8], offset: u64| {
        let offset = usize::try_from(offset).expect("it lies within the content");
        buffer.copy_from_slice(&content[offset..][..buffer.len()]);
        Ok(())
    };
    let emit = |line: &[u8]| {
        lines.push(line.to_vec());
        Ok(())
    };
    last_lines(content.len() as u64, count.into(), read, emit).expect("nothing fails here");
    let body = content.strip_suffix(b"\n").unwrap_or(&content);
    let mut expected: Vec<&[u8]> = body.rsplit(|byte| *byte == b'\n').take(count.into()).collect();
    if content.is_empty() {
        expected.clear();
    }
    assert_eq!(lines, expected);
});
