//! The panic hook.

/// Prints a panic's message and place on the console, if the feature `panic-hook` is on.
pub fn set() {
    #[cfg(feature = "panic-hook")]
    console_error_panic_hook::set_once();
}
