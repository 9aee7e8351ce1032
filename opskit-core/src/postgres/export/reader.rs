//! The side of a part that reads the socket.

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::{Canceller, CopyBuffer, CopyOut, CopyStatus, WireConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// A buffer is passed on once it holds this much.
const FILL_BYTES: usize = 512 << 10;

/// Filled buffers, and at last nothing, for whoever decodes them.
pub(super) type Full = mpsc::Sender<Option<CopyBuffer>>;
/// Buffers that came back.
pub(super) type Empty = mpsc::Receiver<CopyBuffer>;

/// Why one of the two sides ended early.
pub(super) enum Stopped {
    /// By an error of its own.
    Failed(Error),
    /// The other side is gone.
    Alone,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Fills buffers until the server has sent all; gives back the connection and the server's own count.
pub(super) async fn read(
    cancel: &Cancel,
    mut copy: CopyOut,
    full: Full,
    empty: Empty,
) -> Result<(WireConnection, u64), Stopped> {
    // Whoever takes the rows may be held up for ever, such as by a pipe that nobody reads.
    let (copy, full) = if copy.detach()? {
        let reading = async { Ok(on_a_thread(copy, full, empty).await) };
        cancel.guard(reading).await??
    } else {
        let reading = async { Ok(on_the_runtime(copy, full, empty).await) };
        cancel.guard(reading).await??
    };
    let finished = copy.finish().await?;
    // Only now may the consumer believe that it saw everything.
    full.send(None).await.map_err(|_| Stopped::Alone)?;
    Ok(finished)
}

/// Where TLS keeps its state.
async fn on_the_runtime(
    mut copy: CopyOut,
    full: Full,
    mut empty: Empty,
) -> Result<(CopyOut, Full), Stopped> {
    loop {
        let mut buffer = empty.recv().await.ok_or(Stopped::Alone)?;
        let status = copy.read(&mut buffer, FILL_BYTES).await?;
        full.send(Some(buffer)).await.map_err(|_| Stopped::Alone)?;
        if status == CopyStatus::End {
            return Ok((copy, full));
        }
    }
}

/// On a thread that may block, which is woken less often.
///
/// It is none of the runtime's: those may all be taken by the consumers, which wait for what is read here.
async fn on_a_thread(copy: CopyOut, full: Full, empty: Empty) -> Result<(CopyOut, Full), Stopped> {
    let (stop, stopper) = Stopper::new(&copy);
    let (done, reading) = oneshot::channel();
    let runtime = Handle::current();
    let thread = std::thread::Builder::new().name("opskit-reader".to_owned());
    let started = thread.spawn(move || {
        // What is dropped here has its statement cancelled by the runtime.
        let _runtime = runtime.enter();
        // Nobody may wait for it any more.
        let _ = done.send(fill(copy, full, empty, &stop));
    });
    started.map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot start a thread to read with").with_source(source)
    })?;
    let read = reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader stopped").with_source(source)
    })?;
    stopper.disarm();
    let (mut copy, full) = read?;
    copy.attach()?;
    Ok((copy, full))
}

fn fill(
    mut copy: CopyOut,
    full: Full,
    mut empty: Empty,
    stop: &AtomicBool,
) -> Result<(CopyOut, Full), Stopped> {
    loop {
        let mut buffer = empty.blocking_recv().ok_or(Stopped::Alone)?;
        let status = copy.read_blocking(&mut buffer, FILL_BYTES, stop)?;
        full.blocking_send(Some(buffer))
            .map_err(|_| Stopped::Alone)?;
        if status == CopyStatus::End {
            return Ok((copy, full));
        }
    }
}

/// Stops the thread that reads when nobody waits for it any more, and what the server does for it: the
/// thread may be held up by whoever takes the rows.
struct Stopper {
    stop: Arc<AtomicBool>,
    canceller: Option<Canceller>,
}

impl Stopper {
    fn new(copy: &CopyOut) -> (Arc<AtomicBool>, Self) {
        let stop = Arc::new(AtomicBool::new(false));
        let stopper = Self {
            stop: Arc::clone(&stop),
            canceller: Some(copy.canceller()),
        };
        (stop, stopper)
    }

    fn disarm(mut self) {
        self.canceller = None;
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(canceller) = self.canceller.take() {
            canceller.cancel_in_background();
        }
    }
}
