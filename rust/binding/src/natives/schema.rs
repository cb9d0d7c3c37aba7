//! Native `validate_schema`, and the view of Python objects that the schema walk has.

use std::cell::RefCell;
use std::ptr;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFunction, PyList, PyString};
use pyo3::{Borrowed, ffi};
use sky_rs_core::schema::value::{List, Object, Text, Value, View};
use sky_rs_core::schema::{Patterns, is_valid};
use sky_rs_core::{Decline, NativeResult};

use crate::call_args::{Argument, CallArgs, exact_i64, plain_truth, required};
use crate::gil::{GilBound, clear_error};
use crate::text::{Units, ascii, length, units};

static PATTERNS: GilBound<RefCell<Patterns>> = GilBound::new(RefCell::new(Patterns::new()));

/// Where the route's objects are.
const GET_VALIDATOR: usize = 0;
const VALIDATOR: usize = 1;
const CONFIG: usize = 2;

pub(super) fn validate_schema<'py>(call: &CallArgs<'_, 'py>) -> NativeResult<Bound<'py, PyAny>> {
    let py = call.py();
    // What a message would start with isn't looked at if there is none.
    let [instance, schema, _, skip_none] = call.bind(["obj", "schema", "err_msg_prefix", "skip_none"], 2)?;
    let (instance, schema) = (required(instance)?, required(schema)?);
    let skip_none = skip_none.map_or(Ok(true), plain_truth)?;
    if !is_surely_valid(call, instance, schema, skip_none)? {
        return Err(Decline::Value);
    }
    known_validator(call)?;
    Ok(py.None().into_bound(py))
}

fn is_surely_valid<'py>(
    call: &CallArgs<'_, 'py>,
    instance: Argument<'_, 'py>,
    schema: Argument<'_, 'py>,
    skip_none: bool,
) -> NativeResult<bool> {
    let kept = match instance.cast_exact::<PyDict>() {
        Ok(members) if skip_none => without_none(members)?,
        Ok(_) => None,
        // Of others `skip_none` asks for their items.
        Err(_) => match config(call, instance)? {
            Some(members) if skip_none => Some(without_none(members.as_borrowed())?.unwrap_or(members)),
            Some(members) => Some(members),
            None if skip_none => return Err(Decline::Type),
            None => None,
        },
    };
    let instance = kept.as_ref().map_or(instance, |kept| kept.as_any().as_borrowed());
    let mut patterns = PATTERNS.get(call.py()).try_borrow_mut().map_err(|_| Decline::Platform)?;
    Ok(is_valid(Item(instance), Item(schema), &mut patterns))
}

/// From SkyPilot 0.14.1 on the class of validators is kept by `functools.lru_cache`, which may
/// be told to make another one; before, each call makes its own.
fn known_validator(call: &CallArgs<'_, '_>) -> NativeResult<()> {
    let (Some(get), Some(expected)) = (call.context(GET_VALIDATOR), call.context(VALIDATOR)) else {
        return Ok(());
    };
    if get.is_exact_instance_of::<PyFunction>() {
        return Ok(());
    }
    match crate::calls::call(get, []) {
        Ok(found) if found.is(expected) => Ok(()),
        Ok(_) => Err(Decline::Guard),
        Err(error) => Err(super::decline_for(call.py(), error, Decline::Guard)),
    }
}

/// A copy of SkyPilot's `Config` as a plain dictionary; the class adds methods of its own only.
fn config<'py>(call: &CallArgs<'_, 'py>, instance: Argument<'_, 'py>) -> NativeResult<Option<Bound<'py, PyDict>>> {
    if !call.context(CONFIG).is_some_and(|config| instance.get_type().is(config)) {
        return Ok(None);
    }
    if has_attributes(instance) {
        return Err(Decline::Type);
    }
    instance.cast::<PyDict>().map_err(|_| Decline::Type)?.copy().map(Some).map_err(|_| Decline::Os)
}

/// Whether an object has attributes of its own, or may have: they go before its class's methods.
fn has_attributes(object: Argument<'_, '_>) -> bool {
    let py = object.py();
    // SAFETY: the object is alive; the call gives a new reference, or null with an error set.
    let own =
        unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyObject_GenericGetDict(object.as_ptr(), ptr::null_mut())) };
    let Some(own) = own else {
        clear_error(py);
        return true;
    };
    own.cast_exact::<PyDict>().map_or(true, |own| !own.is_empty())
}

/// The members whose values aren't `None`; nothing where those are all of them.
fn without_none<'py>(members: Borrowed<'_, 'py, PyDict>) -> NativeResult<Option<Bound<'py, PyDict>>> {
    let all = Item(members);
    if all.entries().all(|(_, value)| !value.0.is_none()) {
        return Ok(None);
    }
    let kept = PyDict::new(members.py());
    for (key, value) in all.entries().filter(|(_, value)| !value.0.is_none()) {
        // The hash of anything but a plain string may be Python code.
        let View::Text(key) = key.view() else { return Err(Decline::Type) };
        kept.set_item(key.0, value.0).map_err(|_| Decline::Os)?;
    }
    Ok(Some(kept))
}

