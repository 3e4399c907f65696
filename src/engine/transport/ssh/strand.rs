//! The owner's side of one channel: what is on its way, and what the channel may do next.

use std::pin::Pin;
use std::task::{Context, Poll};

use ssh2::Channel;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::passage::{Ending, FarEnd};

/// Bytes that one call moves.
pub(super) const PIECE: usize = 32 * 1024;
/// Of what a command says on its error output, this much is kept.
const COMPLAINT: usize = 4 * 1024;

/// A channel and the far end of its passage.
pub(super) struct Strand {
    pub(super) channel: Channel,
    far: FarEnd,
    /// It carries a command's output, and its end is told with its exit code.
    pub(super) command: bool,
    /// Read from the channel, not yet taken by the passage.
    inbound: Vec<u8>,
    inbound_at: usize,
    /// Taken from the passage, not yet by the channel. Never changed while some of it is left: a
    /// write that would block must be repeated with the same bytes.
    outbound: Vec<u8>,
    outbound_at: usize,
    complaint: Vec<u8>,
    /// The passage was shut down for writing; the host is told once all is written.
    shut: bool,
    /// The host was told.
    pub(super) eof_sent: bool,
    /// The host will send no more, and all of it was read.
    pub(super) eof: bool,
    /// The host closed its side.
    pub(super) over: bool,
    /// To be closed, and then forgotten.
    pub(super) closing: bool,
    /// Closing has begun.
    pub(super) close_sent: bool,
}

impl Strand {
    pub(super) fn new(channel: Channel, far: FarEnd, command: bool) -> Self {
        Strand {
            channel,
            far,
            command,
            inbound: Vec::new(),
            inbound_at: 0,
            outbound: Vec::new(),
            outbound_at: 0,
            complaint: Vec::new(),
            shut: false,
            eof_sent: false,
            eof: false,
            over: false,
            closing: false,
            close_sent: false,
        }
    }

    /// Whether something for the passage waits in libssh2, read there with something else.
    pub(super) fn is_overlooked(&self) -> bool {
        !self.closing
            && !self.eof
            && self.inbound.is_empty()
            && (self.channel.read_window().available > 0 || self.channel.eof())
    }

    /// Whether the host is to say something that cannot be seen without reading more.
    pub(super) fn waits_for_close(&self) -> bool {
        self.close_sent || (self.eof && !self.over)
    }

    /// Whether the passage was dropped.
    pub(super) fn dropped(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut self.far.alive).poll(cx).is_ready()
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.inbound.extend_from_slice(bytes);
    }

    pub(super) fn complain(&mut self, bytes: &[u8]) {
        let room = COMPLAINT.saturating_sub(self.complaint.len());
        self.complaint.extend(bytes.iter().take(room));
    }

    /// Passes on what was read. Whether all of it went; the passage is woken when more fits.
    pub(super) fn pour(&mut self, cx: &mut Context<'_>) -> bool {
        while self.inbound_at < self.inbound.len() {
            let rest = &self.inbound[self.inbound_at..];
            match Pin::new(&mut self.far.pipe).poll_write(cx, rest) {
                Poll::Pending => return false,
                Poll::Ready(Ok(n)) if n > 0 => self.inbound_at += n,
                // Nobody will read it; that the passage is dropped is seen elsewhere.
                Poll::Ready(_) => self.inbound_at = self.inbound.len(),
            }
        }
        self.inbound.clear();
        self.inbound_at = 0;
        true
    }

    /// Takes what the passage's user wrote. Whether there is something to send.
    pub(super) fn draw(&mut self, cx: &mut Context<'_>) -> bool {
        if self.outbound_at == self.outbound.len() && !self.shut {
            self.outbound.resize(PIECE, 0);
            self.outbound_at = 0;
            let mut piece = ReadBuf::new(&mut self.outbound);
            let drawn = Pin::new(&mut self.far.pipe).poll_read(cx, &mut piece);
            let filled = piece.filled().len();
            self.outbound.truncate(filled);
            if filled == 0 {
                self.outbound = Vec::new();
                self.shut = drawn.is_ready();
            }
        }
        self.outbound_at < self.outbound.len()
    }

    /// What is to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.outbound[self.outbound_at..]
    }

    /// So much of it was sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.outbound_at += bytes;
    }

    /// Whether the host is to be told that no more will come.
    pub(super) fn ends(&self) -> bool {
        self.shut && !self.eof_sent && self.unsent().is_empty()
    }

    /// The host will send no more: so the passage's user reads an end. A command's end is told with
    /// its exit code, which may come later.
    pub(super) fn finish_reading(&mut self, cx: &mut Context<'_>) {
        if self.command && !self.over {
            return;
        }
        if self.command {
            let ending = Ending {
                code: self.channel.exit_status().unwrap_or(0),
                complaint: std::mem::take(&mut self.complaint),
            };
            // Set once: this is called once more when the far side closes.
            let _ = self.far.ending.set(ending);
        }
        // A pipe in memory ends at once, and what is in it can still be read.
        let _ = Pin::new(&mut self.far.pipe).poll_shutdown(cx);
    }
}
