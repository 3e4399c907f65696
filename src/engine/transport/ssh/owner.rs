//! The owner of one session: the only one that calls libssh2 for it, and never waits in a call.
//!
//! libssh2's rules, and what they mean here:
//! - A session is one state machine: opening a channel, and a packet half sent, are states of the
//!   session. So there is one open at a time; and a call that would block with a packet half sent is
//!   the next one made, before any other.
//! - Such a call must come with the same *address* of its packet, and for small packets (end of file,
//!   answers to requests) that is on the stack. So a session has a thread of its own, all calls are
//!   made from one place at one depth ([`Owner::perform`]), and calls that send a small packet of ours
//!   are made only when the socket has room.
//! - Any call may read the whole socket and answer the host, or exchange keys. What it reads for other
//!   channels waits in libssh2, at most 2 MB for each (the window).
//! - A channel is freed without regard to what is half done, so it is closed to the end first.
//! - `keepalive_send` hides that it would block, and its answers are never taken out of libssh2's
//!   queue. So the host is asked for a channel of a kind that does not exist, and refuses it.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ssh2::BlockDirections;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, Sleep};

use super::fault::End;
use super::order::{Opening, Pending};
use super::passage::Fate;
use super::socket::Socket;
use super::strand::{PIECE, Strand};

mod perform;

/// Pieces that one channel reads before others have their turn.
const PIECES: u32 = 4;
/// Turns before the thread looks at its timers again.
const TURNS: u32 = 32;
/// What waits for the host to close a channel looks again after so long, and then ever more
/// seldom: another call may have read it.
const NAP: Duration = Duration::from_millis(2);

/// When a silent host counts as gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How often a host that says nothing is asked for a sign of life.
    pub(super) every: Duration,
    /// So many of these without an answer end the session.
    pub(super) misses: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            every: Duration::from_secs(10),
            misses: 3,
        }
    }
}

/// One call of libssh2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Goes on opening.
    Open,
    /// Reads a channel.
    Read(u64),
    /// Reads a command's error output.
    Complaint(u64),
    /// Looks whether the host closed a channel.
    Over(u64),
    /// Writes to a channel.
    Write(u64),
    /// Tells the host that no more will come.
    Eof(u64),
    /// Closes a channel.
    Close(u64),
    /// Takes what lies in the socket, for whichever channel it is.
    Drain(u64),
}

/// The session and all that hangs on it.
pub(super) struct Owner {
    session: ssh2::Session,
    socket: Socket,
    orders: mpsc::Receiver<Opening>,
    fate: Fate,
    pending: Option<Pending>,
    strands: BTreeMap<u64, Strand>,
    next: u64,
    turn: VecDeque<Call>,
    /// Pieces read by the channel whose turn it is.
    pieces: u32,
    /// Would block with a packet half sent: to be made again, and nothing before it.
    stuck: Option<Call>,
    /// Something waits for room in the socket.
    wants_room: bool,
    /// The socket was read to its end in this turn.
    drained: bool,
    /// All who could open a channel are gone.
    alone: bool,
    patience: Patience,
    tick: Interval,
    heard: bool,
    misses: u32,
    nap: Option<Pin<Box<Sleep>>>,
    naps: u32,
    buffer: Box<[u8]>,
}

