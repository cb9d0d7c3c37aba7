//! Start of a process: proxies for the functions of a module whose code is known, in one call.
//!
//! `known` is a table of which code is known, made from the Python side's; `fingerprint` says which
//! of it a function has. What isn't surely known is left to the Python side, which says why.

mod fingerprint;
mod known;
pub(crate) mod snapshot;

use std::collections::HashMap;
use std::path::PathBuf;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyList, PyString, PyTuple};

use crate::rebind;
use crate::route::Route;
use fingerprint::Known;
use known::{ROUTES, Routed};

/// A proxy in its place: target, proxy, and where else its function was found and replaced.
type Placed<'py> = (&'static str, Bound<'py, PyAny>, Vec<String>);

/// The letter of a function's variant, and the function with what it is made of.
type Variant<'py> = (u8, Bound<'py, PyTuple>);

/// The functions that a route relies on, each with what it is made of; see `unchanged` in
/// `sky_rs_patch/_runtime/implementation.py`.
type Reliance<'py> = Vec<Bound<'py, PyTuple>>;

/// Puts proxies in the place of a module's functions whose code is known.
///
/// `resolve(target, original, functions)` is called when a proxy is first called, and derives its
/// guards; `functions` are those that the native function covers. Names in `modules` that lead to an
/// original are bound to its proxy as well.
///
/// Returns the proxies, and the targets that are there but were left as they are. Opt-in routes are
/// passed over.
#[pyfunction]
pub(crate) fn place_proxies<'py>(
    module: &Bound<'py, PyModule>,
    proxy_type: &Bound<'py, PyAny>,
    resolve: &Bound<'py, PyAny>,
    modules: &Bound<'py, PyList>,
) -> PyResult<(Vec<Placed<'py>>, Vec<&'static str>)> {
    let py = module.py();
    snapshot::take_pristine(py)?;
    let partial = py.import(intern!(py, "functools"))?.getattr(intern!(py, "partial"))?;
    let namespace = module.dict();
    let name = module.name()?;
    let home = name.to_str()?;
    let mut examiner = Examiner { known: Known::new(py)?, namespace: &namespace, home, found: HashMap::new() };
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    // All of them are looked at before the first is replaced: some call each other.
    for route in ROUTES.iter().filter(|route| route.module == home) {
        let Some(found) = namespace.get_item(route.function)? else { continue };
        match examiner.examine(&found, route)? {
            Some((native, reliance)) => chosen.push((route, found, native, reliance)),
            None => left.push(route.target),
        }
    }
    let mut made = Vec::with_capacity(chosen.len());
    for (route, original, native, reliance) in chosen {
        let functions = PyTuple::new(py, reliance)?;
        let resolver = partial.call1((resolve, route.target, &original, functions))?;
        let proxy = proxy_type.call1((Route::of_native(route.target, &original, native, resolver.unbind())?,))?;
        made.push((route, original, proxy));
    }
    // From here on no Python code runs, so that no signal's handler leaves this half done.
    let mut placed = Vec::with_capacity(made.len());
    let mut pairs = Vec::with_capacity(made.len());
    for (route, original, proxy) in made {
        module.setattr(route.function, &proxy)?;
        placed.push((route.target, proxy.clone(), Vec::new()));
        pairs.push((original, proxy));
    }
    for (index, label) in rebind::replace(&pairs, modules)? {
        placed[index].2.push(label);
    }
    Ok((placed, left))
}

/// Which variants of functions a module has, each looked at once.
struct Examiner<'a, 'py> {
    known: Known<'py>,
    namespace: &'a Bound<'py, PyDict>,
    home: &'a str,
    found: HashMap<(usize, String), Option<Variant<'py>>>,
}

impl<'py> Examiner<'_, 'py> {
    /// The native function of a route and what it relies on, or `None` if something isn't known.
    fn examine(
        &mut self,
        found: &Bound<'py, PyAny>,
        route: &Routed,
    ) -> PyResult<Option<(&'static str, Reliance<'py>)>> {
        let Some((variant, original)) = self.variant(found, route.target, false)? else { return Ok(None) };
        let Some(&(_, native)) = route.natives.iter().find(|(letter, _)| *letter == variant) else { return Ok(None) };
        let mut reliance = vec![original];
        for &(callee, variants) in route.callees {
            let Some(found) = self.namespace.get_item(callee)? else { return Ok(None) };
            let Some(function) = self.covered(&found, &format!("{}.{callee}", self.home), variants)? else {
                return Ok(None);
            };
            reliance.push(function);
        }
        let modules = found.py().import(intern!(found.py(), "sys"))?.getattr(intern!(found.py(), "modules"))?;
        for &(name, variants) in route.elsewhere {
            let (home, function) = name.rsplit_once('.').unwrap_or_default();
            let Ok(module) = modules.get_item(home) else { return Ok(None) };
            let Ok(module) = module.cast_into::<PyModule>() else { return Ok(None) };
            // Not every release has all of them.
            let Some(found) = module.dict().get_item(function)? else { continue };
            let Some(function) = self.covered(&found, name, variants)? else { return Ok(None) };
            reliance.push(function);
        }
        Ok(Some((native, reliance)))
    }

    /// The function behind a name if it has one of the variants.
    fn covered(
        &mut self,
        found: &Bound<'py, PyAny>,
        name: &str,
        variants: &[u8],
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        // Other decorators may do anything, whatever they say is wrapped by them.
        let cached = self.known.is_cached(found);
        let function = if cached { found.getattr(intern!(found.py(), "__wrapped__"))? } else { found.clone() };
        let variant = self.variant(&function, name, cached)?;
        Ok(variant.filter(|(variant, _)| variants.contains(variant)).map(|(_, function)| function))
    }

    fn variant(&mut self, function: &Bound<'py, PyAny>, name: &str, decorated: bool) -> PyResult<Option<Variant<'py>>> {
        let key = (function.as_ptr().addr(), name.to_owned());
        if let Some(known) = self.found.get(&key) {
            return Ok(known.clone());
        }
        let answer = match function.cast_exact::<PyFunction>() {
            Ok(function) => self.known.variant(function, name, decorated)?,
            Err(_) => None,
        };
        self.found.insert(key, answer.clone());
        Ok(answer)
    }
}

/// Whether a package in one of the folders may declare entry points of a group.
#[pyfunction]
fn may_declare_entry_points(folders: &Bound<'_, PyList>, group: &str) -> bool {
    folders.iter().any(|folder| {
        // Others than strings aren't searched for modules.
        let Ok(folder) = folder.cast::<PyString>() else { return false };
        let Ok(folder) = folder.extract::<PathBuf>() else { return true };
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        sky_rs_core::entry_points::may_declare(&folder, group.as_bytes())
    })
}

pub(crate) fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<snapshot::Snapshot>()?;
    module.add_function(wrap_pyfunction!(place_proxies, module)?)?;
    module.add_function(wrap_pyfunction!(may_declare_entry_points, module)?)?;
    module.add_function(wrap_pyfunction!(fingerprint::code_text, module)?)?;
    module.add_function(wrap_pyfunction!(snapshot::pristine, module)?)
}
