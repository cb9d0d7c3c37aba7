//! Comparison of numbers as Python does it: exactly, whatever their types.

use std::cmp::Ordering;

use super::Undecided;
use super::value::{Value, View};

/// Integers up to this size are floats as well, without loss.
const EXACT: u64 = 1 << 53;

/// A number whose value is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// The number that a value is: none if it is no number, unsure if it is a large one.
    #[inline]
    pub(super) fn of<V: Value>(value: V) -> Result<Option<Self>, Undecided> {
        Ok(match value.view() {
            View::Int => Some(Self::Int(value.integer().ok_or(Undecided)?)),
            View::Float(float) => Some(Self::Float(float)),
            View::Other => return Err(Undecided),
            _ => None,
        })
    }

    /// The order of two numbers; `None` with a NaN, which is neither less nor more nor equal.
    pub(super) fn compare(self, other: Self) -> Result<Option<Ordering>, Undecided> {
        match (self, other) {
            (Self::Int(first), Self::Int(second)) => Ok(Some(first.cmp(&second))),
            (Self::Float(first), Self::Float(second)) => Ok(first.partial_cmp(&second)),
            (Self::Int(first), Self::Float(second)) => Ok(exact(first)?.partial_cmp(&second)),
            (Self::Float(first), Self::Int(second)) => Ok(first.partial_cmp(&exact(second)?)),
        }
    }
}

fn exact(integer: i64) -> Result<f64, Undecided> {
    #[expect(clippy::cast_precision_loss, reason = "there is none up to this size")]
    if integer.unsigned_abs() <= EXACT { Ok(integer as f64) } else { Err(Undecided) }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::Number::{Float, Int};

    #[test]
    fn types_mix() {
        assert_eq!(Int(1).compare(Float(1.0)), Ok(Some(Equal)));
        assert_eq!(Float(0.5).compare(Int(1)), Ok(Some(Less)));
        assert_eq!(Int(1).compare(Float(f64::NEG_INFINITY)), Ok(Some(Greater)));
        assert_eq!(Int(1).compare(Float(f64::NAN)), Ok(None));
        assert_eq!(Float(0.0).compare(Float(-0.0)), Ok(Some(Equal)));
    }

    #[test]
    fn what_a_float_would_round_is_left_alone() {
        assert_eq!(Int(1 << 53).compare(Float(9_007_199_254_740_992.0)), Ok(Some(Equal)));
        assert!(Int((1 << 53) + 1).compare(Float(9_007_199_254_740_992.0)).is_err());
        assert!(Int(i64::MIN).compare(Float(0.0)).is_err());
        assert_eq!(Int(i64::MIN).compare(Int(i64::MAX)), Ok(Some(Less)));
    }
}