impl Owner {
    /// Must be called inside the runtime of the thread that will poll it. The session must not
    /// block.
    pub(super) fn new(
        session: ssh2::Session,
        socket: Socket,
        orders: mpsc::Receiver<Opening>,
        fate: Fate,
        patience: Patience,
    ) -> Self {
        let first = tokio::time::Instant::now() + patience.every;
        let mut tick = tokio::time::interval_at(first, patience.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Owner {
            session,
            socket,
            orders,
            fate,
            pending: None,
            strands: BTreeMap::new(),
            next: 0,
            turn: VecDeque::new(),
            pieces: 0,
            stuck: None,
            wants_room: false,
            drained: false,
            alone: false,
            patience,
            tick,
            heard: false,
            misses: 0,
            nap: None,
            naps: 0,
            buffer: vec![0; PIECE].into_boxed_slice(),
        }
    }

    /// Does what can be done, until the session ends.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut turns = 0;
        loop {
            if let Some(end) = self.heartbeat(cx) {
                return Poll::Ready(end);
            }
            let moved = match self.take_turn(cx) {
                Ok(moved) => moved,
                Err(end) => return Poll::Ready(end),
            };
            if self.alone && self.pending.is_none() && self.strands.is_empty() {
                return Poll::Ready(End::Unneeded);
            }
            if moved {
                self.naps = 0;
            } else if !self.strands.values().any(Strand::is_overlooked) {
                match self.sleep(cx) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Pending,
                    Err(end) => return Poll::Ready(end),
                }
            }
            turns += 1;
            if turns >= TURNS {
                // The socket has room and yet a packet does not go: no reason to burn a core.
                if !self.half_sent() || self.take_nap(cx) {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        }
    }

    /// Whether a nap is over; begins one. Each is twice as long as the one before, up to half a
    /// second, until something happens.
    fn take_nap(&mut self, cx: &mut Context<'_>) -> bool {
        let length = NAP * (1 << self.naps.min(8));
        let nap = self
            .nap
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(length)));
        let over = nap.as_mut().poll(cx).is_ready();
        if over {
            self.nap = None;
            self.naps += 1;
        }
        over
    }

    /// One call for each thing that a channel may want. Whether anything went on.
    fn take_turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        self.wants_room = false;
        self.drained = false;
        self.turn.clear();
        let mut holder = self.stuck.take();
        let mending = holder.is_some() || self.half_sent();
        match mending {
            true => self.plan_mending(holder),
            false => self.plan(),
        }
        let mut moved = false;
        while let Some(call) = self.turn.pop_front() {
            let repeated = holder.take() == Some(call);
            if !repeated && !self.prepare(call, cx) {
                continue;
            }
            let went = self.perform(call)?;
            moved |= went;
            if went {
                self.settle(call, cx);
            }
            if self.half_sent() && (repeated || !mending) {
                // An answer to the host, or a key exchange, may be half sent by a call that went
                // well; then whatever reads goes on with it.
                self.stuck = Some(call).filter(|_| !went);
                if !mending {
                    break;
                }
            }
        }
        Ok(moved || (mending && !self.half_sent()))
    }

    /// A packet is half sent: by the call that would block, or by the reading in whatever call.
    fn plan_mending(&mut self, holder: Option<Call>) {
        self.turn.extend(holder);
        match self.any_strand() {
            Some(id) => self.turn.push_back(Call::Drain(id)),
            None => {
                let closing = self.strands.iter().filter(|(_, strand)| strand.close_sent);
                self.turn.extend(closing.map(|(&id, _)| Call::Close(id)));
                self.turn.push_back(Call::Open);
            }
        }
    }

    /// What there is to do.
    fn plan(&mut self) {
        self.pieces = 0;
        for (&id, strand) in &self.strands {
            if strand.closing {
                self.turn.push_back(Call::Close(id));
                continue;
            }
            self.turn.push_back(Call::Read(id));
            if strand.command {
                self.turn.push_back(Call::Complaint(id));
            }
            self.turn.push_back(Call::Over(id));
            self.turn.push_back(Call::Write(id));
            self.turn.push_back(Call::Eof(id));
        }
        // When all passages are full: what lies in the socket may be the leave to write.
        self.turn.extend(self.any_strand().map(Call::Drain));
        // Last, for no other call to read the answer after it looked.
        self.turn.push_back(Call::Open);
    }

    /// A channel through which the socket can be read.
    fn any_strand(&self) -> Option<u64> {
        let mut strands = self.strands.iter();
        strands
            .find(|(_, strand)| !strand.over && !strand.closing)
            .map(|(&id, _)| id)
    }

    /// Everything before a call that is not SSH. Whether the call is to be made.
    fn prepare(&mut self, call: Call, cx: &mut Context<'_>) -> bool {
        let id = match call {
            Call::Open => return self.next_order(cx),
            Call::Read(id)
            | Call::Complaint(id)
            | Call::Over(id)
            | Call::Write(id)
            | Call::Eof(id)
            | Call::Close(id)
            | Call::Drain(id) => id,
        };
        let Some(strand) = self.strands.get_mut(&id) else {
            return false;
        };
        match call {
            Call::Close(_) => {
                let ready = strand.close_sent || self.socket.has_room();
                self.wants_room |= !ready;
                ready
            }
            _ if strand.closing => false,
            Call::Read(_) => {
                if strand.dropped(cx) {
                    strand.closing = true;
                    self.turn.push_back(Call::Close(id));
                    return false;
                }
                strand.pour(cx) && !strand.eof
            }
            Call::Complaint(_) => !strand.eof,
            Call::Over(_) => strand.eof && !strand.over,
            // Without a window the call would claim to wait for reading, whatever else is so.
            Call::Write(_) => strand.draw(cx) && strand.channel.write_window().remaining > 0,
            Call::Eof(_) => {
                let ready = strand.ends() && self.socket.has_room();
                self.wants_room |= strand.ends() && !ready;
                ready
            }
            _ => !self.drained || self.half_sent(),
        }
    }

    /// What follows a call that went on.
    fn settle(&mut self, call: Call, cx: &mut Context<'_>) {
        let (Call::Read(id) | Call::Over(id)) = call else {
            return;
        };
        let Some(strand) = self.strands.get_mut(&id) else {
            return;
        };
        if strand.eof && strand.pour(cx) {
            strand.finish_reading(cx);
        }
        if strand.over {
            strand.closing = true;
            self.turn.push_back(Call::Close(id));
        } else if matches!(call, Call::Read(_)) && strand.pour(cx) && !strand.eof {
            self.pieces += 1;
            match self.pieces < PIECES {
                true => self.turn.push_front(call),
                false => self.pieces = 0,
            }
        }
    }

    /// Sees that a channel is being opened, if someone wants one.
    fn next_order(&mut self, cx: &mut Context<'_>) -> bool {
        while self.pending.is_none() && !self.alone {
            match self.orders.poll_recv(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.alone = true,
                // Whoever wanted it may have gone.
                Poll::Ready(Some(order)) if order.reply.is_closed() => {}
                Poll::Ready(Some(order)) => {
                    self.pending = Some(Pending {
                        order: Some(order),
                        channel: None,
                    });
                }
            }
        }
        self.pending.is_some()
    }

    /// Whether libssh2 holds a packet that is half sent.
    fn half_sent(&self) -> bool {
        matches!(
            self.session.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        )
    }

    /// Counts signs of life.
    fn heartbeat(&mut self, cx: &mut Context<'_>) -> Option<End> {
        while self.tick.poll_tick(cx).is_ready() {
            if std::mem::take(&mut self.heard) {
                self.misses = 0;
                continue;
            }
            match &self.pending {
                // The host waits for another one itself; and before it is done with that libssh2
                // cannot ask it for anything else.
                Some(pending) if pending.is_to_another_host() => {}
                Some(_) => self.misses += 1,
                None => self.ask_for_life(),
            }
            if self.misses >= self.patience.misses {
                let silent = (self.patience.every * self.misses).as_secs_f32();
                return Some(End::Broken(format!(
                    "the host has not answered for {silent} s"
                )));
            }
        }
        None
    }

    fn ask_for_life(&mut self) {
        self.pending = Some(Pending {
            order: None,
            channel: None,
        });
    }

    /// Sees that the thread is woken when there is something to do. `true`: there is already.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let lost = |error: std::io::Error| End::Broken(error.to_string());
        if self.half_sent() || self.wants_room {
            if let Poll::Ready(room) = self.socket.poll_writable(cx) {
                room.map_err(lost)?;
                return Ok(true);
            }
            if self.half_sent() {
                return Ok(false);
            }
        }
        let idle = self.strands.is_empty() && self.pending.is_none();
        if (self.drained || self.pending.is_some() || idle)
            && let Poll::Ready(bytes) = self.socket.poll_readable(cx)
        {
            bytes.map_err(lost)?;
            if idle {
                // No channel to read it through: an open reads it too.
                self.ask_for_life();
            }
            return Ok(true);
        }
        let waits = self.strands.values().any(Strand::waits_for_close);
        Ok(waits && self.take_nap(cx))
    }

    /// Lets go of everything. The fate must be set before, for passages to see it.
    pub(super) fn finish(self, end: &End) {
        if *end == End::Unneeded && !self.half_sent() && self.socket.has_room() {
            let _ = self.session.disconnect(None, "done", None);
        }
        // Without a socket nothing that is freed tries to say goodbye.
        self.socket.cut();
    }
}
