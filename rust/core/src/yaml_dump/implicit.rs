//! Implicit resolution: plain scalars that a YAML 1.1 reader takes for something else than text.
//!
//! `PyYAML` has a list of regular expressions for each first character. The scalars here are
//! those that could be written plainly otherwise: printable ASCII, without line breaks.

/// Whether one of the implicit resolvers matches.
pub(super) fn resolves(text: &[u8]) -> bool {
    let Some(first) = text.first() else {
        // The empty scalar is null.
        return true;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => is_word(text),
        b'0'..=b'9' => is_number(text) || is_timestamp(text),
        b'-' | b'+' | b'.' => is_number(text),
        b'<' => text == b"<<",
        b'~' | b'=' | b'!' | b'&' | b'*' => text.len() == 1,
        _ => false,
    }
}

/// A boolean or null.
pub(crate) fn is_word(text: &[u8]) -> bool {
    const WORDS: [&str; 7] = ["yes", "no", "true", "false", "on", "off", "null"];
    // As it is, with a capital, or all in capitals.
    let is_cased = || text[1..].iter().all(u8::is_ascii_lowercase) || text.iter().all(u8::is_ascii_uppercase);
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes())) && is_cased()
}

/// An integer or a float.
pub(crate) fn is_number(text: &[u8]) -> bool {
    let unsigned = match text {
        [b'-' | b'+', rest @ ..] => rest,
        _ => text,
    };
    let signed = unsigned.len() < text.len();
    match unsigned {
        b".inf" | b".Inf" | b".INF" => true,
        b".nan" | b".NaN" | b".NAN" => !signed,
        [b'.', b'0'..=b'9', rest @ ..] => !signed && is_exponent(&rest[run(rest, is_decimal)..]),
        [b'0', b'b', bits @ ..] => {
            !bits.is_empty() && run(bits, |byte| matches!(byte, b'0' | b'1' | b'_')) == bits.len()
        }
        [b'0', b'x', digits @ ..] => {
            !digits.is_empty() && run(digits, |byte| byte.is_ascii_hexdigit() || byte == b'_') == digits.len()
        }
        [first @ b'0'..=b'9', rest @ ..] => {
            let decimals = run(rest, is_decimal);
            let (decimals, rest) = rest.split_at(decimals);
            match rest {
                // Octal, or without a leading zero.
                [] => *first != b'0' || run(decimals, |byte| matches!(byte, b'0'..=b'7' | b'_')) == decimals.len(),
                [b'.', rest @ ..] => is_exponent(&rest[run(rest, is_decimal)..]),
                [b':', ..] => is_sexagesimal(rest, *first != b'0'),
                _ => false,
            }
        }
        _ => false,
    }
}

fn is_decimal(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

/// How many of the first bytes are of a kind.
fn run(text: &[u8], is_one: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !is_one(*byte)).unwrap_or(text.len())
}

/// `(?:[eE][-+][0-9]+)?` to the end.
fn is_exponent(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b'e' | b'E', b'-' | b'+', digits @ ..] => {
            !digits.is_empty() && run(digits, |byte| byte.is_ascii_digit()) == digits.len()
        }
        _ => false,
    }
}

/// `(?::[0-5]?[0-9])+` to the end, as of an integer, or `\.[0-9_]*` after it, as of a float.
fn is_sexagesimal(mut text: &[u8], maybe_integer: bool) -> bool {
    loop {
        text = match text {
            [b':', b'0'..=b'5', b'0'..=b'9', rest @ ..] | [b':', b'0'..=b'9', rest @ ..] => rest,
            _ => return false,
        };
        match text {
            [] => return maybe_integer,
            [b'.', rest @ ..] => return run(rest, is_decimal) == rest.len(),
            _ => {}
        }
    }
}

/// A date, or a date and a time.
pub(crate) fn is_timestamp(text: &[u8]) -> bool {
    let mut scan = Scan(text);
    let Some(()) = scan.digits(4, 4).and_then(|_| scan.byte(b"-")) else { return false };
    let Some(month) = scan.digits(1, 2) else { return false };
    let Some(day) = scan.byte(b"-").and_then(|()| scan.digits(1, 2)) else { return false };
    if scan.0.is_empty() {
        // A date alone has two digits each.
        return month == 2 && day == 2;
    }
    is_time(scan).is_some()
}

