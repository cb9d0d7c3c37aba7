//! The YAML loader, over texts: every width alike, and a dump of what was loaded loads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sky_rs_core_fuzz::events::{documents, dumped, loaded};
use sky_rs_core_fuzz::{code_points, narrowed};

fuzz_target!(|data: &[u8]| {
    let text = code_points(data);
    let events = loaded(&text);
    let (bytes, units) = narrowed(&text);
    if let Some(bytes) = bytes {
        assert_eq!(loaded(&bytes), events, "one byte each");
    }
    if let Some(units) = units {
        assert_eq!(loaded(&units), events, "two bytes each");
    }
    for document in documents(&events.unwrap_or_default()) {
        let dump = dumped(document);
        // The loader leaves to the original some of what the dumper writes, such as long keys.
        if let Some(again) = loaded(dump.as_bytes()) {
            assert_eq!(again, document, "{dump}");
        }
    }
});
