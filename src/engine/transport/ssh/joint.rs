//! Work that many wait for and one does.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::engine::error::{Error, Result};

/// At most one piece of work at a time; all who come while it runs get what it yields. It goes on
/// when they stop waiting: an operator may still be typing a passphrase.
pub(super) struct Joint<T: Clone> {
    running: Mutex<Option<Shared<BoxFuture<'static, Result<T>>>>>,
}

impl<T: Clone> Default for Joint<T> {
    fn default() -> Self {
        Joint {
            running: Mutex::new(None),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Joint<T> {
    /// Waits for what is being done, or begins it.
    pub(super) async fn join<F>(&self, begin: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let work = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            match &*running {
                Some(work) if work.peek().is_none() => work.clone(),
                _ => {
                    let task = tokio::spawn(begin());
                    let work = async move {
                        task.await.unwrap_or_else(|error| {
                            Err(Error::Unreachable {
                                address: "the host".to_owned(),
                                why: format!("the attempt was given up: {error}"),
                            })
                        })
                    };
                    let work = work.boxed().shared();
                    *running = Some(work.clone());
                    work
                }
            }
        };
        work.await
    }
}
