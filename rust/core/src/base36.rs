//! Conversion from hexadecimal to base 36, as `base36_encode(hex_str)` does it with `int(hex_str, 16)`.

use crate::{Decline, NativeResult};

/// 36^12 is the largest power of 36 below 2^64: one division of the whole number by it
/// yields twelve digits.
const CHUNK: u64 = 36u64.pow(12);
const CHUNK_DIGITS: usize = 12;

/// Longer inputs go to the original, which Ctrl-C can stop; the conversion is quadratic.
const MAX_DIGITS: usize = 16 * 1024;

/// Numbers up to this many 64-bit limbs (SHA-512) are converted without allocating.
const INLINE_LIMBS: usize = 8;
const INLINE_CHUNKS: usize = chunks(INLINE_LIMBS);
const INLINE_DIGITS: usize = INLINE_CHUNKS * CHUNK_DIGITS;

/// How many chunks a number of so many limbs has at the most: 64 bits are 12.38 digits.
const fn chunks(limbs: usize) -> usize {
    limbs + limbs / 16 + 1
}

/// Converts what `int(text, 16)` accepts, if it isn't negative, and hands the digits to
/// `emit`.
///
/// # Errors
/// `Value` for anything else: the original raises, or never returns (negative numbers).
#[inline]
pub fn encode<T>(text: &[u8], emit: impl FnOnce(&[u8]) -> NativeResult<T>) -> NativeResult<T> {
    let digits = strip_prefix(trim(text))?;
    let capacity = digits.len().div_ceil(16);
    if capacity <= INLINE_LIMBS {
        let mut limbs = [0u64; INLINE_LIMBS];
        let mut out = [0u8; INLINE_DIGITS];
        emit(convert(digits, &mut limbs[..capacity], &mut out)?)
    } else if digits.len() <= MAX_DIGITS {
        let mut limbs = vec![0u64; capacity];
        let mut out = vec![0u8; chunks(capacity) * CHUNK_DIGITS];
        emit(convert(digits, &mut limbs, &mut out)?)
    } else {
        Err(Decline::Value)
    }
}

fn convert<'o>(digits: &[u8], limbs: &mut [u64], out: &'o mut [u8]) -> NativeResult<&'o [u8]> {
    if !parse_plain(digits, limbs) {
        parse(digits, limbs)?;
    }
    Ok(write(limbs, out))
}

/// Strips what `int()` strips from ASCII text: what C's `isspace` knows. The separators 0x1c
/// to 0x1f, which are white space to `str.strip()`, count only beside letters beyond ASCII.
fn trim(mut text: &[u8]) -> &[u8] {
    const fn is_space(byte: u8) -> bool {
        matches!(byte, b' ' | 0x09..=0x0d)
    }
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

/// Strips a plus sign and `0x`, which may be followed by one underscore.
fn strip_prefix(text: &[u8]) -> NativeResult<&[u8]> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digits = match text {
        [b'0', b'x' | b'X', b'_', rest @ ..] | [b'0', b'x' | b'X', rest @ ..] => rest,
        _ => text,
    };
    if digits.is_empty() { Err(Decline::Value) } else { Ok(digits) }
}

/// What is no digit has this bit, and no digit has it.
const INVALID: u8 = 0x80;

