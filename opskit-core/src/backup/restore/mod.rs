//! Restoring: from a backup to a database, and the proof that it is the same.
//!
//! A backup is not trusted code. Its defaults, index expressions, triggers, views and functions are the
//! work of whoever could write to its source, and they run while it is restored. So where the target's
//! role is a superuser, all that may run such code goes over a temporary login that is none
//! (`login`), and the superuser's own session runs statements of listed classes only (`allowed`).
//! Objects get their owners at the very end.
//!
//! Read [`RestoreRequest`], [`RestorePlan`] and [`RestoreReport`] for what is asked and told, `many` and `one`
//! for the order of things, `steps` for statements, `rows` for tables, `compare` for the proof.

mod allowed;
mod around;
mod between;
mod changes;
mod chosen;
mod code;
mod compare;
mod defaults;
mod drops;
mod earlier;
mod ends;
mod expected;
mod gaps;
mod graph;
mod guard;
mod lacking;
mod login;
mod many;
mod mark;
mod one;
mod only;
mod outside;
mod pages;
mod plan;
mod platform;
mod prepare;
mod present;
mod problems;
mod public;
mod rehearsal;
mod report;
mod request;
mod roles;
mod rows;
mod run;
mod schedule;
mod select;
mod sessions;
mod settings;
mod steps;
mod stored;
mod strangers;
mod target;
mod untrusted;
mod values;
mod work;

pub(super) use around::is_made;
pub(crate) use compare::{Comparison, rows as compare_rows};
pub use plan::{PlannedTable, RestorePlan, SessionKind};
pub use report::{Difference, Failure, Phase, RestoreReport};
pub use request::{
    Acting, Carry, Existing, Missing, MissingRoles, OnError, Part, RestoreRequest, Transactions,
    Trust,
};
pub(super) use roles::roles_of;
pub use run::Restore;
pub(super) use sessions::read_with_care;
pub(crate) use values::{platform_rows_sql, print};
