//! COPY … TO STDOUT, read by a thread that does nothing else.
//!
//! The server sends eight kilobytes at a time, and each of them wakes whoever waits for the socket: a
//! hundred thousand times for a gigabyte, at a cost that the server's side of the machine pays too. A
//! thread may nap after a read that brought little, and finds a full socket when it wakes. A runtime's
//! timers are too coarse for that: within a millisecond the socket would be full and the server idle.

use super::copy_buffer::CopyBuffer;
use super::copy_out::{CopyOut, CopyStatus, room};
use super::server_error::lost;
use super::stream::{Stream, silent};
use super::transport::{Socket, Transport};
use crate::cancel::cancelled;
use crate::error::{Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A read that brings less has emptied the socket.
const LITTLE_BYTES: usize = 64 << 10;
/// Less than what it takes the server to fill a socket.
const NAP: Duration = Duration::from_micros(150);
/// How often a thread that waits looks whether it shall stop.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

impl CopyOut {
    /// Takes the socket away from the runtime, for a thread to read it. Whether it could: TLS keeps its
    /// state with the runtime.
    pub(crate) fn detach(&mut self) -> Result<bool> {
        self.connection.rewire(Transport::detach)?;
        Ok(self.connection.stream.transport.socket().is_some())
    }

    /// Gives the socket back to the runtime in which this is called.
    pub(crate) fn attach(&mut self) -> Result<()> {
        self.connection.rewire(Transport::attach)
    }

    /// As [`CopyOut::read`], on a thread that may block; the socket must be detached. `stop` ends it as
    /// cancelling does.
    pub(crate) fn read_blocking(
        &mut self,
        buffer: &mut CopyBuffer,
        min: usize,
        stop: &AtomicBool,
    ) -> Result<CopyStatus> {
        while self.status == CopyStatus::More && buffer.len() < min {
            self.connection.check_busy()?;
            let read = self.read_once(buffer, min, stop);
            self.connection.keep_if_ok(read)?;
        }
        Ok(self.status)
    }

    fn read_once(&mut self, buffer: &mut CopyBuffer, min: usize, stop: &AtomicBool) -> Result<()> {
        let stream = &mut *self.connection.stream;
        let room = room(buffer, min);
        let count = match stream.take_inbox(room) {
            0 => receive(stream, room, stop)?,
            count => count,
        };
        self.take(buffer, count)?;
        if count < LITTLE_BYTES && self.status == CopyStatus::More {
            std::thread::sleep(NAP);
        }
        Ok(())
    }
}

/// One read that brings something, or nothing at the end of the stream.
fn receive(stream: &Stream, room: &mut [u8], stop: &AtomicBool) -> Result<usize> {
    let socket = stream.transport.socket().ok_or_else(attached)?;
    let start = Instant::now();
    loop {
        stream.cancel.check()?;
        if stop.load(Ordering::Relaxed) {
            return Err(cancelled());
        }
        match socket.read(room) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait(socket).map_err(lost)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(lost(error)),
        }
        if let Some(patience) = stream.patience.filter(|it| start.elapsed() > *it) {
            return Err(silent(patience));
        }
    }
}

impl Socket {
    fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => (&mut &*stream).read(room),
            Self::Unix(stream) => (&mut &*stream).read(room),
        }
    }
}

/// Waits until there is something to read, but not for long.
fn wait(socket: &Socket) -> io::Result<()> {
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&LOOK)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn attached() -> Error {
    Error::new(ErrorKind::Internal, "the runtime still watches the socket")
}