/// Values of the hexadecimal digits.
const HEXADECIMAL: [u8; 256] = {
    let mut values = [INVALID; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        values[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Parses hexadecimal digits, and nothing else, into little-endian limbs. Returns false if
/// there is anything else.
fn parse_plain(digits: &[u8], limbs: &mut [u64]) -> bool {
    let mut seen = 0;
    for (limb, digits) in limbs.iter_mut().zip(digits.rchunks(16)) {
        *limb = digits.iter().fold(0, |limb, digit| {
            let value = HEXADECIMAL[usize::from(*digit)];
            seen |= value;
            (limb << 4) | u64::from(value)
        });
    }
    seen & INVALID == 0
}

/// Parses hexadecimal digits with single underscores between them into little-endian limbs.
#[cold]
fn parse(digits: &[u8], limbs: &mut [u64]) -> NativeResult<()> {
    limbs.fill(0);
    let mut position = 0;
    let mut after_digit = false;
    for &byte in digits.iter().rev() {
        if byte == b'_' {
            if !after_digit {
                return Err(Decline::Value);
            }
            after_digit = false;
            continue;
        }
        let value = HEXADECIMAL[usize::from(byte)];
        if value == INVALID {
            return Err(Decline::Value);
        }
        after_digit = true;
        limbs[position / 16] |= u64::from(value) << (position % 16 * 4);
        position += 1;
    }
    if after_digit { Ok(()) } else { Err(Decline::Value) }
}

/// The two digits of every number below 36^2.
const PAIRS: [[u8; 2]; 1296] = {
    let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut pairs = [[0; 2]; 1296];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [alphabet[number / 36], alphabet[number % 36]];
        number += 1;
    }
    pairs
};

/// Divides the limbs down to nothing and writes the base-36 digits to the end of `out`;
/// gives back the part that holds them.
fn write<'o>(mut limbs: &mut [u64], out: &'o mut [u8]) -> &'o [u8] {
    let mut start = out.len();
    loop {
        while let [shorter @ .., 0] = limbs {
            limbs = shorter;
        }
        let mut chunk = match limbs {
            [] => break,
            [last] if *last < CHUNK => std::mem::take(last),
            _ => divide(limbs),
        };
        let (rest, digits) = out[..start].split_last_chunk_mut::<CHUNK_DIGITS>().unwrap_or_else(|| unreachable!());
        start = rest.len();
        for pair in digits.as_chunks_mut::<2>().0.iter_mut().rev() {
            *pair = PAIRS[(chunk % 1296) as usize];
            chunk /= 1296;
        }
    }
    let zeros = out[start..].iter().take_while(|digit| **digit == b'0').count();
    start += zeros;
    if start == out.len() { b"0" } else { &out[start..] }
}

/// The divisor with its highest bit set, and what Möller and Granlund's division ("Improved
/// division by invariant integers", 2011) needs in place of a reciprocal. A division of 128
/// bits by 64 is a slow library call otherwise.
const SHIFT: u32 = CHUNK.leading_zeros();
const NORMALIZED: u64 = CHUNK << SHIFT;
#[expect(clippy::cast_possible_truncation, reason = "the divisor is at least 2^63, so the quotient is below 2^65")]
const RECIPROCAL: u64 = (u128::MAX / NORMALIZED as u128 - (1 << 64)) as u64;

/// Divides in place by `CHUNK` and returns the remainder.
fn divide(limbs: &mut [u64]) -> u64 {
    // The number is shifted as the divisor is; the quotient stays the same.
    let mut remainder = limbs.last().map_or(0, |top| top >> (64 - SHIFT));
    for index in (0..limbs.len()).rev() {
        let below = if index == 0 { 0 } else { limbs[index - 1] >> (64 - SHIFT) };
        (limbs[index], remainder) = divide_limb(remainder, (limbs[index] << SHIFT) | below);
    }
    remainder >> SHIFT
}

