//! Check that a log record of the original would reach no handler.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;
use sky_rs_core::{Decline, NativeResult};

use super::decline_for;
use crate::calls::attribute;

const DEBUG: i64 = 10;

/// Makes sure that `logger.debug(...)` would reach no handler, so that leaving it out can't
/// be noticed. Follows `logging.Logger.callHandlers`.
///
/// # Errors
/// `Logging` if a handler or a filter would see the record, or if that can't be told.
pub(super) fn debug_is_silent(logger: &Bound<'_, PyAny>) -> NativeResult<()> {
    match reaches_nobody(logger) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Decline::Logging),
        Err(error) => Err(decline_for(logger.py(), error, Decline::Logging)),
    }
}

fn reaches_nobody(logger: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = logger.py();
    if attribute(logger, intern!(py, "filters"))?.len()? > 0 {
        return Ok(false);
    }
    let mut handlers_found = false;
    let mut current = logger.clone();
    loop {
        let handlers = attribute(&current, intern!(py, "handlers"))?.cast_into::<PyList>()?;
        for handler in handlers.iter() {
            handlers_found = true;
            // SkyPilot's handlers compute their level from the context of the call.
            if attribute(&handler, intern!(py, "level"))?.extract::<i64>()? <= DEBUG {
                return Ok(false);
            }
        }
        if !attribute(&current, intern!(py, "propagate"))?.is_truthy()? {
            break;
        }
        current = attribute(&current, intern!(py, "parent"))?;
        if current.is_none() {
            break;
        }
    }
    // Without any handler logging has a last resort, and may complain on stderr.
    Ok(handlers_found)
}
