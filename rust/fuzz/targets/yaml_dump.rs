//! The YAML dumper, over values: texts of every width alike, and what it writes loads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sky_rs_core::yaml_dump::{Document, Stream, Text};
use sky_rs_core_fuzz::events::{Event, dumped, loaded};
use sky_rs_core_fuzz::narrowed;
use sky_rs_core_fuzz::value::Plain;

fn record(value: &Plain, events: &mut Vec<Event>) {
    match value {
        Plain::Bool(value) => events.push(Event::Boolean(*value)),
        Plain::Int(value) => events.push(Event::Integer(*value)),
        // The loader knows no NaN.
        Plain::Float(value) if !value.is_nan() => events.push(Event::Float(value.to_bits())),
        Plain::Text(text) => events.push(Event::Text(text.chars().map(u32::from).collect())),
        Plain::List(items) => {
            events.push(Event::Begin { mapping: false });
            for item in items {
                record(item, events);
            }
            events.push(Event::End);
        }
        Plain::Object(entries) => {
            events.push(Event::Begin { mapping: true });
            for (key, value) in entries {
                record(key, events);
                record(value, events);
            }
            events.push(Event::End);
        }
        Plain::Null | Plain::Float(_) | Plain::Large | Plain::Other => events.push(Event::Null),
    }
}

fn dumped_text(text: Text<'_>) -> Vec<u8> {
    let mut document = Document::new();
    document.text(text);
    let mut stream = Stream::new();
    stream.document(&document);
    stream.finish()
}

fuzz_target!(|value: Plain| {
    let mut events = Vec::new();
    record(&value, &mut events);
    let dump = dumped(&events);
    // The loader leaves to the original some of what the dumper writes, such as long keys.
    if let Some(again) = loaded(dump.as_bytes()) {
        assert_eq!(again, events, "{dump}");
    }
    for event in &events {
        let Event::Text(text) = event else { continue };
        let expected = dumped_text(Text::Ucs4(text));
        let (bytes, units) = narrowed(text);
        if let Some(bytes) = bytes {
            assert_eq!(dumped_text(Text::Ucs1(&bytes)), expected, "one byte each");
        }
        if let Some(units) = units {
            assert_eq!(dumped_text(Text::Ucs2(&units)), expected, "two bytes each");
        }
    }
});
