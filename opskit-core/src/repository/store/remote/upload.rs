//! Writing an object: cut into parts of one size, some of them on their way, so that the memory is known.

use super::client::{Client, failed};
use super::worker::{Pending, Worker};
use crate::error::{Error, ErrorKind, Result};
use crate::name::random_hex;
use crate::repository::layout::uploads_of;
use crate::repository::store::Upload;
use bytes::Bytes;
use object_store::multipart::PartId;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

/// Parts on their way. With the one that is filled, an upload takes three times the size of a part.
pub(super) const IN_FLIGHT: usize = 2;
/// More parts than that no store takes.
const PARTS_MAX: usize = 10_000;

/// An upload that a store keeps the parts of, until it is completed or given up: written down where a sweep
/// finds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UploadRecord {
    pub(super) name: String,
    pub(super) upload: String,
}

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Uploading {
    client: Arc<Client>,
    worker: Arc<Worker>,
    name: String,
    buffer: Vec<u8>,
    bytes: u64,
    parts: Option<Parts>,
}

/// What of it is on the server, or on its way there.
#[derive(Debug)]
struct Parts {
    upload: UploadRecord,
    record: String,
    done: Vec<PartId>,
    in_flight: VecDeque<Pending<Result<PartId>>>,
}

impl Uploading {
    pub(super) fn new(client: &Arc<Client>, worker: &Arc<Worker>, name: &str) -> Self {
        Self {
            client: Arc::clone(client),
            worker: Arc::clone(worker),
            name: name.to_owned(),
            buffer: Vec::new(),
            bytes: 0,
            parts: None,
        }
    }

    /// Sends what is in the buffer as the next part, once there is room for it.
    fn send(&mut self) -> Result<()> {
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => self.start()?,
        };
        let sent = parts.send(self);
        self.parts = Some(parts);
        sent
    }

    fn start(&self) -> Result<Parts> {
        let (client, name) = (Arc::clone(&self.client), self.name.clone());
        self.worker.wait(async move {
            let path = client.path(&name)?;
            let create = || client.backend.create_multipart(&path);
            let upload = client.attempt(create).await;
            let upload = UploadRecord {
                upload: upload.map_err(|error| failed("write", &name, &error))?,
                name,
            };
            let record = format!("{}/{}", uploads_of(&upload.name), random_hex());
            let recorded = client.record(&record, &upload).await;
            if recorded.is_err() {
                client.give_up(&upload).await;
            }
            recorded.map(|()| Parts {
                upload,
                record,
                done: Vec::new(),
                in_flight: VecDeque::new(),
            })
        })
    }

    fn finish_parts(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.send()?;
        }
        let Some(mut parts) = self.parts.take() else {
            return Ok(());
        };
        let finished = parts.finish(&self.client, &self.worker);
        if finished.is_err() {
            self.parts = Some(parts);
        }
        finished
    }

    fn finish_whole(&mut self) -> Result<()> {
        let (client, name) = (Arc::clone(&self.client), self.name.clone());
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        self.worker
            .wait(async move { client.put(&name, bytes).await })
    }
}

impl Parts {
    fn send(&mut self, from: &mut Uploading) -> Result<()> {
        while self.in_flight.len() >= IN_FLIGHT {
            self.land()?;
        }
        let number = self.done.len() + self.in_flight.len();
        if number >= PARTS_MAX {
            return Err(too_long(&from.name, from.client.terms.part_bytes));
        }
        let bytes = Bytes::from(std::mem::take(&mut from.buffer));
        let (client, upload) = (Arc::clone(&from.client), self.upload.clone());
        self.in_flight.push_back(from.worker.ask(async move {
            let path = client.path(&upload.name)?;
            let id = &upload.upload;
            let put = || {
                let bytes = bytes.clone().into();
                client.backend.put_part(&path, id, number, bytes)
            };
            let put = client.attempt(put).await;
            put.map_err(|error| failed("write", &upload.name, &error))
        }));
        Ok(())
    }

    /// Waits for the oldest of those on their way.
    fn land(&mut self) -> Result<()> {
        match self.in_flight.pop_front() {
            Some(part) => part.wait()?.map(|part| self.done.push(part)),
            None => Ok(()),
        }
    }

    fn finish(&mut self, client: &Arc<Client>, worker: &Worker) -> Result<()> {
        while !self.in_flight.is_empty() {
            self.land()?;
        }
        let (client, upload) = (Arc::clone(client), self.upload.clone());
        let (parts, record) = (self.done.clone(), self.record.clone());
        worker.wait(async move {
            let path = client.path(&upload.name)?;
            let complete = || {
                let parts = parts.clone();
                client
                    .backend
                    .complete_multipart(&path, &upload.upload, parts)
            };
            if let Err(error) = client.attempt(complete).await {
                let error = failed("write", &upload.name, &error);
                // Where the answer was lost, there is no such upload any more, but the object.
                client.has(&upload.name).await?.then_some(()).ok_or(error)?;
            }
            client.remove(&record).await
        })
    }
}

impl Client {
    async fn record(&self, name: &str, upload: &UploadRecord) -> Result<()> {
        let text = serde_json::to_vec(upload).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write down an upload").with_source(source)
        })?;
        self.put(name, text.into()).await
    }

    /// Tells the store that an upload will not be completed. What cannot be told is left to a sweep.
    pub(super) async fn give_up(&self, upload: &UploadRecord) {
        if let Ok(path) = self.path(&upload.name) {
            let abort = || self.backend.abort_multipart(&path, &upload.upload);
            if let Err(error) = self.attempt(abort).await {
                tracing::debug!(%error, "an upload could not be given up");
            }
        }
    }
}

impl Write for Uploading {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part_bytes = self.client.terms.part_bytes;
        // A full buffer goes when there is more, so that the last part is not empty.
        if self.buffer.len() == part_bytes && !bytes.is_empty() {
            self.send().map_err(io::Error::other)?;
        }
        let taken = bytes.len().min(part_bytes - self.buffer.len());
        if self.buffer.capacity() - self.buffer.len() < taken {
            // It grows as vectors do, but never past a part.
            let room = (self.buffer.len() * 2).clamp(self.buffer.len() + taken, part_bytes);
            self.buffer.reserve_exact(room - self.buffer.len());
        }
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is not a whole part cannot be sent before the end.
        Ok(())
    }
}

impl Upload for Uploading {
    fn finish(mut self: Box<Self>) -> Result<()> {
        match self.parts {
            Some(_) => self.finish_parts()?,
            None => self.finish_whole()?,
        }
        let (client, name) = (Arc::clone(&self.client), self.name.clone());
        let size = self
            .worker
            .wait(async move { Ok(client.head(&name).await?.size) })?;
        if size == self.bytes {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "\"{}\" has {size} bytes in the store, and {} were sent",
                self.name, self.bytes
            ),
        ))
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else {
            return;
        };
        let client = Arc::clone(&self.client);
        self.worker.behind(async move {
            client.give_up(&parts.upload).await;
            let _ = client.remove(&parts.record).await;
        });
    }
}

fn too_long(name: &str, part_bytes: usize) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "\"{name}\" would have more than {PARTS_MAX} parts of {} MiB, and no store takes more",
            part_bytes >> 20
        ),
    )
    .with_hint("Give the repository's URL larger ones: part_size=64MiB. An upload takes three times that in memory.")
}
