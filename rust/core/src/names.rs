//! Names that `SkyPilot` matches with regular expressions.

/// The expression that `is_variable` stands for, as `SkyPilot` writes it.
pub const VARIABLE: &[u8] = b"[a-zA-Z_][a-zA-Z0-9_]*";

/// `re.match(r'^[a-zA-Z0-9][a-zA-Z0-9-]*$', text)`: `$` is also before a newline at the very end.
#[inline]
pub fn is_user_hash_line(text: &[u8]) -> bool {
    is_user_hash(text.strip_suffix(b"\n").unwrap_or(text))
}

/// `re.fullmatch('[a-zA-Z0-9][a-zA-Z0-9-]*', text)`.
#[inline]
pub fn is_user_hash(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// `re.fullmatch('[a-zA-Z]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?', text)`.
#[inline]
pub fn is_cluster_name(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.last().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// `re.fullmatch(VARIABLE, text)`.
#[inline]
pub fn is_variable(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| !byte.is_ascii_digit())
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// What `str.strip` takes from the ends of ASCII text.
pub fn strip(mut text: &[u8]) -> &[u8] {
    let space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f | b' ');
    while let [first, rest @ ..] = text
        && space(first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && space(last)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{is_cluster_name, is_user_hash, is_user_hash_line, is_variable, strip};

    #[test]
    fn user_hashes() {
        for text in ["a", "0", "abcd1234", "sa-abc123-token-xyz", "Z-", "a--"] {
            assert!(is_user_hash(text.as_bytes()), "{text:?}");
            assert!(is_user_hash_line(text.as_bytes()), "{text:?}");
        }
        for text in ["", "-a", "\n", "a\n\n", "\na", "a b", "a_b", "a\r\n", "é", "a\0", "-\n"] {
            assert!(!is_user_hash(text.as_bytes()), "{text:?}");
            assert!(!is_user_hash_line(text.as_bytes()), "{text:?}");
        }
        assert!(is_user_hash_line(b"a\n") && !is_user_hash(b"a\n"));
    }

    #[test]
    fn cluster_names() {
        for text in ["a", "Z9", "a-b_c.d1", "a--1", "a...b"] {
            assert!(is_cluster_name(text.as_bytes()), "{text:?}");
        }
        for text in ["", "1a", "-a", "_", "a-", "a.", "a_", "a\n", "a b", "é", "a/b"] {
            assert!(!is_cluster_name(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn variables() {
        for text in ["a", "_", "_1", "HF_TOKEN", "a1"] {
            assert!(is_variable(text.as_bytes()), "{text:?}");
        }
        for text in ["", "1a", "a-b", "a\n", "a=b", "é", "a b", "."] {
            assert!(!is_variable(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn stripping() {
        assert_eq!(strip(b" \t\n\x0b\x0c\r\x1c\x1d\x1e\x1fa b\x1f \n"), b"a b");
        assert_eq!(strip(b" \n"), b"");
        assert_eq!(strip(b"\x1ba\x00\x7f"), b"\x1ba\x00\x7f");
    }
}
