//! Table of native functions, by the name under which a route asks for them.
//!
//! Each takes the arguments of the original and returns its result, or declines.

#[expect(unsafe_code, reason = "SAFETY.md")]
mod files;
mod logging;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod open_file;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod paths;
mod processes;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod redact;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod schema;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod system;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod text;
mod users;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod yaml;
mod yaml_keys;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod yaml_load;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod yaml_merge;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod yaml_objects;

use std::ffi::CStr;

use pyo3::ffi;
use pyo3::prelude::*;
use sky_rs_core::{Decline, NativeResult};

pub(crate) use self::open_file::resumed;
use crate::call_args::CallArgs;
use crate::{errors, faults, functions, panics};

/// A native function. It must not panic on purpose, and must not run Python code that could
/// have side effects before it is sure of its answer.
pub(crate) type Function = for<'a, 'py> fn(&CallArgs<'a, 'py>) -> NativeResult<Bound<'py, PyAny>>;

/// A native function and what is known of it.
pub(crate) struct Native {
    pub(crate) name: &'static CStr,
    pub(crate) function: Function,
    /// The function as the C API calls it when it stands in the extension's module.
    pub(crate) entry: ffi::PyCFunctionFastWithKeywords,
    /// Whether a call registers the thread with PyO3 as attached; see `natives!`.
    attaches: bool,
}

impl Native {
    /// A new reference, or why there is none; a panic is a reason, too.
    #[inline]
    pub(crate) fn call(&self, call: &CallArgs<'_, '_>) -> NativeResult<*mut ffi::PyObject> {
        if self.attaches { self.call_attached(call) } else { self.call_caught(call) }
    }

