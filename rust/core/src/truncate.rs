//! Cutting points of `truncate_long_string`.

/// Which parts of a string remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The string is short enough.
    Whole,
    /// `s[:head] + '...' + s[len - tail:]`, in code points.
    Parts { head: usize, tail: usize },
}

/// Code points of a string of `length` that remain when its middle is dropped.
pub fn middle(length: usize, max_length: isize) -> Cut {
    let Some(budget) = fits(length, max_length) else {
        return Cut::Whole;
    };
    let keep = budget.saturating_sub(3);
    Cut::Parts { head: keep.div_ceil(2), tail: keep / 2 }
}

/// Code points that remain when the end is dropped, on a word boundary where there is one.
///
/// The code units are the string's own (1, 2 or 4 bytes each), so an index is a code point.
pub fn end<T: Copy + Into<u32>>(units: &[T], max_length: isize) -> Cut {
    let Some(budget) = fits(units.len(), max_length) else {
        return Cut::Whole;
    };
    let is_space = |unit: &T| (*unit).into() == u32::from(b' ');
    // The original compares the first word with the limit before it slices, so a negative
    // limit counts from the end of the first word.
    let first_word = if max_length >= 0 {
        units.iter().take(budget + 1).position(is_space).unwrap_or(usize::MAX)
    } else {
        units.iter().position(is_space).unwrap_or(units.len())
    };
    if max_length < 0 {
        return Cut::Parts { head: first_word.saturating_sub(max_length.unsigned_abs()), tail: 0 };
    }
    if first_word > budget {
        return Cut::Parts { head: budget, tail: 0 };
    }
    Cut::Parts { head: word_boundary(units, budget, is_space).max(budget), tail: 0 }
}

/// The limit as a length, or `None` if the string is within it. Negative limits become 0.
fn fits(length: usize, max_length: isize) -> Option<usize> {
    let budget = usize::try_from(max_length).unwrap_or(0);
    (max_length < 0 || length > budget).then_some(budget)
}

/// Length of `' '.join(words[:i])`, where `i` is the word in which the letters counted so
/// far (without spaces) reach the budget, or else the last word.
fn word_boundary<T>(units: &[T], budget: usize, is_space: impl Fn(&T) -> bool) -> usize {
    let mut letters = 0;
    let mut word_start = 0;
    if budget > 0 {
        for (index, unit) in units.iter().enumerate() {
            if is_space(unit) {
                word_start = index + 1;
            } else {
                letters += 1;
                if letters >= budget {
                    break;
                }
            }
        }
    }
    // The space before the word isn't part of the prefix.
    word_start.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::{Cut, end, middle};
    use proptest::prelude::*;

    /// The original's end-truncation, word for word.
    fn original_end(text: &str, max_length: isize) -> Option<String> {
        let chars: Vec<char> = text.chars().collect();
        let length = isize::try_from(chars.len()).unwrap();
        if length <= max_length {
            return None;
        }
        let slice = |chars: &[char], stop: isize| -> String {
            let length = isize::try_from(chars.len()).unwrap();
            let stop = if stop < 0 { (length + stop).max(0) } else { stop.min(length) };
            chars[..usize::try_from(stop).unwrap()].iter().collect()
        };
        let splits: Vec<Vec<char>> = chars.split(|c| *c == ' ').map(<[char]>::to_vec).collect();
        if isize::try_from(splits[0].len()).unwrap() > max_length {
            return Some(slice(&splits[0], max_length));
        }
        let mut total = 0;
        let mut i = 0;
        for (index, part) in splits.iter().enumerate() {
            i = index;
            total += isize::try_from(part.len()).unwrap();
            if total >= max_length {
                break;
            }
        }
        let mut prefix: Vec<char> = splits[..i].join(&' ');
        if isize::try_from(prefix.len()).unwrap() < max_length {
            prefix.extend(&chars[prefix.len()..usize::try_from(max_length).unwrap()]);
        }
        Some(prefix.into_iter().collect())
    }

    fn ours_end(text: &str, max_length: isize) -> Option<String> {
        let units: Vec<u32> = text.chars().map(u32::from).collect();
        match end(&units, max_length) {
            Cut::Whole => None,
            Cut::Parts { head, tail } => {
                assert_eq!(tail, 0);
                Some(text.chars().take(head).collect())
            }
        }
    }

    proptest! {
        #[test]
        fn end_agrees_with_the_original(text in "[ab é😀]{0,40}", max_length in -8isize..44) {
            prop_assert_eq!(ours_end(&text, max_length), original_end(&text, max_length));
        }
    }

    #[test]
    fn middle_keeps_the_longer_half_in_front() {
        assert_eq!(middle(10, 10), Cut::Whole);
        assert_eq!(middle(10, 9), Cut::Parts { head: 3, tail: 3 });
        assert_eq!(middle(10, 8), Cut::Parts { head: 3, tail: 2 });
        assert_eq!(middle(10, 4), Cut::Parts { head: 1, tail: 0 });
        assert_eq!(middle(10, 3), Cut::Parts { head: 0, tail: 0 });
        assert_eq!(middle(10, -1), Cut::Parts { head: 0, tail: 0 });
    }
}
