//! JSON Schema, Draft 7, as python-jsonschema validates it with `SkyPilot`'s own keywords.
//!
//! A schema and an instance are walked together, nothing is compiled: `SkyPilot` makes its
//! schemas anew for every call. The walk knows some keywords, and of those only what surely
//! means the same as in Python; about all else it is [`Undecided`].

mod equality;
mod number;
pub mod pattern;
mod printable;
#[cfg(test)]
mod sample;
pub mod value;
mod walk;

pub use pattern::Patterns;
pub use walk::is_valid;

/// The verdict is the original's to give: an unknown keyword, a value of another type, or
/// something that may raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecided;

/// Nesting beyond this is left to the original, which may hit its limit of recursion.
const MAX_DEPTH: u32 = 48;
