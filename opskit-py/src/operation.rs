//! An operation that runs: one asynchronous body, waited for by a thread or by an event loop.

use crate::error::{exception, or_raise, raised};
use crate::event;
use crate::runtime::{self, FAREWELL};
use crate::signals::TICK;
use opskit_core::cancel::{Cancel, CancelHandle};
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::{Error, ErrorKind, Result};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A result on its way to Python.
type Made = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

enum Message {
    Event(String),
    Done(Result<Made>),
}

/// Something that runs. It was started when it was made, and is cancelled when nobody has it any more.
#[pyclass(module = "opskit._opskit", frozen)]
pub(crate) struct Operation {
    cancel: CancelHandle,
    runtime: Handle,
    /// Taken by the first who waits.
    messages: Mutex<Option<mpsc::UnboundedReceiver<Message>>>,
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Operation {
    /// Starts `body`.
    pub(crate) fn start<T, F>(
        py: Python<'_>,
        body: impl FnOnce(OpContext) -> F + Send + 'static,
    ) -> PyResult<Self>
    where
        T: for<'py> IntoPyObject<'py> + Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let runtime = or_raise(py, runtime::handle())?;
        let (cancel, token) = Cancel::pair();
        let (sender, messages) = mpsc::unbounded_channel();
        let events = sender.clone();
        let ctx = OpContext::new(token).with_observer(move |event: &Event| {
            // Nobody may listen any more.
            let _ = events.send(Message::Event(event::json(event)));
        });
        let work = runtime::until_shut_down(cancel.clone(), body(ctx));
        runtime.spawn(async move {
            let done = work.await;
            let _ = sender.send(Message::Done(done.map(made)));
        });
        Ok(Self {
            cancel,
            runtime,
            messages: Mutex::new(Some(messages)),
        })
    }

    fn take_messages(&self) -> PyResult<mpsc::UnboundedReceiver<Message>> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages
            .take()
            .ok_or_else(|| PyRuntimeError::new_err("somebody waits for this operation already"))
    }
}

fn made<T: for<'py> IntoPyObject<'py> + Send + 'static>(value: T) -> Made {
    Box::new(|py| value.into_py_any(py))
}

fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the operation stopped")
}

#[pymethods]
impl Operation {
    /// Asks it to stop, on the server too. Does not wait.
    fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits for its end on this thread, without the interpreter's lock. Ctrl-C cancels it.
    fn wait(&self, py: Python<'_>, on_event: Option<Py<PyAny>>) -> PyResult<Py<PyAny>> {
        let mut messages = self.take_messages()?;
        // What a signal or the listener raised, and when we stop waiting for the end.
        let mut ended: Option<(PyErr, Instant)> = None;
        loop {
            let next = py.detach(|| {
                self.runtime
                    .block_on(async { timeout(TICK, messages.recv()).await })
            });
            let heard = match next {
                Ok(Some(Message::Done(done))) => {
                    return match ended {
                        Some((error, _)) => Err(error),
                        None => or_raise(py, done)?(py),
                    };
                }
                Ok(Some(Message::Event(event))) => told(py, on_event.as_ref(), &event),
                Ok(None) => {
                    return Err(ended.map_or_else(|| raised(py, &lost()), |(error, _)| error));
                }
                Err(_) => Ok(()),
            };
            match (heard.and_then(|()| py.check_signals()), &ended) {
                // A second Ctrl-C waits for nothing.
                (Err(error), Some(_)) => return Err(error),
                (Err(error), None) => {
                    self.cancel.cancel();
                    ended = Some((error, Instant::now() + FAREWELL));
                }
                (Ok(()), _) => {}
            }
            if let Some((error, until)) = ended.take() {
                if Instant::now() > until {
                    return Err(error);
                }
                ended = Some((error, until));
            }
        }
    }

    /// Tells an event loop: `on_event` gets each event, and `on_done` the exception or none, and the result.
    fn deliver(
        &self,
        call_soon: Py<PyAny>,
        on_event: Option<Py<PyAny>>,
        on_done: Py<PyAny>,
    ) -> PyResult<()> {
        let mut messages = self.take_messages()?;
        let to = std::sync::Arc::new(Loop {
            call_soon,
            on_event,
            on_done,
        });
        self.runtime.spawn(async move {
            while let Some(message) = messages.recv().await {
                let to = std::sync::Arc::clone(&to);
                let telling = tokio::task::spawn_blocking(move || {
                    // A loop that is closed, or an interpreter that ends, wants no news.
                    let _ = Python::try_attach(|py| to.tell(py, message));
                });
                let _ = telling.await;
            }
        });
        Ok(())
    }
}

fn told(py: Python<'_>, on_event: Option<&Py<PyAny>>, event: &str) -> PyResult<()> {
    match on_event {
        Some(on_event) => on_event.call1(py, (event,)).map(drop),
        None => Ok(()),
    }
}

/// Where an event loop wants to be told.
struct Loop {
    call_soon: Py<PyAny>,
    on_event: Option<Py<PyAny>>,
    on_done: Py<PyAny>,
}

impl Loop {
    fn tell(&self, py: Python<'_>, message: Message) -> PyResult<()> {
        let done = match message {
            Message::Event(event) => {
                return match &self.on_event {
                    Some(on_event) => self.call_soon.call1(py, (on_event, event)).map(drop),
                    None => Ok(()),
                };
            }
            Message::Done(Ok(made)) => made(py).map_err(|error| error.into_value(py).into_any()),
            Message::Done(Err(error)) => Err(exception(py, &error)?.unbind()),
        };
        let (error, value) = match done {
            Ok(value) => (py.None(), value),
            Err(error) => (error, py.None()),
        };
        self.call_soon
            .call1(py, (&self.on_done, error, value))
            .map(drop)
    }
}
