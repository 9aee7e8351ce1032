//! The documents of `--json`: versioned, one per run, on standard output.

use opskit_core::Error;
use opskit_core::postgres::export::{ExportPlan, ExportReport};
use serde::Serialize;

/// A failure.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorDocument<'a> {
    schema: &'static str,
    kind: &'static str,
    message: String,
    causes: Vec<String>,
    hint: Option<&'a str>,
    retryable: bool,
    exit_code: u8,
}

impl<'a> ErrorDocument<'a> {
    pub(crate) fn new(error: &'a Error) -> Self {
        Self {
            schema: "opskit.error/1",
            kind: error.kind().as_str(),
            message: error.to_string(),
            causes: error.chain().into_iter().skip(1).collect(),
            hint: error.hint(),
            retryable: error.is_retryable(),
            exit_code: error.kind().exit_code(),
        }
    }
}

/// What an export did, and where the result is: the report with `target` added.
#[derive(Debug, Serialize)]
pub(crate) struct ExportDocument<'a> {
    #[serde(flatten)]
    pub(crate) report: &'a ExportReport,
    pub(crate) target: String,
}

/// What an export would do.
#[derive(Debug, Serialize)]
pub(crate) struct PlanDocument<'a> {
    schema: &'static str,
    parts: usize,
    heap_bytes: u64,
    #[serde(flatten)]
    plan: &'a ExportPlan,
}

impl<'a> PlanDocument<'a> {
    pub(crate) fn new(plan: &'a ExportPlan) -> Self {
        Self {
            schema: "opskit.export-plan/1",
            parts: plan.parts(),
            heap_bytes: plan.heap_bytes(),
            plan,
        }
    }
}
