//! Bytecode scanner for the guards: `sky_rs_patch._native.scan_code`.

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use sky_rs_core::bytecode;

/// Chains of a global name and attributes taken from it, and assigned global names.
type Scanned<'py> = (Vec<Bound<'py, PyTuple>>, Vec<Bound<'py, PyAny>>);

/// Which names instructions load and assign; `table` has a byte for each opcode.
#[pyfunction]
#[pyo3(signature = (code, names, table, /))]
fn scan_code<'py>(code: &[u8], names: &Bound<'py, PyTuple>, table: &[u8]) -> PyResult<Scanned<'py>> {
    let table = table.try_into().map_err(|_| PyValueError::new_err("a table has 256 bytes"))?;
    let found = bytecode::names(code, table);
    let name = |index: usize| -> PyResult<Bound<'py, PyAny>> {
        let name = names.get_item(index).map_err(|_| PyIndexError::new_err("no such name"))?;
        Ok(name.cast_into::<PyString>()?.into_any())
    };
    let mut chains = Vec::with_capacity(found.chains.len());
    for chain in found.chains {
        let parts = chain.into_iter().map(name).collect::<PyResult<Vec<_>>>()?;
        chains.push(PyTuple::new(names.py(), parts)?);
    }
    let assigned = found.assigned.into_iter().map(name).collect::<PyResult<_>>()?;
    Ok((chains, assigned))
}

pub(crate) fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(scan_code, module)?)
}
