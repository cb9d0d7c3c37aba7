//! Colours, secrets and cuts of texts: every width alike, and as read one character at a time.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use sky_rs_core::redact::{self, around_value};
use sky_rs_core::truncate::{self, Cut};
use sky_rs_core_fuzz::{code_points, narrowed};

fn wide<T: Copy + Into<u32>>(text: &[T]) -> Vec<u32> {
    text.iter().map(|unit| (*unit).into()).collect()
}

fn without_color(text: &[u32]) -> Option<Vec<u32>> {
    let (mut kept, mut held, mut any) = (Vec::new(), Vec::new(), false);
    for unit in text {
        if held.is_empty() && *unit != 0x1b {
            kept.push(*unit);
        } else if *unit == u32::from('m') {
            held.clear();
            any = true;
        } else {
            held.push(*unit);
        }
    }
    kept.extend(held);
    any.then_some(kept)
}

fn check<T: redact::Unit + Into<u32> + Debug>(units: &[T], text: &[u32], skip: usize, limit: i8) {
    assert_eq!(redact::without_color(units).map(|kept| wide(&kept)), without_color(text));

    let key = text.iter().skip(skip).take_while(|unit| **unit != u32::from('=')).count();
    let matches = key > 0 && skip + key < text.len();
    let expected = matches.then(|| {
        let value = text[skip + key..].iter().take_while(|unit| **unit != u32::from('\n')).count();
        (text[..skip + key].to_vec(), text[skip + key + value..].to_vec())
    });
    assert_eq!(around_value(units, skip).map(|(key, rest)| (wide(key), wide(rest))), expected);

    let cut = truncate::end(units, limit.into());
    assert_eq!(cut, truncate::end(text, limit.into()));
    let Ok(limit) = usize::try_from(limit) else { return };
    assert_eq!(cut == Cut::Whole, text.len() <= limit);
    if let Cut::Parts { head, tail } = cut {
        assert!(tail == 0 && head >= limit);
        let space = u32::from(' ');
        // Beyond the limit only up to the end of a word, and letters alone are below it.
        let letters = text[..head].iter().filter(|unit| **unit != space).count();
        assert!(head == limit || (text[head] == space && letters < limit));
    }
}

fuzz_target!(|input: (u8, i8, &[u8])| {
    let (skip, limit, data) = input;
    let (skip, text) = (usize::from(skip % 8), code_points(data));
    check(&text, &text, skip, limit);
    let (bytes, units) = narrowed(&text);
    if let Some(bytes) = bytes {
        check(&bytes, &text, skip, limit);
    }
    if let Some(units) = units {
        check(&units, &text, skip, limit);
    }
    let room = usize::try_from(limit).unwrap_or(0).saturating_sub(3);
    match truncate::middle(text.len(), limit.into()) {
        Cut::Whole => assert!(isize::try_from(text.len()).is_ok_and(|length| length <= limit.into())),
        Cut::Parts { head, tail } => assert!(head + tail == room && head - tail <= 1),
    }
});
