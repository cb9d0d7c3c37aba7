//! Names of clusters on a cloud, for `make_cluster_name_on_cloud`.

use crate::{Decline, NativeResult, base36};

/// `re.sub(r'[._]', '-', name).lower()` of ASCII text.
pub fn on_cloud(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if matches!(byte, b'.' | b'_') { b'-' } else { byte.to_ascii_lowercase() }).collect()
}

/// What of a converted name is kept in front of the user's hash, and of the name's own hash
/// if it doesn't fit.
#[derive(Debug, PartialEq, Eq)]
pub struct Shortened<'a> {
    pub kept: &'a [u8],
    /// With the dash in front; empty if the whole name fits.
    pub hash: Vec<u8>,
}

/// Fits a converted name into `max_length` characters, of which the suffix takes its part.
///
/// # Errors
/// `Value` where the original fails its assertion, or beyond 64 bits.
pub fn fit<'a>(
    name: &[u8],
    converted: &'a [u8],
    max_length: Option<i64>,
    suffix: usize,
    hash_length: i64,
) -> NativeResult<Shortened<'a>> {
    let whole = Shortened { kept: converted, hash: Vec::new() };
    let Some(max_length) = max_length else { return Ok(whole) };
    let length = |count: usize| i64::try_from(count).map_err(|_| Decline::Value);
    let room = max_length.checked_sub(length(suffix)?).ok_or(Decline::Value)?;
    if length(converted.len())? <= room {
        return Ok(whole);
    }
    let hash_length = usize::try_from(hash_length).map_err(|_| Decline::Value)?;
    let left = room.checked_sub(length(hash_length)?).and_then(|left| left.checked_sub(1)).ok_or(Decline::Value)?;
    // Shorter than the name, which had no room.
    let left = usize::try_from(left).ok().filter(|left| *left > 0).ok_or(Decline::Value)?;
    let mut kept = converted.get(..left).ok_or(Decline::Value)?;
    while let [shorter @ .., b'-'] = kept {
        kept = shorter;
    }
    let hash = base36::encode(&hexadecimal(md5::compute(name).0), |digits| {
        let digits = &digits[..hash_length.min(digits.len())];
        Ok([b"-", digits].concat())
    })?;
    Ok(Shortened { kept, hash })
}

/// Formatting it would take as long as all the rest.
fn hexadecimal(digest: [u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{fit, on_cloud};
    use crate::Decline;

    fn name(name: &str, max_length: i64, suffix: &str) -> Result<String, Decline> {
        let converted = on_cloud(name.as_bytes());
        let fitted = fit(name.as_bytes(), &converted, Some(max_length), suffix.len(), 2)?;
        let parts = [fitted.kept, &fitted.hash, suffix.as_bytes()];
        Ok(String::from_utf8(parts.concat()).expect("ASCII"))
    }

    #[test]
    fn names() {
        assert_eq!(name("My.Cluster_1", 35, "-abcd1234").as_deref(), Ok("my-cluster-1-abcd1234"));
        assert_eq!(name("abcdef", 6, "").as_deref(), Ok("abcdef"));
        assert_eq!(name("abcdefg", 6, "").as_deref(), Ok("abc-79"));
        assert_eq!(name("a----efg", 6, "").as_deref(), Ok("a-45"));
    }

    #[test]
    fn what_fails_is_declined() {
        assert_eq!(name("abcdefg", 3, ""), Err(Decline::Value));
        assert_eq!(name("abcdefg", -1, ""), Err(Decline::Value));
        assert_eq!(name("abcdefg", i64::MIN, "-x"), Err(Decline::Value));
        assert_eq!(name("abcdefg", i64::MIN, ""), Err(Decline::Value));
        assert_eq!(name("abcdefg", 12, "-abcd1234"), Err(Decline::Value));
        assert!(name("abcdefg", 13, "-abcd1234").is_ok());
    }

    #[test]
    fn no_limit() {
        assert_eq!(fit(b"x", b"x", None, 9, 2).map(|fitted| fitted.hash), Ok(Vec::new()));
        assert_eq!(fit(b"xyz", b"xyz", Some(2), 0, -1), Err(Decline::Value));
        assert_eq!(fit(b"xyz", b"xyz", Some(2), 0, i64::MAX), Err(Decline::Value));
    }
}
