//! Values of plain scalars, as `yaml.resolver.Resolver` and
//! `yaml.constructor.SafeConstructor` have it.

use super::Unit;
use crate::yaml_dump::implicit::{is_number, is_timestamp, is_word};
use crate::{Decline, NativeResult};

/// What implicit resolvers recognise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain {
    Text,
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// `<<`
    Merge,
}

/// A plain scalar's value.
///
/// # Errors
/// `Value` for what is no plain data (a date) or where the original would raise, and
/// for values that it would have to compute more carefully.
pub(super) fn resolve<T: Unit>(text: &[T]) -> NativeResult<Plain> {
    let Some(first) = text.first() else {
        return Ok(Plain::Null);
    };
    match u8::try_from((*first).into()).unwrap_or(b'a') {
        // The longest word has five letters.
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' if text.len() <= 5 => Ok(word(text)),
        b'~' if text.len() == 1 => Ok(Plain::Null),
        b'=' if text.len() == 1 => Err(Decline::Value),
        b'<' if text.len() == 2 && text[1].into() == u32::from(b'<') => Ok(Plain::Merge),
        b'0'..=b'9' | b'-' | b'+' | b'.' => number_or_text(text),
        _ => Ok(Plain::Text),
    }
}

/// The characters if all are ASCII.
fn ascii<T: Unit>(text: &[T]) -> Option<Vec<u8>> {
    text.iter().map(|unit| u8::try_from((*unit).into()).ok().filter(u8::is_ascii)).collect()
}

fn word<T: Unit>(text: &[T]) -> Plain {
    match ascii(text) {
        Some(text) if is_word(&text) => match text.to_ascii_lowercase().as_slice() {
            b"null" => Plain::Null,
            lower => Plain::Boolean(matches!(lower, b"yes" | b"true" | b"on")),
        },
        _ => Plain::Text,
    }
}

fn number_or_text<T: Unit>(text: &[T]) -> NativeResult<Plain> {
    match ascii(text) {
        Some(text) if is_number(&text) => number(&text),
        Some(text) if text[0].is_ascii_digit() && is_timestamp(&text) => Err(Decline::Value),
        _ => Ok(Plain::Text),
    }
}

/// The value of what has the form of a number.
fn number(text: &[u8]) -> NativeResult<Plain> {
    let negative = text.first() == Some(&b'-');
    let digits: Vec<u8> = text.iter().filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase).collect();
    let digits = std::str::from_utf8(&digits).map_err(|_| Decline::Value)?;
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let magnitude = match digits.as_bytes() {
        b".inf" => return Ok(Plain::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY })),
        // All of them are one object.
        b".nan" => return Err(Decline::Value),
        [b'0', b'b', ..] => i64::from_str_radix(&digits[2..], 2),
        [b'0', b'x', ..] => i64::from_str_radix(&digits[2..], 16),
        bytes if bytes.contains(&b'.') => {
            if bytes.contains(&b':') {
                return Err(Decline::Value);
            }
            let magnitude: f64 = digits.parse().map_err(|_| Decline::Value)?;
            return Ok(Plain::Float(if negative { -magnitude } else { magnitude }));
        }
        [b'0', _, ..] => i64::from_str_radix(&digits[1..], 8),
        bytes if bytes.contains(&b':') => return sexagesimal(digits, negative),
        _ => digits.parse(),
    };
    let magnitude = magnitude.map_err(|_| Decline::Value)?;
    Ok(Plain::Integer(if negative { -magnitude } else { magnitude }))
}

fn sexagesimal(digits: &str, negative: bool) -> NativeResult<Plain> {
    let magnitude = digits.split(':').try_fold(0i64, |value, part| {
        let part: i64 = part.parse().ok()?;
        value.checked_mul(60)?.checked_add(part)
    });
    let magnitude = magnitude.ok_or(Decline::Value)?;
    Ok(Plain::Integer(if negative { -magnitude } else { magnitude }))
}

#[cfg(test)]
mod tests {
    use super::{Plain, resolve};

    #[test]
    fn what_plain_scalars_stand_for() {
        for (text, value) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("NULL", Plain::Null),
            ("nUll", Plain::Text),
            ("Yes", Plain::Boolean(true)),
            ("ON", Plain::Boolean(true)),
            ("off", Plain::Boolean(false)),
            ("n", Plain::Text),
            ("no one", Plain::Text),
            ("nö", Plain::Text),
            ("0", Plain::Integer(0)),
            ("-0_", Plain::Integer(0)),
            ("1_000", Plain::Integer(1000)),
            ("0_17", Plain::Integer(15)),
            ("0o17", Plain::Text),
            ("08", Plain::Text),
            ("-0x_fF", Plain::Integer(-255)),
            ("0b1_01", Plain::Integer(5)),
            ("-1:30:05", Plain::Integer(-5405)),
            ("8080:80", Plain::Text),
            ("9223372036854775807", Plain::Integer(i64::MAX)),
            ("1.", Plain::Float(1.0)),
            ("-1_0.5_0", Plain::Float(-10.5)),
            (".5e+3", Plain::Float(500.0)),
            ("1.e-2", Plain::Float(0.01)),
            ("1e3", Plain::Text),
            ("-.5", Plain::Text),
            ("-.INF", Plain::Float(f64::NEG_INFINITY)),
            ("1.5é", Plain::Text),
            ("٣", Plain::Text),
            ("2001-1-1", Plain::Text),
            ("<<", Plain::Merge),
            ("<", Plain::Text),
            ("<<<", Plain::Text),
            ("<=", Plain::Text),
            ("==", Plain::Text),
            ("-", Plain::Text),
        ] {
            let units: Vec<u32> = text.chars().map(u32::from).collect();
            assert_eq!(resolve(&units), Ok(value), "{text:?}");
        }
        let units: Vec<u8> = b"-0.0".to_vec();
        assert!(matches!(resolve(&units), Ok(Plain::Float(zero)) if zero.is_sign_negative()));
    }

    #[test]
    fn what_is_left_to_the_original() {
        for text in ["=", ".nan", "2001-12-14", "2001-12-14 1:00:00", "0b_", "0x_", "1:30.5", "9223372036854775808"] {
            assert!(resolve(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
