//! The calls of libssh2, and what comes of each. They are made from [`Owner::perform`] alone.

use std::io::ErrorKind;

use ssh2::Channel;

use super::{Call, Owner};
use crate::engine::transport::ssh::fault::{End, blocks, broken, ends_session, timed_out};
use crate::engine::transport::ssh::order::{Goal, Opening, Pending, Refusal};
use crate::engine::transport::ssh::passage::Passage;
use crate::engine::transport::ssh::strand::{PIECE, Strand};

impl Owner {
    /// Makes a call: the one place where anything is sent or received. `Ok(false)`: it would block.
    #[inline(never)]
    pub(super) fn perform(&mut self, call: Call) -> Result<bool, End> {
        match call {
            Call::Open => self.open(),
            Call::Read(id) => {
                let Some(strand) = self.strands.get_mut(&id) else {
                    return Ok(false);
                };
                self.drained = true;
                match std::io::Read::read(&mut strand.channel, &mut self.buffer) {
                    Ok(0) => strand.eof = strand.channel.eof(),
                    Ok(n) => {
                        strand.take(&self.buffer[..n]);
                        self.heard = true;
                        return Ok(true);
                    }
                    Err(error) => return self.judge_io(id, &error),
                }
                Ok(self.strands.get(&id).is_some_and(|strand| strand.eof))
            }
            Call::Complaint(id) => {
                let Some(strand) = self.strands.get_mut(&id) else {
                    return Ok(false);
                };
                match std::io::Read::read(&mut strand.channel.stderr(), &mut self.buffer) {
                    Ok(0) => Ok(false),
                    Ok(n) => {
                        strand.complain(&self.buffer[..n]);
                        self.heard = true;
                        Ok(true)
                    }
                    Err(error) => self.judge_io(id, &error),
                }
            }
            Call::Write(id) => {
                let Some(strand) = self.strands.get_mut(&id) else {
                    return Ok(false);
                };
                match std::io::Write::write(&mut strand.channel.stream(0), strand.unsent()) {
                    Ok(0) => Ok(false),
                    Ok(n) => {
                        strand.sent(n);
                        Ok(true)
                    }
                    Err(error) => self.judge_io(id, &error),
                }
            }
            Call::Over(id) => {
                let result = match self.strands.get_mut(&id) {
                    Some(strand) => strand.channel.wait_close(),
                    None => return Ok(false),
                };
                let went = self.judge(id, result)?;
                if let (true, Some(strand)) = (went, self.strands.get_mut(&id)) {
                    strand.over = true;
                }
                Ok(went)
            }
            Call::Eof(id) => {
                let result = match self.strands.get_mut(&id) {
                    Some(strand) => strand.channel.send_eof(),
                    None => return Ok(false),
                };
                let went = self.judge(id, result)?;
                if let (true, Some(strand)) = (went, self.strands.get_mut(&id)) {
                    strand.eof_sent = true;
                }
                Ok(went)
            }
            Call::Close(id) => {
                let Some(strand) = self.strands.get_mut(&id) else {
                    return Ok(false);
                };
                strand.close_sent = true;
                self.drained = true;
                match strand.channel.close() {
                    Err(error) if blocks(&error) => Ok(false),
                    Err(error) if ends_session(&error) => Err(broken(&error)),
                    // Closed to the end, or it cannot be closed any better.
                    _ => {
                        self.heard = true;
                        self.strands.remove(&id);
                        Ok(true)
                    }
                }
            }
            Call::Drain(id) => {
                let Some(strand) = self.strands.get_mut(&id) else {
                    return Ok(false);
                };
                self.drained = true;
                let result = match strand.eof {
                    true => strand.channel.wait_close(),
                    false => strand.channel.wait_eof(),
                };
                // Only what it did on its way counts.
                match result {
                    Err(error) if ends_session(&error) => Err(broken(&error)),
                    _ => Ok(false),
                }
            }
        }
    }

