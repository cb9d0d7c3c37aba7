//! Rebinding of names that modules took with `from … import` before a function was replaced.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// There the originals are offered under such names.
const VIRTUAL_MODULE: &str = "sky.utils.rust_fallback";
const OFFERED: &str = "_python_";
const OWN_PACKAGE: &str = "sky_rs_patch.";

/// Binds every module-level name of an old object to its new one, in one pass.
///
/// Only modules' dictionaries are looked at: asking a lazy module for an attribute would load it.
///
/// Returns for each name the pair's number and `module.name`.
pub(crate) fn replace(
    pairs: &[(Bound<'_, PyAny>, Bound<'_, PyAny>)],
    modules: &Bound<'_, PyList>,
) -> PyResult<Vec<(usize, String)>> {
    // The pairs keep the old objects alive, so that their addresses stay theirs.
    let replacements: HashMap<_, _> =
        pairs.iter().enumerate().map(|(index, (old, _))| (old.as_ptr().addr(), index)).collect();
    let mut rebound = Vec::new();
    if pairs.is_empty() {
        return Ok(rebound);
    }
    for module in modules.iter() {
        let Ok(module) = module.cast_into::<PyModule>() else { continue };
        let namespace = module.dict();
        let found: Vec<_> = namespace
            .iter()
            .filter_map(|(name, value)| replacements.get(&value.as_ptr().addr()).map(|&index| (name, index)))
            .collect();
        if found.is_empty() {
            continue;
        }
        let owner = owner(&namespace)?;
        if owner.starts_with(OWN_PACKAGE) {
            continue;
        }
        for (name, index) in found {
            let label = name.str()?.to_string_lossy().into_owned();
            if owner == VIRTUAL_MODULE && label.starts_with(OFFERED) {
                continue;
            }
            namespace.set_item(name, &pairs[index].1)?;
            rebound.push((index, format!("{owner}.{label}")));
        }
    }
    Ok(rebound)
}

fn owner(namespace: &Bound<'_, PyDict>) -> PyResult<String> {
    let name = namespace.get_item("__name__")?;
    let name = name.map_or_else(|| Ok(PyString::new(namespace.py(), "None")), |name| name.str())?;
    Ok(name.to_string_lossy().into_owned())
}

/// Binds every name of an old object in `modules` to its new one. Returns the number of the pair
/// and `module.name` for each.
#[pyfunction]
pub(crate) fn rebind(pairs: &Bound<'_, PyList>, modules: &Bound<'_, PyList>) -> PyResult<Vec<(usize, String)>> {
    replace(&pairs.extract::<Vec<_>>()?, modules)
}
