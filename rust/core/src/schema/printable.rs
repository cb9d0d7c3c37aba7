//! Check that a value can surely be put into an error's message.
//!
//! jsonschema writes the message of every error, also of those that another alternative makes
//! good: `repr` of what isn't valid, whole. That fails for integers of too many digits and for
//! what is nested too deep, and it runs code of objects that the walk itself never looks at.

use super::value::{List as _, Object as _, Value, View};
use super::{MAX_DEPTH, Undecided};

/// Values with more parts than this aren't looked through.
const MAX_PARTS: u32 = 1 << 14;

/// Makes sure that `repr` of a value fails in no way, and runs no code but Python's own.
pub(super) fn printable<V: Value>(value: V) -> Result<(), Undecided> {
    let mut left = MAX_PARTS;
    parts(value, 0, &mut left)
}

fn parts<V: Value>(value: V, depth: u32, left: &mut u32) -> Result<(), Undecided> {
    *left = left.checked_sub(1).ok_or(Undecided)?;
    if depth == MAX_DEPTH {
        return Err(Undecided);
    }
    match value.view() {
        View::Null | View::Bool(_) | View::Float(_) | View::Text(_) => Ok(()),
        View::Int => value.integer().map(drop).ok_or(Undecided),
        View::List(list) => list.items().try_for_each(|item| parts(item, depth + 1, left)),
        View::Object(object) => object.entries().try_for_each(|(key, value)| {
            parts(key, depth + 1, left)?;
            parts(value, depth + 1, left)
        }),
        View::Other => Err(Undecided),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample::{self, Float, Int, Large, List, Null, Object, Other, Text};
    use super::{MAX_DEPTH, MAX_PARTS, printable};

    fn can(value: &Sample) -> bool {
        printable(value).is_ok()
    }

    fn nested(depth: u32) -> Sample {
        (0..depth).fold(Null, |inner, _| List(vec![inner]))
    }

    #[test]
    fn plain_values() {
        assert!(can(&Object(vec![(Text("a".into()), List(vec![Int(i64::MIN), Float(0.5)])), (Null, Null)])));
    }

    #[test]
    fn what_may_fail_or_run_code() {
        assert!(!can(&List(vec![Int(1), Large])));
        assert!(!can(&Object(vec![(Text("a".into()), Other)])));
        assert!(!can(&Object(vec![(Other, Null)])));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert!(can(&nested(MAX_DEPTH - 1)));
        assert!(!can(&nested(MAX_DEPTH)));
        let many = |count: u32| List((1..count).map(|_| Null).collect());
        assert!(can(&many(MAX_PARTS)));
        assert!(!can(&many(MAX_PARTS + 1)));
    }
}
