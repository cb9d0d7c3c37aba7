//! Numbers as the kernel prints them.

/// Parses an optional minus sign and decimal digits; anything else is `None`, although
/// Python's `int()` and `float()` accept more.
pub(crate) fn plain_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Splits at the white space that the kernel prints.
pub(crate) fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b' ' | b'\n' | b'\t')).filter(|field| !field.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{fields, plain_integer};

    #[test]
    fn integers() {
        assert_eq!(plain_integer(b"-1"), Some(-1));
        assert_eq!(plain_integer(b"9223372036854771712"), Some(9_223_372_036_854_771_712));
        for odd in [&b""[..], b"-", b"+1", b"1_0", b"1e5", b" 1", b"99999999999999999999"] {
            assert_eq!(plain_integer(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn splitting() {
        assert_eq!(fields(b" max\t100000\n").collect::<Vec<_>>(), [&b"max"[..], b"100000"]);
        assert_eq!(fields(b"\n").count(), 0);
    }
}
