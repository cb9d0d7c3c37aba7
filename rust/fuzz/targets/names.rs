//! Names against the regular expressions that they stand for, and names of clusters on a cloud.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sky_rs_core::schema::pattern::Pattern;
use sky_rs_core::{cluster_name, names};

fn is_found(pattern: &str, text: &[u8]) -> bool {
    let pattern = Pattern::new(pattern.as_bytes()).expect("its syntax is known");
    pattern.is_in(text).expect("the text is short")
}

/// `$` is also before a newline at the very end.
fn is_all(pattern: &str, text: &[u8]) -> bool {
    text.last() != Some(&b'\n') && is_found(&format!("^(?:{pattern})$"), text)
}

fuzz_target!(|input: (Option<i8>, u8, i8, &[u8])| {
    let (max_length, suffix, hash_length, data) = input;
    let text: Vec<u8> = data.iter().map(|byte| byte & 0x7f).collect();

    let user_hash = "[a-zA-Z0-9][a-zA-Z0-9-]*";
    assert_eq!(names::is_user_hash(&text), is_all(user_hash, &text));
    assert_eq!(names::is_user_hash_line(&text), is_found(&format!("^{user_hash}$"), &text));
    assert_eq!(names::is_cluster_name(&text), is_all("[a-zA-Z]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?", &text));
    let variable = std::str::from_utf8(names::VARIABLE).expect("it is ASCII");
    assert_eq!(names::is_variable(&text), is_all(variable, &text));
    let characters = std::str::from_utf8(&text).expect("it is ASCII");
    // `str.isspace` has four separators more than Rust.
    let stripped = characters.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c));
    assert_eq!(names::strip(&text), stripped.as_bytes());

    let converted = cluster_name::on_cloud(&text);
    assert_eq!(converted, characters.replace(['.', '_'], "-").to_lowercase().into_bytes());
    let limit = max_length.map(i64::from);
    let Ok(fitted) = cluster_name::fit(&text, &converted, limit, suffix.into(), hash_length.into()) else { return };
    if fitted.hash.is_empty() {
        assert_eq!(fitted.kept, converted);
    } else {
        assert!(converted.starts_with(fitted.kept) && fitted.kept.len() < converted.len());
        assert!(fitted.hash[0] == b'-' && fitted.kept.last() != Some(&b'-'));
    }
    let length = fitted.kept.len() + fitted.hash.len() + usize::from(suffix);
    assert!(limit.is_none_or(|limit| i64::try_from(length).is_ok_and(|length| length <= limit)));
});