/// What follows a date: `T` or blanks, hours to seconds, and perhaps a fraction and a zone.
fn is_time(mut scan: Scan<'_>) -> Option<()> {
    if scan.byte(b"Tt").is_none() && scan.blanks() == 0 {
        return None;
    }
    scan.digits(1, 2)?;
    scan.byte(b":")?;
    scan.digits(2, 2)?;
    scan.byte(b":")?;
    scan.digits(2, 2)?;
    if scan.byte(b".").is_some() {
        scan.0 = &scan.0[run(scan.0, |byte| byte.is_ascii_digit())..];
    }
    if scan.0.is_empty() {
        return Some(());
    }
    scan.blanks();
    if scan.byte(b"Z").is_none() {
        scan.byte(b"-+")?;
        scan.digits(1, 2)?;
        if scan.byte(b":").is_some() {
            scan.digits(2, 2)?;
        }
    }
    scan.0.is_empty().then_some(())
}

/// What is left of a text.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// Takes one of some bytes.
    fn byte(&mut self, of: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        of.contains(first).then(|| self.0 = rest)
    }

    /// Takes as many digits as there are, at most `most`, at least `least`.
    fn digits(&mut self, least: usize, most: usize) -> Option<usize> {
        let count = run(self.0, |byte| byte.is_ascii_digit()).min(most);
        self.0 = &self.0[count..];
        (count >= least).then_some(count)
    }

    fn blanks(&mut self) -> usize {
        let count = run(self.0, |byte| matches!(byte, b' ' | b'\t'));
        self.0 = &self.0[count..];
        count
    }
}

#[cfg(test)]
mod tests {
    use super::resolves;

    #[test]
    fn what_a_reader_takes_for_something_else() {
        for text in [
            "",
            "~",
            "null",
            "Null",
            "NULL",
            "yes",
            "Yes",
            "YES",
            "no",
            "No",
            "NO",
            "true",
            "True",
            "TRUE",
            "false",
            "False",
            "FALSE",
            "on",
            "On",
            "ON",
            "off",
            "Off",
            "OFF",
            "<<",
            "=",
            "!",
            "&",
            "*",
            "0",
            "-0",
            "+1",
            "12",
            "1_000",
            "1_",
            "0_",
            "00",
            "017",
            "0b1",
            "-0b1_",
            "0b_",
            "0x_",
            "+0xAf",
            "1:30",
            "-1:59:59",
            "1:5:09",
            ".5",
            ".5_",
            ".5e+3",
            "1.",
            "1.e+3",
            "-1.5E-07",
            "0.0",
            "08.5",
            "1_.5_",
            "1:30.",
            "0:30.5",
            "190:20:30.15",
            ".inf",
            "-.Inf",
            "+.INF",
            ".nan",
            ".NaN",
            ".NAN",
            "2001-12-14",
            "2001-1-1 1:00:00",
            "2001-12-14t21:59:43",
            "2001-12-14 21:59:43.10 -5",
            "2001-12-14 21:59:43 Z",
            "2001-12-14T21:59:43.+05:30",
        ] {
            assert!(resolves(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn what_stays_text() {
        for text in [
            "a",
            "yEs",
            "nULL",
            "tRUE",
            "y",
            "n",
            "Y",
            "NULl",
            "-",
            "+",
            ".",
            "..",
            "-.",
            "+.5",
            "-.5",
            "._",
            "._1",
            "_1",
            "08",
            "09",
            "018",
            "0b",
            "0b2",
            "0x",
            "0xg",
            "1e5",
            "1.5e5",
            "1.5e+",
            "1.5e+_",
            "1.5e+1_",
            "1:60",
            "1:",
            "0:30",
            "1:5a",
            "1:300",
            "+.nan",
            "-.NaN",
            ".iNF",
            "2001-1-1",
            "2001-12-1",
            "201-12-14",
            "20011-12-14",
            "2001-12-14 1:2:03",
            "2001-12-14 21:59",
            "2001-12-14T 21:59:43",
            "2001-12-14  21:59:43 +",
            "2001-12-14 21:59:43+05:3",
            "<",
            "<<<",
            "==",
            "~~",
            "1,000",
            "0o17",
            "1 2",
        ] {
            assert!(!resolves(text.as_bytes()), "{text:?}");
        }
    }
}
