//! The socket under a session: a second handle on it that tells when libssh2 may be called again.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;

/// What a session is held over: TCP to the host, or one end of a pair of which the other end is
/// pumped through a bastion.
#[derive(Debug)]
pub(super) enum Stream {
    /// To the host itself.
    Tcp(std::net::TcpStream),
    /// To a pump.
    Pair(std::os::unix::net::UnixStream),
}

impl Stream {
    /// A second handle on the same socket.
    pub(super) fn try_clone(&self) -> io::Result<Stream> {
        Ok(match self {
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone()?),
            Stream::Pair(stream) => Stream::Pair(stream.try_clone()?),
        })
    }
}

/// A socket that something else reads and writes; here it is only watched, and cut.
///
/// tokio clears readiness when one of its own calls would block, and libssh2 makes the calls here.
/// So the kernel is asked with a poll that does not wait, and readiness is cleared when it says no.
pub(super) enum Socket {
    Tcp(tokio::net::TcpStream),
    Pair(tokio::net::UnixStream),
}

impl Socket {
    /// Must be called inside a runtime.
    pub(super) fn watch(stream: Stream) -> io::Result<Socket> {
        Ok(match stream {
            Stream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Tcp(tokio::net::TcpStream::from_std(stream)?)
            }
            Stream::Pair(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Pair(tokio::net::UnixStream::from_std(stream)?)
            }
        })
    }

    /// Ready when a read would give something, or an error.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_for(cx, Interest::READABLE, PollFlags::IN)
    }

    /// Ready when the socket has room for what is small.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_for(cx, Interest::WRITABLE, PollFlags::OUT)
    }

    /// Whether a small packet would go out whole: the kernel says writable only when a good part
    /// of its buffer is free.
    pub(super) fn has_room(&self) -> bool {
        self.is(PollFlags::OUT)
    }

    /// Ends the connection for every handle on it.
    pub(super) fn cut(&self) {
        // It may be gone already.
        let _ = rustix::net::shutdown(self, rustix::net::Shutdown::Both);
    }

    fn is(&self, flags: PollFlags) -> bool {
        let mut fds = [PollFd::new(self, flags)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // An error or a hang-up counts: the next call will tell which.
        matches!(poll(&mut fds, Some(&now)), Ok(n) if n > 0)
    }

    fn poll_for(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        flags: PollFlags,
    ) -> Poll<io::Result<()>> {
        loop {
            let reading = flags == PollFlags::IN;
            ready!(match (self, reading) {
                (Socket::Tcp(socket), true) => socket.poll_read_ready(cx),
                (Socket::Tcp(socket), false) => socket.poll_write_ready(cx),
                (Socket::Pair(socket), true) => socket.poll_read_ready(cx),
                (Socket::Pair(socket), false) => socket.poll_write_ready(cx),
            })?;
            let check = || match self.is(flags) {
                true => Ok(()),
                false => Err(ErrorKind::WouldBlock.into()),
            };
            let asked = match self {
                Socket::Tcp(socket) => socket.try_io(interest, check),
                Socket::Pair(socket) => socket.try_io(interest, check),
            };
            match asked {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                asked => return Poll::Ready(asked),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Pair(socket) => socket.as_fd(),
        }
    }
}