/// Quotient and remainder of `high * 2^64 + low` by `NORMALIZED`, which is more than `high`.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "splits 128 bits into halves")]
fn divide_limb(high: u64, low: u64) -> (u64, u64) {
    let estimate = u128::from(RECIPROCAL) * u128::from(high) + ((u128::from(high) << 64) | u128::from(low));
    let mut quotient = ((estimate >> 64) as u64).wrapping_add(1);
    let mut remainder = low.wrapping_sub(quotient.wrapping_mul(NORMALIZED));
    if remainder > estimate as u64 {
        quotient = quotient.wrapping_sub(1);
        remainder = remainder.wrapping_add(NORMALIZED);
    }
    if remainder >= NORMALIZED {
        quotient = quotient.wrapping_add(1);
        remainder -= NORMALIZED;
    }
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, CHUNK_DIGITS, NORMALIZED, SHIFT, chunks, divide, divide_limb, encode};
    use proptest::prelude::*;

    fn base36(text: &str) -> Option<String> {
        encode(text.as_bytes(), |digits| Ok(String::from_utf8(digits.to_vec()).expect("ASCII digits"))).ok()
    }

    #[test]
    fn known_values() {
        for (hex, expected) in [
            ("0", "0"),
            ("00", "0"),
            ("23", "z"),
            ("24", "10"),
            (" 0x_fF\n", "73"),
            ("+1_0", "g"),
            ("ffffffffffffffff", "3w5e11264sgsf"),
            ("d41d8cd98f00b204e9800998ecf8427e", "ck2u8j60r58fu0sgyxrigm3cu"),
        ] {
            assert_eq!(base36(hex).as_deref(), Some(expected), "{hex}");
        }
    }

    #[test]
    fn what_int_rejects_or_never_ends_is_declined() {
        for text in ["", " ", "0x", "0x_", "_1", "1_", "1__0", "-1", "-0", "g", "++1", "0x0x1", "1 2", "\u{7f}1"] {
            assert_eq!(base36(text), None, "{text:?}");
        }
    }

    #[test]
    fn white_space() {
        assert_eq!(base36("\t\n\u{b}\u{c}\r a \r\u{c}\u{b}\n\t").as_deref(), Some("a"));
        for separator in ["\u{1c}", "\u{1d}", "\u{1e}", "\u{1f}", "\0"] {
            assert_eq!(base36(&format!("{separator}a")), None);
            assert_eq!(base36(&format!("a{separator}")), None);
        }
    }

    #[test]
    fn every_length_has_room() {
        // All ones: the most digits that a length can have.
        for length in 1..=1025 {
            let digits = base36(&"f".repeat(length)).expect("hexadecimal").len();
            // 36 is 2 to the power of 5.169925.
            assert_eq!(digits, (length * 4_000_000).div_ceil(5_169_925), "{length}");
        }
        assert_eq!(base36(&"f".repeat(16 * 1024)).map(|digits| digits.len()), Some(12_677));
        assert_eq!(base36(&"f".repeat(16 * 1024 + 1)), None);
        for limbs in 1..=1024 {
            assert!(chunks(limbs) * CHUNK_DIGITS * 5_169_925 >= limbs * 64_000_000, "{limbs}");
        }
    }

    #[test]
    fn division_at_the_edges() {
        for high in [0, 1, NORMALIZED / 2, NORMALIZED - 1] {
            for low in [0, 1, NORMALIZED - 1, NORMALIZED, NORMALIZED + 1, u64::MAX] {
                let dividend = (u128::from(high) << 64) | u128::from(low);
                let (quotient, remainder) = divide_limb(high, low);
                assert_eq!(u128::from(quotient), dividend / u128::from(NORMALIZED));
                assert_eq!(u128::from(remainder), dividend % u128::from(NORMALIZED));
            }
        }
        assert_eq!(CHUNK << SHIFT >> SHIFT, CHUNK);
    }

    proptest! {
        #[test]
        fn division_agrees_with_u128(number: u128) {
            #[expect(clippy::cast_possible_truncation, reason = "splits 128 bits into halves")]
            let mut limbs = [number as u64, (number >> 64) as u64];
            let remainder = divide(&mut limbs);
            prop_assert_eq!(u128::from(remainder), number % u128::from(CHUNK));
            prop_assert_eq!(u128::from(limbs[1]) << 64 | u128::from(limbs[0]), number / u128::from(CHUNK));
        }

        #[test]
        fn underscores_and_case_make_no_difference(hex in "[0-9a-f]{1,150}") {
            let spaced: String = hex.chars().flat_map(|digit| [digit, '_']).collect();
            prop_assert_eq!(base36(spaced.trim_end_matches('_')), base36(&hex));
            prop_assert_eq!(base36(&hex.to_uppercase()), base36(&hex));
            prop_assert_eq!(base36(&spaced), None);
        }

        #[test]
        fn agrees_with_division_of_u128(number: u128) {
            let mut expected = Vec::new();
            let mut rest = number;
            loop {
                expected.push(char::from_digit((rest % 36) as u32, 36).expect("below 36"));
                rest /= 36;
                if rest == 0 { break; }
            }
            let expected: String = expected.iter().rev().collect();
            prop_assert_eq!(base36(&format!("{number:x}")), Some(expected));
        }

        #[test]
        fn value_is_kept_for_long_numbers(hex in "[0-9a-f]{1,300}") {
            // Evaluate the digits again with Horner's rule modulo a prime.
            const PRIME: u128 = (1 << 61) - 1;
            let digits = base36(&hex).expect("hexadecimal");
            let value = |text: &str, base: u32| text.chars().fold(0u128, |sum, c| {
                (sum * u128::from(base) + u128::from(c.to_digit(base).expect("digit"))) % PRIME
            });
            prop_assert_eq!(value(&digits, 36), value(&hex, 16));
            prop_assert!(digits == "0" || !digits.starts_with('0'));
        }
    }
}
