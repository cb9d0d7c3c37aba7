//! The search for duplicate keys: every width alike, and what it accepts has no text twice.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use sky_rs_core::yaml_scan::duplicates::none_in;
use sky_rs_core_fuzz::events::{Event, loaded};
use sky_rs_core_fuzz::{code_points, narrowed};

/// A collection that has begun; only those of mappings have keys.
struct Collection<'e> {
    mapping: bool,
    items: usize,
    keys: HashSet<&'e [u32]>,
}

fn has_duplicates(events: &[Event]) -> bool {
    let mut open: Vec<Collection> = Vec::new();
    for event in events {
        if matches!(event, Event::End) {
            open.pop();
            continue;
        }
        if let Some(parent) = open.last_mut() {
            let is_key = parent.mapping && parent.items % 2 == 0;
            parent.items += 1;
            if let (true, Event::Text(key)) = (is_key, event)
                && !parent.keys.insert(key)
            {
                return true;
            }
        }
        if let Event::Begin { mapping } = event {
            open.push(Collection { mapping: *mapping, items: 0, keys: HashSet::new() });
        }
    }
    false
}

fuzz_target!(|data: &[u8]| {
    let text = code_points(data);
    let verdict = none_in(&text);
    let (bytes, units) = narrowed(&text);
    if let Some(bytes) = bytes {
        assert_eq!(none_in(&bytes), verdict, "one byte each");
    }
    if let Some(units) = units {
        assert_eq!(none_in(&units), verdict, "two bytes each");
    }
    if verdict.is_ok() {
        assert!(!loaded(&text).is_some_and(|events| has_duplicates(&events)), "a key is there twice");
    }
});
