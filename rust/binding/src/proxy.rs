//! Proxy type that stands in for a function: a native subtype of `wrapt.FunctionWrapper`.
//!
//! To everybody else it is the wrapt proxy that it derives from (`__wrapped__`, `__name__`,
//! `inspect.signature`). A call doesn't pass through wrapt: the type has its own vectorcall, which
//! goes straight to the route; and it binds as a function does.

use std::ffi::{c_int, c_void};
use std::mem::{align_of, size_of};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use pyo3::{Borrowed, ffi, intern};

use crate::calls;
use crate::route::Route;

/// What a proxy has after its base's own fields.
#[repr(C)]
struct Extra {
    vectorcall: Option<ffi::vectorcallfunc>,
    /// A strong reference to a `Route`, or null before `__init__` and after finalization.
    route: *mut ffi::PyObject,
}

/// Facts about the base type, known once the type is made.
struct Base {
    /// Where `Extra` starts in an instance.
    offset: usize,
    traverse: Option<ffi::traverseproc>,
    clear: Option<ffi::inquiry>,
    init: ffi::initproc,
}

static BASE: OnceLock<Base> = OnceLock::new();
/// `Base::offset` once more: every call reads it.
static OFFSET: AtomicUsize = AtomicUsize::new(0);
static PASS_THROUGH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The own fields of a proxy.
///
/// # Safety
/// `object` is an instance of the proxy type, whose base is known.
#[inline]
unsafe fn extra(object: *mut ffi::PyObject) -> *mut Extra {
    let offset = OFFSET.load(Ordering::Relaxed);
    debug_assert_ne!(offset, 0);
    // SAFETY: instances have an `Extra` at that offset, aligned as pointers are.
    unsafe { object.cast::<u8>().add(offset).cast() }
}

/// The route of a proxy, if it still has one.
///
/// # Safety
/// As `extra`; the proxy outlives the borrow.
#[inline]
unsafe fn route_of<'a>(py: Python<'a>, object: *mut ffi::PyObject) -> Option<&'a Route> {
    // SAFETY: the field is null or holds a `Route`: only `init` writes to it. The token is
    // held during one call, and so is the proxy.
    unsafe {
        let route = (*extra(object)).route;
        if route.is_null() {
            return None;
        }
        let route = Borrowed::from_ptr(py, route).cast_unchecked::<Route>();
        Some(std::mem::transmute::<&Route, &'a Route>(route.get()))
    }
}

unsafe extern "C" fn vectorcall(
    object: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls with the GIL held and proper arguments; this pointer is
    // only set in proxies.
    unsafe {
        let py = Python::assume_attached();
        match route_of(py, object) {
            Some(route) => route.call(py, args, nargsf, kwnames),
            None => call_wrapped(py, object, args, nargsf, kwnames),
        }
    }
}

/// A proxy that was finalized and brought back to life has lost its route.
#[cold]
unsafe fn call_wrapped(
    py: Python<'_>,
    object: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the references are live; all calls follow the C API's conventions.
    unsafe {
        let wrapped = ffi::PyObject_GetAttr(object, intern!(py, "__wrapped__").as_ptr());
        if wrapped.is_null() {
            return ptr::null_mut();
        }
        let result = calls::vectorcall(py, wrapped, args, nargsf, kwnames);
        ffi::Py_DECREF(wrapped);
        result
    }
}

/// `RoutedFunction(route)`.
unsafe extern "C" fn init(object: *mut ffi::PyObject, args: *mut ffi::PyObject, kwargs: *mut ffi::PyObject) -> c_int {
    // SAFETY: the interpreter calls with the GIL held, a new instance and a tuple.
    let (py, args) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, args).cast_unchecked::<PyTuple>())
    };
    // Errors are built and dropped below, so let PyO3 know that the thread is attached.
    Python::attach(|_| {
        // SAFETY: `object` is an instance of the proxy type.
        match unsafe { init_checked(py, object, args, !kwargs.is_null()) } {
            Ok(()) => 0,
            Err(error) => {
                error.restore(py);
                -1
            }
        }
    })
}

