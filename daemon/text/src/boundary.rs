//! What crosses to C and back: views in, owned buffers and handles out, errors and panics as text.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_int;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::sync::Once;

/// An error is its text; the C++ side knows what was being done.
pub type Result<T> = std::result::Result<T, String>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct View {
    data: *const u8,
    size: usize,
}

impl View {
    /// # Safety
    /// The view's bytes live as long as the call it was passed to.
    pub unsafe fn text<'a>(self) -> Result<&'a str> {
        std::str::from_utf8(slice(self.data, self.size)).map_err(|error| format!("not valid UTF-8: {error}"))
    }
}

/// # Safety
/// `data` points at `size` elements; it may be null where `size` is 0.
pub unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 {
        &[]
    } else {
        std::slice::from_raw_parts(data, size)
    }
}

/// # Safety
/// `views` points at `num_views` views whose bytes live as long as the call.
pub unsafe fn texts<'a>(views: *const View, num_views: usize) -> Result<Vec<&'a str>> {
    slice(views, num_views).iter().map(|view| view.text()).collect()
}

#[repr(C)]
pub struct Buffer {
    data: *mut u8,
    size: usize,
}

impl Buffer {
    fn new(bytes: Vec<u8>) -> Self {
        let boxed = bytes.into_boxed_slice();
        let size = boxed.len();
        Self { data: Box::into_raw(boxed).cast(), size }
    }

    /// # Safety
    /// The buffer came from `new` and is freed once.
    pub unsafe fn free(self) {
        if !self.data.is_null() {
            drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.data, self.size)));
        }
    }
}

/// Runs `work` and puts its bytes, or its error's text, into `*out`.
///
/// # Safety
/// `out` may be written to.
pub unsafe fn answer(out: *mut Buffer, work: impl FnOnce() -> Result<Vec<u8>>) -> c_int {
    let (status, bytes) = match guarded(work) {
        Ok(bytes) => (0, bytes),
        Err(text) => (1, text.into_bytes()),
    };
    out.write(Buffer::new(bytes));
    status
}

/// Like `answer`, for work that makes a handle.
///
/// # Safety
/// `handle` and `out` may be written to.
pub unsafe fn answer_handle<T>(
    handle: *mut *mut T,
    out: *mut Buffer,
    work: impl FnOnce() -> Result<T>,
) -> c_int {
    answer(out, || {
        handle.write(Box::into_raw(Box::new(work()?)));
        Ok(Vec::new())
    })
}

/// # Safety
/// `handle` came from `answer_handle` or is null.
pub unsafe fn free_handle<T>(handle: *mut T) {
    if !handle.is_null() {
        quietly((), || drop(Box::from_raw(handle)));
    }
}

/// For functions that cannot answer an error: a panic answers `otherwise`.
pub fn quietly<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    guarded(|| Ok(work())).unwrap_or(otherwise)
}

thread_local! {
    static PANIC_PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The hook keeps the panic's place for the error's text, instead of writing to the process's stderr.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            PANIC_PLACE.with(|slot| *slot.borrow_mut() = place);
        }));
    });
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let place = PANIC_PLACE.with(|slot| slot.take());
        Err(format!("the text library failed: {} at {place}", panic_text(&*panic)))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else {
        panic.downcast_ref::<String>().map_or("panic", String::as_str)
    }
}
