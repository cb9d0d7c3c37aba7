//! Inputs shared by fuzz targets: values, and texts in every width in which CPython keeps them.

pub mod events;
pub mod value;

/// The code points of a text that a fuzzer made: whatever of it is UTF-8, else Latin-1.
pub fn code_points(data: &[u8]) -> Vec<u32> {
    match std::str::from_utf8(data) {
        Ok(text) => text.chars().map(u32::from).collect(),
        Err(_) => data.iter().map(|byte| u32::from(*byte)).collect(),
    }
}

/// A text in the narrower widths that can hold it.
pub fn narrowed(text: &[u32]) -> (Option<Vec<u8>>, Option<Vec<u16>>) {
    (
        text.iter().map(|unit| u8::try_from(*unit).ok()).collect(),
        text.iter().map(|unit| u16::try_from(*unit).ok()).collect(),
    )
}