unsafe fn init_checked(
    py: Python<'_>,
    object: *mut ffi::PyObject,
    args: Borrowed<'_, '_, PyTuple>,
    keywords: bool,
) -> PyResult<()> {
    if args.len() != 1 || keywords {
        return Err(PyTypeError::new_err("RoutedFunction takes one positional argument: a Route"));
    }
    // SAFETY: `object` is a proxy.
    if !unsafe { (*extra(object)).route }.is_null() {
        // A call that is under way may have nothing but this reference to its route.
        return Err(PyTypeError::new_err("a RoutedFunction keeps its route"));
    }
    let route = args.get_item(0)?.cast_into::<Route>()?;
    let original = route.getattr(intern!(py, "original"))?;
    let pass_through =
        PASS_THROUGH.get(py).ok_or_else(|| PyTypeError::new_err("RoutedFunction has no pass-through wrapper yet"))?;
    let base_args = PyTuple::new(py, [&original, pass_through.bind(py)])?;
    let base = BASE.get().ok_or_else(|| PyTypeError::new_err("RoutedFunction has no base yet"))?;
    // SAFETY: the base's own initializer gets an instance and a tuple, as it expects.
    if unsafe { (base.init)(object, base_args.as_ptr(), ptr::null_mut()) } < 0 {
        return Err(PyErr::fetch(py));
    }
    // SAFETY: `object` is a proxy, without a route so far; the reference is the field's now.
    unsafe {
        let fields = extra(object);
        (*fields).route = route.into_any().into_ptr();
        (*fields).vectorcall = Some(vectorcall);
    }
    Ok(())
}

/// Drops the reference to the route.
///
/// # Safety
/// As `extra`.
unsafe fn release(object: *mut ffi::PyObject) {
    // SAFETY: the field holds a strong reference or null, and is null afterwards.
    unsafe {
        let fields = extra(object);
        let route = (*fields).route;
        (*fields).route = ptr::null_mut();
        ffi::Py_XDECREF(route);
    }
}

unsafe extern "C" fn traverse(object: *mut ffi::PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    // The base visits the type where instances own a reference to it.
    // SAFETY: the collector calls with an instance; the base's function is its own.
    unsafe {
        let route = (*extra(object)).route;
        if !route.is_null() {
            let status = visit(route, arg);
            if status != 0 {
                return status;
            }
        }
        match BASE.get().and_then(|base| base.traverse) {
            Some(traverse) => traverse(object, visit, arg),
            None => 0,
        }
    }
}

unsafe extern "C" fn clear(object: *mut ffi::PyObject) -> c_int {
    // SAFETY: the collector calls with an instance.
    unsafe {
        release(object);
        match BASE.get().and_then(|base| base.clear) {
            Some(clear) => clear(object),
            None => 0,
        }
    }
}

/// Also the last act of an instance that no cycle holds: the inherited deallocator knows
/// nothing of the route.
unsafe extern "C" fn finalize(object: *mut ffi::PyObject) {
    // SAFETY: the interpreter calls with an instance.
    unsafe { release(object) }
}

/// Pickling by qualified name: the pickle loads where there is no shim, too.
unsafe extern "C" fn reduce(object: *mut ffi::PyObject, _args: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the object is live; a new reference, or null with an error set.
    unsafe {
        let py = Python::assume_attached();
        ffi::PyObject_GetAttr(object, intern!(py, "__qualname__").as_ptr())
    }
}

/// Functions are copied by reference.
unsafe extern "C" fn copy(object: *mut ffi::PyObject, _args: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the object is live.
    unsafe { ffi::Py_INCREF(object) };
    object
}

