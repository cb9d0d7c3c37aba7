//! Fault injection for tests: panics on purpose, with the feature `fault-injection`, which no
//! released wheel has.

#[cfg(feature = "fault-injection")]
mod injected {
    use std::ffi::CStr;
    use std::sync::{LazyLock, Mutex};

    use pyo3::exceptions::PyRuntimeError;
    use pyo3::prelude::*;

    /// Before the module is there, the variable names the point.
    const VARIABLE: &str = "SKY_RS_FAULT";

    static POINT: LazyLock<Mutex<Option<String>>> = LazyLock::new(|| Mutex::new(std::env::var(VARIABLE).ok()));

    /// Lets the code panic whenever it passes a point, `before:hash_file` for instance, or nowhere
    /// any more.
    #[pyfunction]
    #[pyo3(signature = (point))]
    pub(crate) fn inject_fault(point: Option<String>) {
        *POINT.lock().expect("nothing panics meanwhile") = point;
    }

    fn is_chosen(kind: &str, name: &CStr) -> bool {
        let point = POINT.lock().expect("nothing panics meanwhile");
        point.as_deref().and_then(|point| point.split_once(':')) == Some((kind, &*name.to_string_lossy()))
    }

    /// Panics if this point was chosen.
    pub(crate) fn pass(kind: &str, name: &CStr) {
        assert!(!is_chosen(kind, name), "injected: {kind}:{}", name.to_string_lossy());
    }

    /// Before a native function: at once, with Python's error indicator set, or without the GIL.
    pub(crate) fn before(py: Python<'_>, name: &CStr) {
        pass("before", name);
        if is_chosen("error", name) {
            PyRuntimeError::new_err("injected").restore(py);
            panic!("injected: error:{}", name.to_string_lossy());
        }
        if is_chosen("detached", name) {
            py.detach(|| panic!("injected: detached:{}", name.to_string_lossy()));
        }
    }
}

#[cfg(not(feature = "fault-injection"))]
mod injected {
    use std::ffi::CStr;

    use pyo3::Python;

    #[inline]
    pub(crate) fn pass(_kind: &str, _name: &CStr) {}

    #[inline]
    pub(crate) fn before(_py: Python<'_>, _name: &CStr) {}
}

pub(crate) use injected::*;
