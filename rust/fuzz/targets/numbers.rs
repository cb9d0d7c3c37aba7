//! Base 36 against long division, and floats against the standard formatter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sky_rs_core::{base36, float_format};

/// Divides hexadecimal digits by 36, from the first to the last, until nothing is left.
fn long_division(digits: &[u8]) -> Vec<u8> {
    let mut number: Vec<u32> = digits.iter().map(|digit| u32::from(*digit)).collect();
    let mut written = Vec::new();
    loop {
        let mut remainder = 0;
        for digit in &mut number {
            let dividend = remainder * 16 + *digit;
            (*digit, remainder) = (dividend / 36, dividend % 36);
        }
        written.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[remainder as usize]);
        if number.iter().all(|digit| *digit == 0) {
            written.reverse();
            return written;
        }
    }
}

fuzz_target!(|input: (f64, i64, u8, &[u8])| {
    let (float, integer, precision, data) = input;

    let precision = usize::from(precision) % (float_format::MAX_PRECISION + 1);
    let decimals = if float.fract() == 0.0 { 0 } else { precision };
    let expected = if float.is_nan() { "nan".to_owned() } else { format!("{float:.decimals$}") };
    let written = float_format::format(float, precision, |text| Ok(text.to_vec()));
    assert_eq!(written.as_deref(), Ok(expected.as_bytes()), "{float:?} {precision}");
    let written = float_format::format_integer(integer, |text| Ok(text.to_vec()));
    assert_eq!(written, Ok(integer.to_string().into_bytes()));

    let digits: Vec<u8> = data.iter().map(|byte| byte % 16).collect();
    let mut text: Vec<u8> = digits.iter().map(|digit| b"0123456789aBcDEf"[usize::from(*digit)]).collect();
    let encoded = base36::encode(&text, |digits| Ok(digits.to_vec()));
    assert_eq!(encoded.ok(), (!digits.is_empty()).then(|| long_division(&digits)));
    // Beside digits, whatever `int` may or may not know.
    text.extend_from_slice(data);
    let _ = base36::encode(&text, |digits| Ok(digits.to_vec()));
});
