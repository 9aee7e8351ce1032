//! Whether the data is as the project declares: rules of `opskit.toml`, asked in one snapshot.

mod redact;
mod run;
mod sql;

pub use run::{RuleOutcome, RuleResult, ValidateReport, ValidateRequest, validate};
