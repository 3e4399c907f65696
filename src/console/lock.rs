//! Taking what several tasks share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for it. What was found stays right when a holder panicked.
pub fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
