//! Searches for regular expressions: a pattern and its wrapped forms are found in the same texts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sky_rs_core::schema::pattern::Pattern;

/// Forms with the meaning of the pattern in the middle. The last one tries all starts by itself.
const WRAPPINGS: [(&str, &str); 5] =
    [("(?:", ")"), ("(", ")"), ("(?:", "){1}"), ("x{0}(?:", ")y{0}"), ("^(?:.|\n)*(?:", ")")];

/// What is in syntax, more often than a fuzzer would come upon it.
const PIECES: &[u8; 32] = b"ab^$.|()[]{}*+?\\-,12wsdDi:AB\n_ x";

fn ascii(data: &[u8]) -> Vec<u8> {
    data.iter().map(|byte| if *byte < 0x80 { *byte } else { PIECES[usize::from(*byte) % PIECES.len()] }).collect()
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let (source, text) = (ascii(input.0), ascii(input.1));
    let Some(pattern) = Pattern::new(&source) else { return };
    let Ok(found) = pattern.is_in(&text) else { return };
    for (before, after) in WRAPPINGS {
        let wrapped = [before.as_bytes(), &source, after.as_bytes()].concat();
        // Nesting and repetition may be beyond what is known.
        if let Some(Ok(again)) = Pattern::new(&wrapped).map(|wrapped| wrapped.is_in(&text)) {
            assert_eq!(again, found, "{} in {text:?}", wrapped.escape_ascii());
        }
    }
});
