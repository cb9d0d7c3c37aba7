//! Live switch `SKYPILOT_USE_RUST`, read from the dictionary behind `os.environ`.

use std::cell::RefCell;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::gil::GilBound;
use crate::watch::{Kind, Stamp, Watched};

const VARIABLE: &[u8] = b"SKYPILOT_USE_RUST";

struct Switch {
    environment: Option<(Py<PyDict>, Py<PyBytes>, Stamp)>,
    on: bool,
}

static SWITCH: GilBound<RefCell<Switch>> = GilBound::new(RefCell::new(Switch { environment: None, on: true }));

/// Reads the switch from `data`, the dictionary of bytes behind `os.environ`, from now on.
#[pyfunction]
pub(crate) fn watch_environment(data: &Bound<'_, PyDict>) {
    let py = data.py();
    let stamp = Stamp::new(py, &[Watched { dict: data.clone().unbind(), kind: Kind::Other }]);
    let name = PyBytes::new(py, VARIABLE).unbind();
    SWITCH.get(py).borrow_mut().environment = Some((data.clone().unbind(), name, stamp));
}

/// Whether calls may go to native code. A value that isn't a switch value means no.
#[inline]
pub(crate) fn is_on(py: Python<'_>) -> bool {
    let switch = SWITCH.get(py);
    // SAFETY: the reference isn't used any more when anything else runs. Counting the borrow
    // would cost every call two writes.
    if let Ok(switch) = unsafe { switch.try_borrow_unguarded() }
        && switch.environment.as_ref().is_none_or(|(.., stamp)| stamp.is_current(py))
    {
        return switch.on;
    }
    // A dictionary that runs Python code while it is read may lead back here: no, then.
    switch.try_borrow_mut().is_ok_and(|mut switch| read(py, &mut switch))
}

#[cold]
fn read(py: Python<'_>, switch: &mut Switch) -> bool {
    if let Some((data, name, stamp)) = &mut switch.environment {
        stamp.renew(py, |_, _| ());
        switch.on = match data.bind(py).get_item(name.bind(py)) {
            Ok(None) => true,
            Ok(Some(value)) => value.cast::<PyBytes>().is_ok_and(|value| is_yes(value.as_bytes())),
            Err(_) => false,
        };
    }
    switch.on
}

/// The values that mean yes; `sky_rs_patch._base.switch` has the same list.
fn is_yes(value: &[u8]) -> bool {
    [&b"1"[..], b"true", b"yes", b"on"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}
