//! What several tasks of the console share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes it. A task that panicked while it had it leaves it as it was.
pub(super) fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
