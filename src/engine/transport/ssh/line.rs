//! A session during its login: libssh2 without blocking, so that one exact deadline holds for the
//! host and none for a person who is asked.

use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};
use ssh2::{BlockDirections, ErrorCode, Session};

use super::trouble::Trouble;
use crate::text::short;

const EAGAIN: i32 = -37;

/// `text` on one line, without anything that a terminal would obey, and not endless.
pub(super) fn one_line(text: &str) -> String {
    short(text, 300)
}

/// How long the host still has.
#[derive(Debug)]
pub(super) struct Clock {
    limit: Cell<Duration>,
    end: Cell<Instant>,
    paused: Cell<bool>,
}

impl Clock {
    pub(super) fn new(limit: Duration) -> Clock {
        Clock {
            limit: Cell::new(limit),
            end: Cell::new(Instant::now() + limit),
            paused: Cell::new(false),
        }
    }

    /// Runs what waits for a person; that time is not the host's.
    pub(super) fn pause<T>(&self, wait: impl FnOnce() -> T) -> T {
        let from = Instant::now();
        let waited = wait();
        self.give(from.elapsed());
        waited
    }

    fn give(&self, time: Duration) {
        // No host hangs up sooner than that because of it.
        if time >= Duration::from_secs(1) {
            self.paused.set(true);
        }
        self.end.set(self.end.get() + time);
    }

    /// Whether a person kept the host waiting.
    pub(super) fn paused(&self) -> bool {
        self.paused.get()
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit.get()
    }

    /// Makes the limit at least this long, from the beginning on.
    pub(super) fn stretch(&self, limit: Duration) {
        let more = limit.saturating_sub(self.limit.get());
        self.limit.set(self.limit.get() + more);
        self.end.set(self.end.get() + more);
    }

    fn left(&self) -> Option<Duration> {
        let left = self.end.get().saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// Why a call did not succeed.
#[derive(Debug)]
pub(super) enum Stop {
    /// libssh2 says so.
    Ssh { code: i32, why: String },
    /// The host did not answer in time.
    Time,
}

impl Stop {
    pub(super) fn of(error: &ssh2::Error) -> Stop {
        let code = match error.code() {
            ErrorCode::Session(code) | ErrorCode::SFTP(code) => code,
        };
        Stop::Ssh {
            code,
            why: one_line(error.message()),
        }
    }

    /// The connection is gone: the socket is closed (-43, -13, -7), or an answer did not come
    /// because of that.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Stop::Ssh { code, why } => {
                matches!(code, -43 | -13 | -7) || why.starts_with("Waiting for")
            }
            Stop::Time => false,
        }
    }
}

/// A session, its socket and its clock.
pub(super) struct Line {
    pub(super) session: Session,
    pub(super) clock: Clock,
    socket: OwnedFd,
}

impl Line {
    pub(super) fn new(
        stream: impl AsFd + AsRawFd + Send + 'static,
        limit: Duration,
    ) -> Result<Line, Trouble> {
        let lost = |why: String| Trouble::Lost { why };
        let socket = stream
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| lost(e.to_string()))?;
        let mut session = Session::new().map_err(|e| lost(one_line(e.message())))?;
        session.set_tcp_stream(stream);
        session.set_blocking(false);
        Ok(Line {
            session,
            clock: Clock::new(limit),
            socket,
        })
    }

    /// Calls until it is done, waiting for the socket in between.
    pub(super) fn drive<T>(
        &self,
        mut call: impl FnMut(&Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Stop> {
        loop {
            match call(&self.session) {
                Ok(done) => return Ok(done),
                Err(error) if error.code() == ErrorCode::Session(EAGAIN) => self.wait()?,
                Err(error) => return Err(Stop::of(&error)),
            }
        }
    }

    /// Bytes that have come and were not read yet.
    pub(super) fn unread(&self) -> usize {
        let bytes = rustix::io::ioctl_fionread(&self.socket).unwrap_or(0);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Whether the host hung up, and all that it said before was read.
    pub(super) fn is_over(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match recv(&self.socket, &mut [0; 1], flags) {
            Ok((_, bytes)) => bytes == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }

    /// Hangs up; a call that is sending fails.
    pub(super) fn cut(&self) {
        // It may be gone already.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    fn wait(&self) -> Result<(), Stop> {
        let events = match self.session.block_directions() {
            BlockDirections::Outbound => PollFlags::OUT,
            BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
            BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
        };
        loop {
            let left = self.clock.left().ok_or(Stop::Time)?;
            let left = Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            };
            match poll(&mut [PollFd::new(&self.socket, events)], Some(&left)) {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    let why = error.to_string();
                    return Err(Stop::Ssh { code: -43, why });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_host_stay_on_one_line() {
        assert_eq!(
            one_line(" Password\x1b[2J for\r\n\u{202e}me: "),
            "Password [2J for me:"
        );
        let long = one_line(&"ä".repeat(1000));
        assert_eq!(long.chars().count(), 301);
    }

    #[test]
    fn a_person_has_all_the_time() {
        let clock = Clock::new(Duration::from_secs(1));
        let before = clock.end.get();
        assert!(!clock.paused());
        clock.pause(|| {
            let until = Instant::now() + Duration::from_millis(3);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        });
        assert!(!clock.paused() && clock.end.get() >= before + Duration::from_millis(3));
        clock.give(Duration::from_secs(1));
        assert!(clock.paused());
        assert!(Clock::new(Duration::ZERO).left().is_none());
    }
}
