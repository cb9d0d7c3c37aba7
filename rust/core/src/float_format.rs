//! Text of a number, as `format_float` writes it.

use std::fmt::{self, Write as _};

use crate::{Decline, NativeResult};

/// The largest precision that is formatted here; `SkyPilot` uses 0 to 3.
pub const MAX_PRECISION: usize = 64;

/// Hands `'{:.0f}'.format(number)` to `emit` if the number is whole, else
/// `f'{number:.{precision}f}'`.
///
/// # Errors
/// `Value` if the precision is above [`MAX_PRECISION`]; what `emit` returns.
#[inline]
pub fn format<T>(number: f64, precision: usize, emit: impl FnOnce(&[u8]) -> NativeResult<T>) -> NativeResult<T> {
    let mut short = Backwards::new();
    if short.push_float(number, precision) {
        return emit(short.text());
    }
    let mut long = Long::new();
    long.push_float(number, precision)?;
    emit(long.text())
}

/// Hands `str(number)` to `emit`.
///
/// # Errors
/// What `emit` returns.
#[inline]
pub fn format_integer<T>(number: i64, emit: impl FnOnce(&[u8]) -> NativeResult<T>) -> NativeResult<T> {
    let mut short = Backwards::new();
    short.push_digits(number.unsigned_abs());
    if number < 0 {
        short.push(b'-');
    }
    emit(short.text())
}

/// Text that is written from its end, since digits come out of a number that way: enough for
/// the 20 digits of 64 bits, a point and a sign.
struct Backwards {
    buffer: [u8; 24],
    start: usize,
}

impl Backwards {
    fn new() -> Self {
        Self { buffer: [0; 24], start: 24 }
    }

    fn text(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.buffer[self.start] = byte;
    }

    fn push_digits(&mut self, mut number: u64) {
        loop {
            self.push(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                break;
            }
        }
    }

    /// Exact integer path for ordinary numbers: about twice as fast as the standard formatter.
    ///
    /// A finite float is `mantissa * 2^-shift`; `mantissa * 10^precision` is exact in 64 bits,
    /// so shifting with round-half-to-even gives the correctly rounded decimal, as CPython's.
    /// Returns false, having written nothing, for what doesn't fit.
    #[inline]
    fn push_float(&mut self, number: f64, precision: usize) -> bool {
        const MANTISSA_BITS: u32 = 52;
        const HIDDEN: u64 = 1 << MANTISSA_BITS;
        /// The biased exponent of 2^52, whose mantissa is a whole number.
        const UNSHIFTED: u64 = 1023 + MANTISSA_BITS as u64;
        /// The largest one for which the mantissa can be shifted to the left in 64 bits.
        const LARGEST: u64 = UNSHIFTED + 11;
        /// Powers of ten for which `mantissa * 10^precision` fits 63 bits (53 + 10 bits).
        const POWERS: [u64; 4] = [1, 10, 100, 1000];

        let bits = number.to_bits();
        let biased = (bits >> MANTISSA_BITS) & 0x7ff;
        let mantissa = bits & (HIDDEN - 1) | HIDDEN;
        if bits << 1 == 0 {
            self.push(b'0');
        } else if biased >= UNSHIFTED {
            if biased > LARGEST {
                return false;
            }
            self.push_digits(mantissa << (biased - UNSHIFTED));
        } else {
            let shift = UNSHIFTED - biased;
            if shift < 64 && mantissa & ((1 << shift) - 1) == 0 {
                self.push_digits(mantissa >> shift);
            } else {
                let Some(power) = POWERS.get(precision) else { return false };
                // A product below 2^63 that is shifted by 64 or more is less than a half.
                let mut scaled = if shift < 64 { round_half_even(mantissa * power, shift) } else { 0 };
                if precision > 0 {
                    for _ in 0..precision {
                        self.push(b'0' + (scaled % 10) as u8);
                        scaled /= 10;
                    }
                    self.push(b'.');
                }
                self.push_digits(scaled);
            }
        }
        if bits >> 63 == 1 {
            self.push(b'-');
        }
        true
    }
}

fn round_half_even(product: u64, shift: u64) -> u64 {
    let quotient = product >> shift;
    let remainder = product & ((1 << shift) - 1);
    let half = 1u64 << (shift - 1);
    let up = remainder > half || (remainder == half && quotient & 1 == 1);
    quotient + u64::from(up)
}

/// Text of any float: 309 digits and a sign, or 17 digits, a point and the decimals.
struct Long {
    buffer: [u8; 320],
    length: usize,
}

