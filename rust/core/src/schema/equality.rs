//! Equality as `equal` and `uniq` of jsonschema have it, which keeps truth values and numbers apart.

use std::cmp::Ordering;

use super::number::Number;
use super::value::{List as _, Object as _, Text as _, Value, View};
use super::{MAX_DEPTH, Undecided};

/// More items than this are left to the original, which sorts them.
const MAX_UNIQUE: usize = 64;

/// Whether two values are equal, in the order in which the original looks at their parts.
pub(super) fn equal<V: Value>(first: V, second: V, depth: u32) -> Result<bool, Undecided> {
    if depth == MAX_DEPTH {
        return Err(Undecided);
    }
    Ok(match (first.view(), second.view()) {
        (View::Other, _) | (_, View::Other) => return Err(Undecided),
        (View::Text(first), View::Text(second)) => first.is_same(second),
        (View::Null, View::Null) => true,
        (View::Bool(first), View::Bool(second)) => first == second,
        (View::Int | View::Float(_), View::Int | View::Float(_)) => {
            let (Some(first), Some(second)) = (Number::of(first)?, Number::of(second)?) else { return Err(Undecided) };
            // A NaN equals itself where identity is looked at first: not in every release.
            first.compare(second)?.ok_or(Undecided)? == Ordering::Equal
        }
        (View::List(first), View::List(second)) => {
            let (first, second) = (first.items(), second.items());
            if first.len() != second.len() {
                return Ok(false);
            }
            for (first, second) in first.zip(second) {
                if !equal(first, second, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (View::Object(first), View::Object(second)) => {
            if first.length() != second.length() {
                return Ok(false);
            }
            if second.entries().any(|(key, _)| !matches!(key.view(), View::Text(_))) {
                return Err(Undecided);
            }
            for (key, value) in first.entries() {
                let View::Text(key) = key.view() else { return Err(Undecided) };
                let Some(other) = second.get(key) else { return Ok(false) };
                if !equal(value, other, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}

/// Whether no two items of a list are equal. Nested ones are left to the original: it sorts
/// first, and compares neighbours only.
pub(super) fn unique<V: Value>(list: V::List) -> Result<bool, Undecided> {
    let count = list.items().len();
    if count < 2 {
        return Ok(true);
    }
    if count > MAX_UNIQUE
        || list.items().any(|item| matches!(item.view(), View::List(_) | View::Object(_) | View::Other))
    {
        return Err(Undecided);
    }
    for (position, item) in list.items().enumerate() {
        for earlier in list.items().take(position) {
            if equal(earlier, item, 0)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
