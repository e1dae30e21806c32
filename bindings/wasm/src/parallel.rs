//! Threads over shared memory, with the feature `parallel`: a pool of workers that calls may use.

#[cfg(all(feature = "parallel", target_arch = "wasm32"))]
pub use pool::inside;

/// Runs a call where it is: there are no threads.
#[cfg(not(all(feature = "parallel", target_arch = "wasm32")))]
pub fn inside<T>(call: impl FnOnce() -> T) -> T {
    call()
}

#[cfg(all(feature = "parallel", target_arch = "wasm32"))]
mod pool {
    use js_sys::Promise;
    use std::sync::atomic::{AtomicBool, Ordering};
    use wasm_bindgen::prelude::*;

    static STARTED: AtomicBool = AtomicBool::new(false);

    /// Starts `count` threads, which all later calls use. Only once, and only where the page is cross-origin isolated.
    ///
    /// A call waits for its threads: on a page's own thread that blocks the page.
    #[wasm_bindgen(js_name = initThreads, unchecked_return_type = "Promise<void>")]
    pub fn init_threads(count: usize) -> Promise {
        let started = Closure::once(|_: JsValue| STARTED.store(true, Ordering::Release));
        let ready = wasm_bindgen_rayon::init_thread_pool(count).then(&started);
        // It is called once and frees itself then.
        started.forget();
        ready
    }

    /// Number of threads that a call uses.
    #[wasm_bindgen]
    pub fn threads() -> usize {
        if STARTED.load(Ordering::Acquire) {
            rayon_core::current_num_threads()
        } else {
            1
        }
    }

    /// Runs a call inside the pool, whose threads the core then uses.
    pub fn inside<T: Send>(call: impl FnOnce() -> T + Send) -> T {
        // Before that, rayon would make a pool of its own without threads, and keep it.
        if !STARTED.load(Ordering::Acquire) {
            return call();
        }
        rayon_core::scope(|_| call())
    }
}