impl Long {
    fn new() -> Self {
        Self { buffer: [0; 320], length: 0 }
    }

    fn text(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    #[cold]
    fn push_float(&mut self, number: f64, precision: usize) -> NativeResult<()> {
        if precision > MAX_PRECISION {
            return Err(Decline::Value);
        }
        // `float.is_integer`: all large floats are whole.
        #[expect(clippy::float_cmp, reason = "the floor of a whole number is that very number")]
        let precision = if number.floor() == number { 0 } else { precision };
        let written = match number {
            // CPython never prints the sign of a NaN.
            _ if number.is_nan() => self.write_str("nan"),
            f64::INFINITY => self.write_str("inf"),
            f64::NEG_INFINITY => self.write_str("-inf"),
            _ => write!(self, "{number:.precision$}"),
        };
        written.map_err(|_| Decline::Value)
    }
}

impl fmt::Write for Long {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.buffer.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Backwards, MAX_PRECISION, format, format_integer};
    use crate::{Decline, NativeResult};
    use proptest::prelude::*;

    fn text(number: f64, precision: usize) -> String {
        format(number, precision, owned).expect("small precision")
    }

    fn owned(text: &[u8]) -> NativeResult<String> {
        String::from_utf8(text.to_vec()).map_err(|_| Decline::Decode)
    }

    fn short(number: f64, precision: usize) -> Option<String> {
        let mut text = Backwards::new();
        text.push_float(number, precision).then(|| owned(text.text()).expect("never fails"))
    }

    /// What the standard formatter makes of it.
    fn standard(number: f64, precision: usize) -> String {
        let precision = if number.fract() == 0.0 { 0 } else { precision };
        format!("{number:.precision$}")
    }

    #[test]
    fn known_values() {
        for (number, precision, expected) in [
            (1.0, 1, "1"),
            (-0.0, 1, "-0"),
            (3.151, 1, "3.2"),
            (0.25, 1, "0.2"),
            (0.35, 1, "0.3"),
            (-0.04, 1, "-0.0"),
            (2.5, 0, "2"),
            (3.5, 0, "4"),
            (999.96, 1, "1000.0"),
            (1e22, 3, "10000000000000000000000"),
            (5e-324, 2, "0.00"),
            (f64::NAN, 1, "nan"),
            (-f64::NAN, 1, "nan"),
            (f64::INFINITY, 1, "inf"),
            (f64::NEG_INFINITY, 1, "-inf"),
            (0.1, 20, "0.10000000000000000555"),
        ] {
            assert_eq!(text(number, precision), expected, "{number} {precision}");
        }
    }

    #[test]
    fn large_precision_is_declined() {
        assert!(format(0.5, 65, owned).is_err());
        // CPython doesn't look at it where the number is whole.
        assert_eq!(text(2.0, 65), "2");
        assert_eq!(text(0.5, MAX_PRECISION).len(), 66);
    }

    #[test]
    fn borders_of_the_short_path() {
        for power in -80..80 {
            for factor in [1.0, 1.5, 1.0 + f64::EPSILON, 2.0 - f64::EPSILON, -1.25] {
                let number = factor * 2f64.powi(power);
                for precision in 0..5 {
                    assert_eq!(text(number, precision), standard(number, precision), "{number:e} {precision}");
                }
            }
        }
        assert_eq!(text(-f64::MAX, 3).len(), 310);
        assert_eq!(text(f64::MIN_POSITIVE, 3), "0.000");
    }

    #[test]
    fn integers() {
        for number in [0, 1, 9, 10, -1, 1234, i64::MAX, i64::MIN] {
            assert_eq!(format_integer(number, owned), Ok(number.to_string()));
        }
    }

    proptest! {
        // The standard formatter is exact (it was compared with CPython over 7 million
        // values), so it is the oracle for the short path.
        #[test]
        fn short_path_agrees_with_the_standard_formatter(bits: u64, precision in 0usize..4) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            if let Some(short) = short(number, precision) {
                prop_assert_eq!(short, standard(number, precision));
            }
        }

        #[test]
        fn short_path_agrees_on_ordinary_numbers(number in -1e6f64..1e6, precision in 0usize..4) {
            prop_assert_eq!(short(number, precision), Some(standard(number, precision)));
        }

        #[test]
        fn short_path_agrees_on_ties(eighths in -1_000_000i32..1_000_000, precision in 0usize..4) {
            let number = f64::from(eighths) / 8.0;
            prop_assert_eq!(short(number, precision), Some(standard(number, precision)));
        }
    }
}
