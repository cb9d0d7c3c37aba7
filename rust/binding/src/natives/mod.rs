//! The native functions, by the name under which a route asks for them.
//!
//! Each takes the arguments of the original and gives its result, or declines.

mod files;
mod logging;
mod paths;
mod processes;
mod redact;
mod schema;
mod system;
mod text;
mod users;
mod yaml;
mod yaml_keys;
mod yaml_load;

use pyo3::ffi;
use pyo3::prelude::*;
use sky_rs_core::{Answer, Decline};

use crate::frame::Frame;
use crate::{errors, faults, panics};

/// A native function. It must not panic on purpose, and must not run Python code that could
/// have side effects before it is sure of its answer.
pub(crate) type Function = for<'a, 'py> fn(&Frame<'a, 'py>) -> Answer<Bound<'py, PyAny>>;

/// A native function and what is known of it.
pub(crate) struct Native {
    pub(crate) name: &'static std::ffi::CStr,
    pub(crate) function: Function,
    /// Whether it stays within safe reach of a few nanoseconds: it neither detaches from the
    /// interpreter nor drops references that PyO3 tracks, so the call needn't register with
    /// PyO3 as attached.
    pub(crate) light: bool,
}

impl Native {
    /// A new reference, or why there is none; a panic is a reason, too.
    #[inline]
    pub(crate) fn call(&self, frame: &Frame<'_, '_>) -> Answer<*mut ffi::PyObject> {
        if self.light { self.call_caught(frame) } else { self.call_heavy(frame) }
    }

    // Apart, so that light functions don't pay for its registers.
    #[inline(never)]
    fn call_heavy(&self, frame: &Frame<'_, '_>) -> Answer<*mut ffi::PyObject> {
        Python::attach(|_| self.call_caught(frame))
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call more is a tenth of what the shortest function costs")]
    fn call_caught(&self, frame: &Frame<'_, '_>) -> Answer<*mut ffi::PyObject> {
        panics::caught(frame.py(), || {
            faults::before(frame.py(), self.name);
            let answer = (self.function)(frame)?;
            faults::pass("after", self.name);
            Ok(answer.into_ptr())
        })
    }
}

macro_rules! natives {
    ($($name:literal => $function:path, $weight:ident;)*) => {
        /// All native functions.
        pub(crate) static NATIVES: &[Native] = &[$(Native {
            name: $name,
            function: $function,
            light: natives!(@$weight),
        },)*];
    };
    (@light) => { true };
    (@heavy) => { false };
}

natives! {
    c"base36_encode" => text::base36_encode, light;
    c"format_float" => text::format_float, light;
    c"truncate_long_string" => text::truncate_long_string, light;
    // Up to SkyPilot 0.9.3 there was no `truncate_middle`.
    c"truncate_long_string_end" => text::truncate_long_string_end, light;
    c"read_last_n_lines" => files::read_last_n_lines, heavy;
    c"hash_file" => files::hash_file, heavy;
    c"estimate_fd_for_directory" => files::estimate_fd_for_directory, heavy;
    c"find_free_port" => system::find_free_port, heavy;
    // Up to SkyPilot 0.11.1 a busy port was not logged.
    c"find_free_port_silent" => system::find_free_port_silent, heavy;
    c"get_cpu_count" => system::get_cpu_count, heavy;
    c"get_mem_size_gb" => system::get_mem_size_gb, heavy;
    // Up to SkyPilot 0.10.0 there was no limit in bytes.
    c"get_mem_size_gb_only" => system::get_mem_size_gb_only, heavy;
    c"get_parallel_threads" => system::get_parallel_threads, light;
    c"get_max_workers_for_file_mounts" => system::get_max_workers_for_file_mounts, heavy;
    c"check_no_duplicate_keys" => yaml_keys::check_no_duplicate_keys, light;
    c"validate_schema" => schema::validate_schema, heavy;
    c"is_process_alive" => system::is_process_alive, heavy;
    c"dump_yaml_str" => yaml::dump_yaml_str, light;
    c"safe_load" => yaml_load::safe_load, heavy;
    c"read_yaml_str" => yaml_load::read_yaml_str, heavy;
    c"read_yaml_all_str" => yaml_load::read_yaml_all_str, heavy;
    c"is_valid_user_hash" => users::is_valid_user_hash, light;
    // After SkyPilot 0.14.1 a newline at the end is no longer passed over.
    c"is_valid_user_hash_whole" => users::is_valid_user_hash_whole, light;
    c"get_user_hash" => users::get_user_hash, heavy;
    c"make_cluster_name_on_cloud" => users::make_cluster_name_on_cloud, heavy;
    c"check_cluster_name_is_valid" => users::check_cluster_name_is_valid, light;
    c"is_valid_env_var" => users::is_valid_env_var, light;
    c"remove_color" => redact::remove_color, light;
    c"_redact_secrets_values" => redact::redact_secrets_values, heavy;
    c"_safe_children" => processes::safe_children, heavy;
}

/// What an exception of Python code that a native function has called means: a decline, or, if it
/// is a signal's, something that must go up rather than get lost.
fn decline_for(py: Python<'_>, error: PyErr, otherwise: Decline) -> Decline {
    if errors::is_failure(py, &error) {
        return otherwise;
    }
    error.restore(py);
    Decline::Interrupted
}

/// The native function of that name.
pub(crate) fn find(name: &str) -> Option<&'static Native> {
    NATIVES.iter().find(|native| native.name.to_bytes() == name.as_bytes())
}
