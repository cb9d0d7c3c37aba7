//! The schema validator: no instance is valid under a schema and under its negation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sky_rs_core::schema::{Patterns, is_valid};
use sky_rs_core_fuzz::value::Plain;

fn keyword(name: &str, value: Plain) -> Plain {
    Plain::Object(vec![(Plain::Text(name.to_owned()), value)])
}

fuzz_target!(|input: (Plain, Plain)| {
    let (instance, schema) = input;
    // Both as a subschema: a `$schema` at the root means something else.
    let plain = keyword("allOf", Plain::List(vec![schema.clone()]));
    let negated = keyword("not", schema);
    let mut patterns = Patterns::new();
    let valid = is_valid(&instance, &plain, &mut patterns);
    let invalid = is_valid(&instance, &negated, &mut patterns);
    assert!(!(valid && invalid), "valid and invalid");
    // The patterns are remembered by now.
    assert_eq!(is_valid(&instance, &plain, &mut patterns), valid);
    assert_eq!(is_valid(&instance, &negated, &mut patterns), invalid);
});
