//! Native `check_no_duplicate_keys`: returns `None` for texts in which no key is there twice.

use pyo3::prelude::*;
use sky_rs_core::NativeResult;
use sky_rs_core::yaml_scan::duplicates;

use crate::call_args::{CallArgs, exact_str, required};
use crate::text::{Units, units};

pub(super) fn check_no_duplicate_keys<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let [text] = call.bind(["yaml_str"], 1)?;
    match units(exact_str(required(text)?)?) {
        Units::Ascii(units) | Units::Latin1(units) => duplicates::none_in(units),
        Units::Ucs2(units) => duplicates::none_in(units),
        Units::Ucs4(units) => duplicates::none_in(units),
    }?;
    Ok(call.py().None().into_bound(call.py()))
}
