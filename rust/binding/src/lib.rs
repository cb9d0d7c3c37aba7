//! Extension module `sky_rs_patch._native`: routes, proxies and guards over `sky-rs-core`.
//!
//! `route` holds the decision that every call goes through, `proxy` the object in the module,
//! `guards` what must be as it was, `natives` the functions. `rust/SAFETY.md` says which modules
//! have `unsafe` code, and why.
#![deny(unsafe_code)]

mod bytecode;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod call_args;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod calls;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod counters;
mod errors;
mod faults;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod floors;
mod freezer;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod functions;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod gil;
mod guard_builder;
mod guards;
mod namespaces;
mod natives;
mod panics;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod pins;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod proxy;
mod rebind;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod route;
mod start;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod switch;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod text;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod tracing;
#[expect(unsafe_code, reason = "SAFETY.md")]
mod watch;

use pyo3::prelude::*;
use pyo3::types::PyDict;

#[cfg(Py_GIL_DISABLED)]
compile_error!(
    "sky_rs_patch keeps its state under the GIL, and can't be built for a free-threaded Python: use the ordinary build"
);

/// How this extension was built: `version`, `profile` (`release` or `debug`), `commit`,
/// `rustc`, `target`, `python`.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let version = py.version_info();
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("profile", env!("SKY_RS_PROFILE"))?;
    info.set_item("commit", env!("SKY_RS_COMMIT"))?;
    info.set_item("rustc", env!("SKY_RS_RUSTC"))?;
    info.set_item("target", env!("SKY_RS_TARGET"))?;
    info.set_item("python", format!("{}.{}", version.major, version.minor))?;
    Ok(info)
}

/// The extension's module.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    panics::keep_messages();
    faults::pass("module", c"init");
    tracing::prepare(py)?;
    module.add_class::<route::Route>()?;
    module.add_class::<guard_builder::GuardBuilder>()?;
    module.add_class::<freezer::Freezer>()?;
    module.add("Declined", py.get_type::<functions::Declined>())?;
    module.add("COUNTER_BLOCK", counters::BLOCK)?;
    module.add(
        "DECLINE_REASONS",
        pyo3::types::PyTuple::new(py, sky_rs_core::Decline::ALL.map(sky_rs_core::Decline::name))?,
    )?;
    module.add_function(wrap_pyfunction!(build_info, module)?)?;
    module.add_function(wrap_pyfunction!(panics::panics, module)?)?;
    #[cfg(feature = "fault-injection")]
    module.add_function(wrap_pyfunction!(faults::inject_fault, module)?)?;
    module.add_function(wrap_pyfunction!(switch::watch_environment, module)?)?;
    module.add_function(wrap_pyfunction!(proxy::make_proxy_type, module)?)?;
    module.add_function(wrap_pyfunction!(counters::take_left_counts, module)?)?;
    module.add_function(wrap_pyfunction!(rebind::rebind, module)?)?;
    start::add_functions(module)?;
    bytecode::add_functions(module)?;
    floors::add_functions(module)?;
    functions::add_functions(module)
}
