//! Loading rows: stored parts into tables, by `COPY … FROM STDIN (FORMAT binary)`.
//!
//! A part is read and re-encoded on a thread, sent by a task, and a few buffers go round between them.
//! Its rows are committed when its three counts agree: ours, the server's, and that of who stored it.

mod part;
mod session;
mod staging;
mod table;

pub use part::{PartJob, PartRows, Transaction, load_part};
pub use session::{RestoreSettings, open};
pub use table::LoadTable;
