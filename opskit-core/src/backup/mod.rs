//! Backups of whole databases, and the way back.

pub mod restore;
