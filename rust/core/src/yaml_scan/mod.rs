//! YAML as `PyYAML`'s own scanner, parser and composer understand it: the pure Python ones,
//! which differ from libyaml's in places. [`duplicates`] says whether
//! `yaml_utils.check_no_duplicate_keys` surely finds nothing. [`load`] makes values of what both
//! surely take in the same way. [`reading`] has the sizes in which libyaml reads a file.
//!
//! The state machines are theirs, token by token, so that a text which they take in some
//! surprising way is taken in that way here as well. Left to the original are the texts that they
//! reject, and constructs that are rare in task files: tags, directives, aliases as keys, line
//! breaks and marks beyond ASCII.

mod block_scalar;
pub mod duplicates;
pub mod load;
mod parser;
pub mod reading;
mod scalars;
mod scanner;
mod token;
mod value;

/// A code unit of a `str`, which is a code point: CPython keeps them in one, two or four bytes.
pub trait Unit: Copy + Ord + Into<u32> + From<u8> {}
impl Unit for u8 {}
impl Unit for u16 {}
impl Unit for u32 {}

/// How deep collections may be nested. The originals recurse: two frames a level while they
/// compose and one while they walk, of the thousand that there are by default.
const MAX_DEPTH: usize = 64;
