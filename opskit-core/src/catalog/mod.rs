//! The catalog: SQL text to ask and functions that fold the answer. Never connects.