    // Apart, so that functions that don't attach don't pay for its registers.
    #[inline(never)]
    fn call_attached(&self, call: &CallArgs<'_, '_>) -> NativeResult<*mut ffi::PyObject> {
        Python::attach(|_| self.call_caught(call))
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call more is a tenth of what the shortest function costs")]
    fn call_caught(&self, call: &CallArgs<'_, '_>) -> NativeResult<*mut ffi::PyObject> {
        panics::caught(call.py(), || {
            faults::before(call.py(), self.name);
            let answer = (self.function)(call)?;
            faults::pass("after", self.name);
            Ok(answer.into_ptr())
        })
    }
}

/// Makes the table of native functions, and for each of them the C function that the module has:
/// C functions carry no data of their own.
///
/// The last word of a line is a contract. The interpreter calls with the GIL held, but PyO3 counts
/// attachments itself and doesn't know of that one. Where its count is zero, a `Py` or a `PyErr`
/// that is dropped stays in PyO3's pool until some thread attaches or detaches, with all that it
/// refers to: later than Python's caller may expect, and perhaps never.
///
/// - `no_attach`: PyO3 isn't told, which saves some nanoseconds. Such a function works with `Bound`
///   and `Borrowed` only, whose drops are the C API's own, clears errors by `gil::clear_error`,
///   and doesn't detach: it makes no system call that can wait.
/// - `attach`: the call is made within `Python::attach`, so all of PyO3 may be used.
macro_rules! natives {
    ($($name:literal => $function:path, $attachment:ident;)*) => {
        /// All native functions.
        pub(crate) static NATIVES: &[&Native] = &[$({
            static NATIVE: Native =
                Native { name: $name, function: $function, entry, attaches: natives!(@$attachment) };
            #[expect(unsafe_code, reason = "SAFETY.md: a C function")]
            unsafe extern "C" fn entry(
                _module: *mut ffi::PyObject,
                args: *const *mut ffi::PyObject,
                count: ffi::Py_ssize_t,
                kwnames: *mut ffi::PyObject,
            ) -> *mut ffi::PyObject {
                // SAFETY: the interpreter calls with the GIL held and proper arguments.
                unsafe { functions::call(&NATIVE, args, count, kwnames) }
            }
            &NATIVE
        }),*];
    };
    (@no_attach) => { false };
    (@attach) => { true };
}

natives! {
    // SAFETY: reads the bytes of a borrowed str; makes one str by the C API.
    c"base36_encode" => text::base36_encode, no_attach;
    // SAFETY: reads borrowed numbers; makes one str by the C API, whose error is cleared.
    c"format_float" => text::format_float, no_attach;
    // SAFETY: reads a borrowed str; gives it back, or one new str by the C API.
    c"truncate_long_string" => text::truncate_long_string, no_attach;
    // SAFETY: as `truncate_long_string`. Up to SkyPilot 0.9.3 there was no `truncate_middle`.
    c"truncate_long_string_end" => text::truncate_long_string_end, no_attach;
    // SAFETY: detaches while it reads the file; a decoder's PyErr may be dropped.
    c"read_last_n_lines" => files::read_last_n_lines, attach;
    // SAFETY: detaches while it reads the file; calls hashlib, whose PyErr may be dropped.
    c"hash_file" => files::hash_file, attach;
    // SAFETY: detaches while it reads the directory.
    c"estimate_fd_for_directory" => files::estimate_fd_for_directory, attach;
    // SAFETY: attributes of a logger may raise a PyErr, which is dropped.
    c"find_free_port" => system::find_free_port, attach;
    // SAFETY: as `find_free_port`. Up to SkyPilot 0.11.1 a busy port was not logged.
    c"find_free_port_silent" => system::find_free_port_silent, attach;
    // SAFETY: looks names up in dictionaries and modules, where a PyErr may be dropped.
    c"get_cpu_count" => system::get_cpu_count, attach;
    // SAFETY: as `get_cpu_count`.
    c"get_mem_size_gb" => system::get_mem_size_gb, attach;
    // SAFETY: as `get_cpu_count`. Up to SkyPilot 0.10.0 there was no limit in bytes.
    c"get_mem_size_gb_only" => system::get_mem_size_gb_only, attach;
    // SAFETY: reads a borrowed str; asks the kernel for what it knows without waiting; makes one int.
    c"get_parallel_threads" => system::get_parallel_threads, no_attach;
    // SAFETY: detaches while it reads directories; attributes of a logger may raise a PyErr.
    c"get_max_workers_for_file_mounts" => system::get_max_workers_for_file_mounts, attach;
    // SAFETY: reads the code points of a borrowed str; gives None.
    c"check_no_duplicate_keys" => yaml_keys::check_no_duplicate_keys, no_attach;
    // SAFETY: calls jsonschema's class for a schema; a PyErr of it or of a lookup may be dropped.
    c"validate_schema" => schema::validate_schema, attach;
    // SAFETY: reads a borrowed int; it is registered all the same, which is nothing beside its
    // system calls.
    c"is_process_alive" => system::is_process_alive, attach;
    // SAFETY: walks borrowed objects of exact types; makes one str by the C API.
    c"dump_yaml_str" => yaml::dump_yaml_str, no_attach;
    // SAFETY: detaches while it looks at a file, whose reads may raise a PyErr.
    c"safe_load" => yaml_load::safe_load, attach;
    // SAFETY: works with `Bound` alone; it is registered all the same, which is nothing beside a
    // document, so that it may come to use more of PyO3.
    c"read_yaml_str" => yaml_load::read_yaml_str, attach;
    // SAFETY: as `read_yaml_str`.
    c"read_yaml_all_str" => yaml_load::read_yaml_all_str, attach;
    // SAFETY: reads the bytes of a borrowed str; gives one of two immortal objects.
    c"is_valid_user_hash" => users::is_valid_user_hash, no_attach;
    // SAFETY: as `is_valid_user_hash`. After SkyPilot 0.14.1 a newline at the end is no longer
    // passed over.
    c"is_valid_user_hash_whole" => users::is_valid_user_hash_whole, no_attach;
    // SAFETY: detaches while it reads the file; lookups may raise a PyErr, which is dropped.
    c"get_user_hash" => users::get_user_hash, attach;
    // SAFETY: as `get_user_hash`, and attributes of a logger.
    c"make_cluster_name_on_cloud" => users::make_cluster_name_on_cloud, attach;
    // SAFETY: reads the bytes of a borrowed str; gives None.
    c"check_cluster_name_is_valid" => users::check_cluster_name_is_valid, no_attach;
    // SAFETY: reads the bytes of borrowed strs and an int; gives None.
    c"check_workspace_name_is_valid" => users::check_workspace_name_is_valid, no_attach;
    // SAFETY: reads the bytes of borrowed strs; gives one of two immortal objects.
    c"is_valid_env_var" => users::is_valid_env_var, no_attach;
    // SAFETY: reads a borrowed str; gives it back, or one new str by the C API. A pattern that is
    // seen for the first time is looked at within an attachment of its own.
    c"remove_color" => redact::remove_color, no_attach;
    // SAFETY: makes a list, whose PyErr may be dropped.
    c"_redact_secrets_values" => redact::redact_secrets_values, attach;
    // SAFETY: detaches while it reads /proc; calls psutil, whose PyErr may be dropped.
    c"_safe_children" => processes::safe_children, attach;
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
    NATIVES.iter().copied().find(|native| native.name.to_bytes() == name.as_bytes())
}
