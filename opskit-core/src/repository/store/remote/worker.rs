//! A thread with a runtime of its own. Who asks a remote store may be on any thread, of another runtime or
//! of none: the work is done here, and waited for by a channel.

use crate::error::{Error, ErrorKind, Result};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How long the last handle waits for what is being cleaned up.
const FAREWELL: Duration = Duration::from_secs(10);

/// The thread. It ends when this is dropped, after what is being cleaned up.
#[derive(Debug)]
pub(super) struct Worker {
    handle: Handle,
    /// What goes on after its caller has gone.
    behind: Arc<Mutex<JoinSet<()>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer that is on its way.
#[derive(Debug)]
pub(super) struct Pending<T>(Receiver<T>);

impl<T> Pending<T> {
    /// Waits for it.
    pub(super) fn wait(self) -> Result<T> {
        self.0
            .recv()
            .map_err(|_| Error::new(ErrorKind::Internal, "the thread of the store stopped"))
    }
}

impl Worker {
    pub(super) fn start() -> Result<Self> {
        let failed = |source| {
            Error::new(ErrorKind::Internal, "cannot start the thread of the store")
                .with_source(source)
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let handle = runtime.handle().clone();
        let behind: Arc<Mutex<JoinSet<()>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let left = Arc::clone(&behind);
        let named = std::thread::Builder::new().name("opskit-store".to_owned());
        let thread = named.spawn(move || {
            runtime.block_on(async {
                let _ = stopped.await;
                let _ = tokio::time::timeout(FAREWELL, finish(&left)).await;
            });
            runtime.shutdown_background();
        });
        Ok(Self {
            handle,
            behind,
            stop: Some(stop),
            thread: Some(thread.map_err(failed)?),
        })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Starts some work.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Pending<T> {
        let (give, take) = sync_channel(1);
        self.handle.spawn(async move {
            // Whoever asked may have gone.
            let _ = give.try_send(work.await);
        });
        Pending(take)
    }

    /// Does some work and waits for it.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.ask(work).wait()?
    }

    /// Does some work that nobody waits for, but whoever drops the last handle.
    pub(super) fn behind(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        while behind.try_join_next().is_some() {}
        behind.spawn_on(work, &self.handle);
    }

    /// Waits for all that nobody waits for.
    pub(super) fn settle(&self) -> Result<()> {
        let behind = Arc::clone(&self.behind);
        self.wait(async move {
            finish(&behind).await;
            Ok(())
        })
    }
}

async fn finish(behind: &Mutex<JoinSet<()>>) {
    let mut left = {
        let mut behind = behind.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *behind)
    };
    while left.join_next().await.is_some() {}
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A thread cannot wait for itself.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_plain_threads_and_those_of_a_runtime() {
        let worker = Worker::start().unwrap();
        assert_eq!(worker.wait(async { Ok(1) }).unwrap(), 1);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async { worker.wait(async { Ok(2) }) });
        assert_eq!(answer.unwrap(), 2);
        // The last handle may go on such a thread too.
        runtime.block_on(async { drop(Worker::start().unwrap()) });
    }

    #[test]
    fn what_is_behind_is_waited_for() {
        let worker = Worker::start().unwrap();
        let (give, take) = std::sync::mpsc::channel();
        worker.behind(async move {
            tokio::task::yield_now().await;
            give.send(()).unwrap();
        });
        worker.settle().unwrap();
        take.try_recv().unwrap();
    }
}
