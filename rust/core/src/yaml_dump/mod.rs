//! `dump_yaml_str`: what `PyYAML`'s `SafeDumper` writes, with `SkyPilot`'s empty lines between
//! the entries of the outermost collection.
//!
//! The caller turns its objects into a [`Document`], a flat list of nodes in the order in which
//! they are written, and a [`Stream`] writes one document after the other. Since only plain data
//! is represented, and never in flow style, much of what the emitter can do has no part in this:
//! there are no tags, no block scalars, no flow collections but `[]` and `{}`, and all output is
//! ASCII.

mod document;
mod implicit;
mod scalar;
mod stream;
mod writers;

pub use document::Document;
pub use scalar::Text;
pub use stream::Stream;
