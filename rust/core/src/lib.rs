//! The algorithms behind `sky_rs_patch`, free of Python and of `unsafe`.
//!
//! Each module answers for one `SkyPilot` helper, or for the system facts that several of
//! them read. Every function either gives exactly what the Python original would give or
//! returns a [`Decline`], after which the caller runs the original.
#![forbid(unsafe_code)]

pub mod base36;
pub mod bytecode;
pub mod cgroup;
pub mod cluster_name;
pub mod cpu;
mod decline;
pub mod directory;
pub mod entry_points;
pub mod file;
pub mod float_format;
pub mod floors;
pub mod memory;
pub mod names;
mod number;
pub mod port;
pub mod process;
pub mod process_tree;
pub mod redact;
pub mod reserve;
pub mod schema;
pub mod tail;
pub mod truncate;
pub mod workers;
pub mod yaml_dump;
pub mod yaml_scan;

pub use decline::{Decline, NativeResult};