/// A Python object that stays alive and unchanged: the GIL is held while there are any, and
/// nothing that is done with them runs Python code.
struct Item<'a, 'py, T = PyAny>(Borrowed<'a, 'py, T>);

impl<T> Clone for Item<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Item<'_, '_, T> {}

impl<'a, 'py> Value for Item<'a, 'py> {
    type Text = Item<'a, 'py, PyString>;
    type List = Item<'a, 'py, PyList>;
    type Object = Item<'a, 'py, PyDict>;

    #[inline]
    fn view(self) -> View<Self> {
        let kind = self.0.get_type_ptr();
        // SAFETY: the types are static, only their addresses are taken, and the casts are to what
        // the object's exact type says that it is.
        unsafe {
            if kind == &raw mut ffi::PyUnicode_Type {
                View::Text(Item(self.0.cast_unchecked()))
            } else if kind == &raw mut ffi::PyDict_Type {
                View::Object(Item(self.0.cast_unchecked()))
            } else if kind == &raw mut ffi::PyList_Type {
                View::List(Item(self.0.cast_unchecked()))
            } else if kind == &raw mut ffi::PyBool_Type {
                View::Bool(self.0.as_ptr() == ffi::Py_True())
            } else if kind == &raw mut ffi::PyLong_Type {
                View::Int
            } else if kind == &raw mut ffi::PyFloat_Type {
                View::Float(ffi::PyFloat_AS_DOUBLE(self.0.as_ptr()))
            } else if self.0.is_none() {
                View::Null
            } else {
                View::Other
            }
        }
    }

    fn integer(self) -> Option<i64> {
        exact_i64(self.0).ok()
    }
}

impl Text for Item<'_, '_, PyString> {
    #[inline]
    fn ascii<'b>(self) -> Option<&'b [u8]>
    where
        Self: 'b,
    {
        ascii(self.0)
    }

    fn length(self) -> usize {
        length(self.0)
    }

    fn is_same(self, other: Self) -> bool {
        // A string is kept in the narrowest width that fits, so the same text has the same one.
        match (units(self.0), units(other.0)) {
            (Units::Ascii(first), Units::Ascii(second)) | (Units::Latin1(first), Units::Latin1(second)) => {
                first == second
            }
            (Units::Ucs2(first), Units::Ucs2(second)) => first == second,
            (Units::Ucs4(first), Units::Ucs4(second)) => first == second,
            _ => false,
        }
    }
}

impl<'a, 'py> List<Item<'a, 'py>> for Item<'a, 'py, PyList> {
    #[inline]
    fn items(self) -> impl ExactSizeIterator<Item = Item<'a, 'py>> {
        let list = self.0;
        (0..list.len()).map(move |index| {
            // SAFETY: the index is within the list, which keeps the item alive and doesn't change.
            Item(unsafe { Borrowed::from_ptr(list.py(), ffi::PyList_GET_ITEM(list.as_ptr(), index.cast_signed())) })
        })
    }
}

impl<'a, 'py> Object<Item<'a, 'py>> for Item<'a, 'py, PyDict> {
    fn length(self) -> usize {
        self.0.len()
    }

    #[inline]
    fn entries(self) -> impl Iterator<Item = (Item<'a, 'py>, Item<'a, 'py>)> {
        Entries { dict: self.0, position: 0 }
    }

    #[inline]
    fn get(self, key: Item<'a, 'py, PyString>) -> Option<Item<'a, 'py>> {
        let py = self.0.py();
        // SAFETY: both are alive, and with plain strings no Python code runs; what is found is
        // kept alive by the dictionary, which doesn't change.
        unsafe {
            let found = ffi::PyDict_GetItemWithError(self.0.as_ptr(), key.0.as_ptr());
            (!found.is_null()).then(|| Item(Borrowed::from_ptr(py, found)))
        }
    }
}

struct Entries<'a, 'py> {
    dict: Borrowed<'a, 'py, PyDict>,
    position: isize,
}

impl<'a, 'py> Iterator for Entries<'a, 'py> {
    type Item = (Item<'a, 'py>, Item<'a, 'py>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        let py = self.dict.py();
        // SAFETY: it is a dictionary, which doesn't change and so keeps both alive.
        unsafe {
            (ffi::PyDict_Next(self.dict.as_ptr(), &raw mut self.position, &raw mut key, &raw mut value) != 0)
                .then(|| (Item(Borrowed::from_ptr(py, key)), Item(Borrowed::from_ptr(py, value))))
        }
    }
}
