//! Status codes, and the last error of the calling thread.

use std::cell::RefCell;
use std::ffi::{c_char, CStr, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};

use attention::Error;

/// Outcome of a call. Every other value than RVATTN_OK leaves a message in `rvattn_last_error_message`.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum rvattn_status {
    /// The call did what it says.
    RVATTN_OK = 0,
    /// A pointer that must not be NULL is NULL, or one is not aligned for its type.
    RVATTN_ERROR_POINTER = 1,
    /// A length does not fit.
    RVATTN_ERROR_LENGTH = 2,
    /// The result would not fit in memory.
    RVATTN_ERROR_TOO_LARGE = 3,
    /// A parameter lies outside its domain.
    RVATTN_ERROR_PARAMETER = 4,
    /// The mask leaves no key.
    RVATTN_ERROR_ALL_MASKED = 5,
    /// Under causal order a query sees no key.
    RVATTN_ERROR_NO_VISIBLE_KEY = 6,
    /// An input holds a NaN or an infinity.
    RVATTN_ERROR_NON_FINITE = 7,
    /// A result lies beyond the range of float.
    RVATTN_ERROR_OVERFLOW = 8,
    /// A point lies outside the Poincaré ball.
    RVATTN_ERROR_OUTSIDE_BALL = 9,
    /// The mechanism does not offer the option.
    RVATTN_ERROR_UNSUPPORTED = 10,
    /// Bytes are not a partial state.
    RVATTN_ERROR_INVALID_STATE = 11,
    /// Two partial states belong to different computations.
    RVATTN_ERROR_STATE_MISMATCH = 12,
    /// A file of weights cannot be used.
    RVATTN_ERROR_INVALID_WEIGHTS = 13,
    /// No attention type has this name.
    RVATTN_ERROR_UNKNOWN_TYPE = 14,
    /// No attention type was named.
    RVATTN_ERROR_TYPE_NOT_SPECIFIED = 15,
    /// A text is not UTF-8.
    RVATTN_ERROR_TEXT = 16,
    /// An error that this version of the interface has no code for; the message tells.
    RVATTN_ERROR_OTHER = 98,
    /// A fault of the library itself; please report it.
    RVATTN_ERROR_INTERNAL = 99,
}

use rvattn_status::*;

/// Why a call failed: what the core says, or a fault of the pointers themselves.
pub(crate) enum Failure {
    Core(Error),
    Pointer(&'static str, &'static str),
    Text(&'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Core(error)
    }
}

impl Failure {
    fn status(&self) -> rvattn_status {
        match self {
            Failure::Pointer(..) => RVATTN_ERROR_POINTER,
            Failure::Text(_) => RVATTN_ERROR_TEXT,
            Failure::Core(error) => match error {
                Error::Length { .. } => RVATTN_ERROR_LENGTH,
                Error::TooLarge { .. } => RVATTN_ERROR_TOO_LARGE,
                Error::Parameter { .. } => RVATTN_ERROR_PARAMETER,
                Error::AllMasked => RVATTN_ERROR_ALL_MASKED,
                Error::NoVisibleKey { .. } => RVATTN_ERROR_NO_VISIBLE_KEY,
                Error::NonFinite { .. } => RVATTN_ERROR_NON_FINITE,
                Error::Overflow { .. } => RVATTN_ERROR_OVERFLOW,
                Error::OutsideBall { .. } => RVATTN_ERROR_OUTSIDE_BALL,
                Error::Unsupported { .. } => RVATTN_ERROR_UNSUPPORTED,
                Error::InvalidState { .. } => RVATTN_ERROR_INVALID_STATE,
                Error::StateMismatch { .. } => RVATTN_ERROR_STATE_MISMATCH,
                Error::InvalidWeights { .. } => RVATTN_ERROR_INVALID_WEIGHTS,
                Error::UnknownType { .. } => RVATTN_ERROR_UNKNOWN_TYPE,
                Error::TypeNotSpecified => RVATTN_ERROR_TYPE_NOT_SPECIFIED,
                _ => RVATTN_ERROR_OTHER,
            },
        }
    }

    fn message(&self) -> String {
        match self {
            Failure::Core(error) => error.to_string(),
            Failure::Pointer(argument, fault) => format!("{argument}: the pointer {fault}"),
            Failure::Text(argument) => format!("{argument}: the text is not UTF-8"),
        }
    }

    fn argument(&self) -> &'static str {
        match self {
            Failure::Core(error) => error.argument(),
            Failure::Pointer(argument, _) | Failure::Text(argument) => argument,
        }
    }
}

thread_local! {
    static LAST: RefCell<(CString, CString)> = RefCell::default();
}

fn remember(message: String, argument: &str) {
    // Neither text holds a NUL byte, except through an unknown name that a caller passed in.
    let text = |s: &str| CString::new(s.replace('\0', " ")).unwrap_or_default();
    let _ = LAST.try_with(|last| *last.borrow_mut() = (text(&message), text(argument)));
}

/// Runs the body of an exported function: no panic leaves it, and a failure becomes the thread's last error.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> rvattn_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => RVATTN_OK,
        Ok(Err(failure)) => {
            remember(failure.message(), failure.argument());
            failure.status()
        }
        Err(_) => {
            remember("internal error: the library panicked; please report it".into(), "");
            RVATTN_ERROR_INTERNAL
        }
    }
}

fn last(pick: impl FnOnce(&(CString, CString)) -> *const c_char) -> *const c_char {
    LAST.try_with(|last| pick(&last.borrow())).unwrap_or(c"".as_ptr())
}

/// Message of this thread's last failed call, "" if there was none; valid until the thread's next failure.
#[no_mangle]
pub extern "C" fn rvattn_last_error_message() -> *const c_char {
    last(|(message, _)| CStr::as_ptr(message))
}

/// Name of the argument that this thread's last failed call complained of; valid until its next failure.
#[no_mangle]
pub extern "C" fn rvattn_last_error_argument() -> *const c_char {
    last(|(_, argument)| CStr::as_ptr(argument))
}

/// Name of a status for programs, such as "length" or "non_finite"; "ok" for RVATTN_OK, "" for numbers without a meaning.
#[no_mangle]
pub extern "C" fn rvattn_status_name(status: i32) -> *const c_char {
    let name = match status {
        0 => c"ok",
        1 => c"pointer",
        2 => c"length",
        3 => c"too_large",
        4 => c"parameter",
        5 => c"all_masked",
        6 => c"no_visible_key",
        7 => c"non_finite",
        8 => c"overflow",
        9 => c"outside_ball",
        10 => c"unsupported",
        11 => c"invalid_state",
        12 => c"state_mismatch",
        13 => c"invalid_weights",
        14 => c"unknown_type",
        15 => c"type_not_specified",
        16 => c"text",
        98 => c"other",
        99 => c"internal",
        _ => c"",
    };
    name.as_ptr()
}