    /// Goes on with the channel that is being opened.
    fn open(&mut self) -> Result<bool, End> {
        let Some(pending) = &mut self.pending else {
            return Ok(false);
        };
        let goal = pending.order.as_ref().map(|order| &order.goal);
        let opened = match (&mut pending.channel, goal) {
            (Some(channel), Some(Goal::Command(command))) => channel.exec(command).map(|()| None),
            (_, Some(Goal::Command(_))) => self.session.channel_session().map(Some),
            (_, Some(Goal::Socket(path))) => {
                let opened = self.session.channel_direct_streamlocal(path, None);
                opened.map(Some)
            }
            (_, Some(Goal::Tcp(host, port))) => {
                let opened = self.session.channel_direct_tcpip(host, *port, None);
                opened.map(Some)
            }
            // Every server must refuse a kind that it does not know.
            (_, None) => {
                let opened =
                    self.session
                        .channel_open("alive@ostler", PIECE as u32, PIECE as u32, None);
                opened.map(Some)
            }
        };
        let command = matches!(goal, Some(Goal::Command(_)));
        // The host still tries to reach another one, for longer than libssh2 waits. Should it get
        // there after all, its answer names a channel that libssh2 no longer knows: numbers are
        // not given twice, so it is taken for no other.
        let unreached = pending.is_to_another_host();
        match opened {
            Err(error) if blocks(&error) => return Ok(false),
            Err(error) if timed_out(&error) && unreached => {
                self.refuse("no connection was made in time");
            }
            Err(error) if ends_session(&error) => return Err(broken(&error)),
            Err(error) => {
                self.heard = true;
                self.refuse(error.message());
            }
            Ok(Some(channel)) if command && pending.channel.is_none() => {
                self.heard = true;
                pending.channel = Some(channel);
            }
            Ok(opened) => {
                self.heard = true;
                let Some(pending) = self.pending.take() else {
                    return Ok(true);
                };
                match (opened.or(pending.channel), pending.order) {
                    (Some(channel), Some(order)) => self.carry(channel, order, command),
                    (Some(channel), None) => self.abandon(channel),
                    (None, _) => {}
                }
            }
        }
        Ok(true)
    }

    /// Tells whoever wanted the channel that is being opened that there is none.
    fn refuse(&mut self, words: &str) {
        let Some(Pending { order, channel }) = self.pending.take() else {
            return;
        };
        if let Some(channel) = channel {
            self.abandon(channel);
        }
        if let Some(Opening { permits, reply, .. }) = order {
            // Before the answer: who hears it may count what is free.
            drop(permits);
            let _ = reply.send(Err(Refusal::Refused(words.to_owned())));
        }
    }

    /// Hands a new passage to whoever wanted it.
    fn carry(&mut self, channel: Channel, order: Opening, command: bool) {
        let (passage, far) = Passage::new(self.fate.clone(), order.permits);
        self.strands
            .insert(self.next, Strand::new(channel, far, command));
        self.next += 1;
        // If nobody wants it any more, it is dropped here and closed in the next turn.
        let _ = order.reply.send(Ok(passage));
    }

    /// A channel that nobody has.
    fn abandon(&mut self, channel: Channel) {
        let (_, far) = Passage::new(self.fate.clone(), Vec::new());
        let mut strand = Strand::new(channel, far, false);
        strand.closing = true;
        self.strands.insert(self.next, strand);
        self.next += 1;
    }

    fn judge(&mut self, id: u64, result: Result<(), ssh2::Error>) -> Result<bool, End> {
        match result {
            Ok(()) => Ok(true),
            Err(error) if blocks(&error) => Ok(false),
            Err(error) if ends_session(&error) => Err(broken(&error)),
            Err(_) => Ok(self.give_up(id)),
        }
    }

    /// As [`Owner::judge`]: the error of a read or a write keeps its words and loses its code.
    fn judge_io(&mut self, id: u64, error: &std::io::Error) -> Result<bool, End> {
        if error.kind() == ErrorKind::WouldBlock {
            return Ok(false);
        }
        match ssh2::Error::last_session_error(&self.session) {
            Some(error) if ends_session(&error) => Err(broken(&error)),
            _ => Ok(self.give_up(id)),
        }
    }

    /// One channel failed; the others go on.
    fn give_up(&mut self, id: u64) -> bool {
        if let Some(strand) = self.strands.get_mut(&id) {
            strand.closing = true;
        }
        true
    }
}
