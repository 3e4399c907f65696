//! Orders for a channel, on their way from whoever wants one to the owner of the session.

use ssh2::Channel;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::passage::Passage;

/// What a channel leads to.
#[derive(Debug, Clone)]
pub(super) enum Goal {
    /// A Unix socket on the host.
    Socket(String),
    /// A TCP connection from the host.
    Tcp(String, u16),
    /// A command on the host, as its login shell reads it.
    Command(String),
}

/// Why there is no passage.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The host refused this one channel, in libssh2's words.
    Refused(String),
    /// The session is over, see its fate.
    Dead,
}

/// One channel that someone wants.
pub(super) struct Opening {
    pub(super) goal: Goal,
    /// Given back when the passage is dropped.
    pub(super) permits: Vec<OwnedSemaphorePermit>,
    pub(super) reply: oneshot::Sender<Result<Passage, Refusal>>,
}

/// The channel that is being opened.
pub(super) struct Pending {
    /// `None`: only to hear from the host.
    pub(super) order: Option<Opening>,
    /// Open, and the command is being started in it.
    pub(super) channel: Option<Channel>,
}

impl Pending {
    pub(super) fn is_to_another_host(&self) -> bool {
        let goal = self.order.as_ref().map(|order| &order.goal);
        matches!(goal, Some(Goal::Tcp(..)))
    }
}
