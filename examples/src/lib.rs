//! opskit.
