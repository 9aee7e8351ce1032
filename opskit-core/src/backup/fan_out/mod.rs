//! A backup whose parts are read by other processes, on whatever machines.
//!
//! Somebody holds the locks and the snapshot: [`FanOut`]. It gives out parts, each a small value that holds no
//! password; [`run_part`] reads one wherever the database and the repository are reached, and gives a receipt. With the
//! receipts of all parts the backup is committed, and is one like any other.
//!
//! What goes wrong is an error and never a backup with less in it: a part that has no receipt or two, one of another
//! plan, server, or snapshot, a file that is not where its receipt says. Who reads a part twice writes two files, and
//! the one without a receipt goes.

mod commit;
mod part;
mod receipt;

pub use commit::FanOut;
pub use part::{FanOutPart, run_part};
pub use receipt::FanOutReceipt;