unsafe extern "C" {
    /// A bound method; PyO3 doesn't declare it.
    #[link_name = "PyMethod_New"]
    fn new_method(function: *mut ffi::PyObject, instance: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// As functions do it: the proxy itself as an attribute of a class, a method of an instance.
unsafe extern "C" fn bind(
    object: *mut ffi::PyObject,
    instance: *mut ffi::PyObject,
    _owner: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the references are live; a new reference, or null with an error set.
    unsafe {
        if instance.is_null() || instance == ffi::Py_None() {
            ffi::Py_INCREF(object);
            return object;
        }
        new_method(object, instance)
    }
}

/// `__annotations__` of the original. wrapt's own would do, if asking the type for its
/// annotations (as `inspect` does) didn't make Python put an empty dictionary before it.
unsafe extern "C" fn get_annotations(object: *mut ffi::PyObject, _closure: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: the references are live; a new reference, or null with an error set.
    unsafe {
        let py = Python::assume_attached();
        let wrapped = ffi::PyObject_GetAttr(object, intern!(py, "__wrapped__").as_ptr());
        if wrapped.is_null() {
            return ptr::null_mut();
        }
        let annotations = ffi::PyObject_GetAttr(wrapped, intern!(py, "__annotations__").as_ptr());
        ffi::Py_DECREF(wrapped);
        annotations
    }
}

/// Sets or, with a null value, deletes the annotations of the original.
unsafe extern "C" fn set_annotations(
    object: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    _closure: *mut c_void,
) -> c_int {
    // SAFETY: the references are live.
    unsafe {
        let py = Python::assume_attached();
        let wrapped = ffi::PyObject_GetAttr(object, intern!(py, "__wrapped__").as_ptr());
        if wrapped.is_null() {
            return -1;
        }
        let status = ffi::PyObject_SetAttr(wrapped, intern!(py, "__annotations__").as_ptr(), value);
        ffi::Py_DECREF(wrapped);
        status
    }
}

const fn method(name: &'static std::ffi::CStr, function: ffi::PyCFunction, flags: c_int) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: function },
        ml_flags: flags,
        ml_doc: ptr::null(),
    }
}

/// Makes the proxy type over `base`, which must be wrapt's own `FunctionWrapper` in C.
/// `pass_through(wrapped, instance, args, kwargs)` is what wrapt wants for its own calls.
///
/// # Errors
/// `TypeError` if the base isn't made in C, or the type was made before over another one.
#[pyfunction]
pub(crate) fn make_proxy_type<'py>(base: &Bound<'py, PyType>, pass_through: Py<PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = base.py();
    if is_python_class(base)? {
        return Err(PyTypeError::new_err(format!("{base} is no C type, so its calls can't be shortened")));
    }
    let raw = base.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: `base` is a ready type.
    let (basic_size, facts) = unsafe {
        let type_object = &*raw;
        let init = type_object.tp_init.ok_or_else(|| PyTypeError::new_err("the base has no initializer"))?;
        let offset = usize::try_from(type_object.tp_basicsize)?.next_multiple_of(align_of::<Extra>());
        let facts = Base { offset, traverse: type_object.tp_traverse, clear: type_object.tp_clear, init };
        (offset + size_of::<Extra>(), facts)
    };
    let offset = facts.offset;
    let known = BASE.get_or_init(|| facts);
    if known.offset != offset {
        return Err(PyTypeError::new_err("the proxy type was made over another base before"));
    }
    OFFSET.store(offset, Ordering::Relaxed);
    // A second call, after a reload of the Python side, keeps the first function.
    let _ = PASS_THROUGH.set(py, pass_through);

    let member = |name: &'static std::ffi::CStr, type_code: c_int, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code,
        offset: offset.cast_signed(),
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    };
    // The type keeps pointers into these tables, so they live as long as the process.
    let members = Box::leak(Box::new([
        member(c"__vectorcalloffset__", ffi::Py_T_PYSSIZET, offset + std::mem::offset_of!(Extra, vectorcall)),
        member(c"_self_route", ffi::Py_T_OBJECT_EX, offset + std::mem::offset_of!(Extra, route)),
        // SAFETY: all zeros end the table.
        unsafe { std::mem::zeroed::<ffi::PyMemberDef>() },
    ]));
    let methods = Box::leak(Box::new([
        method(c"__reduce__", reduce, ffi::METH_NOARGS),
        method(c"__reduce_ex__", reduce, ffi::METH_O),
        method(c"__copy__", copy, ffi::METH_NOARGS),
        method(c"__deepcopy__", copy, ffi::METH_O),
        ffi::PyMethodDef::zeroed(),
    ]));
    let attributes = Box::leak(Box::new([
        ffi::PyGetSetDef {
            name: c"__annotations__".as_ptr(),
            get: Some(get_annotations),
            set: Some(set_annotations),
            doc: ptr::null(),
            closure: ptr::null_mut(),
        },
        // SAFETY: all zeros end the table.
        unsafe { std::mem::zeroed::<ffi::PyGetSetDef>() },
    ]));
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(ffi::Py_tp_init, init as *mut c_void),
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_descr_get, bind as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_finalize, finalize as *mut c_void),
        slot(ffi::Py_tp_members, members.as_mut_ptr().cast()),
        slot(ffi::Py_tp_getset, attributes.as_mut_ptr().cast()),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        slot(ffi::Py_tp_doc, c"A SkyPilot function that a route serves.".as_ptr() as *mut c_void),
        slot(0, ptr::null_mut()),
    ];
    let flags = ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_BASETYPE
        | ffi::Py_TPFLAGS_HAVE_GC
        | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR
        | HAVE_VECTORCALL;
    let mut spec = ffi::PyType_Spec {
        name: c"sky_rs_patch._native.RoutedFunction".as_ptr(),
        basicsize: c_int::try_from(basic_size)?,
        itemsize: 0,
        flags: u32::try_from(flags)?,
        slots: slots.as_mut_ptr(),
    };
    let bases = PyTuple::new(py, [base])?;
    // SAFETY: the specification is complete; the call copies it and gives a new type.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpecWithBases(&raw mut spec, bases.as_ptr())) }
}

/// `Py_TPFLAGS_HAVE_VECTORCALL`, which had an underscore before 3.12.
const HAVE_VECTORCALL: std::ffi::c_ulong = 1 << 11;

/// Whether the type or a base of it has an initializer written in Python: its slot would look
/// `__init__` up on our type and find our own again, without end.
fn is_python_class(base: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = base.py();
    let function = py.import(intern!(py, "types"))?.getattr(intern!(py, "FunctionType"))?;
    for class in base.mro().iter() {
        let own = class.getattr(intern!(py, "__dict__"))?;
        for name in [intern!(py, "__init__"), intern!(py, "__new__")] {
            if own.contains(name)? && own.get_item(name)?.is_instance(&function)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
