//! Events as documents.

use opskit_core::event::Event;
use serde_json::{Value, json};

/// An event as a JSON object whose `event` says what it is. Sizes are in bytes, times in milliseconds.
pub(crate) fn json(event: &Event) -> String {
    document(event).to_string()
}

fn document(event: &Event) -> Value {
    match event {
        Event::RunStarted {
            tables,
            parts,
            heap_bytes,
        } => json!({
            "event": "run-started", "tables": tables, "parts": parts, "heap_bytes": heap_bytes,
        }),
        Event::TableStarted { table, parts } => json!({
            "event": "table-started", "table": table.to_string(), "parts": parts,
        }),
        Event::PartStarted {
            table,
            part,
            heap_bytes,
        } => json!({
            "event": "part-started", "table": table.to_string(), "part": part, "heap_bytes": heap_bytes,
        }),
        Event::Progress {
            table,
            part,
            rows,
            wire_bytes,
        } => json!({
            "event": "progress", "table": table.to_string(), "part": part, "rows": rows, "wire_bytes": wire_bytes,
        }),
        Event::PartRetried {
            table,
            part,
            rows_discarded,
            wire_bytes_discarded,
            reason,
        } => json!({
            "event": "part-retried", "table": table.to_string(), "part": part, "reason": reason,
            "rows_discarded": rows_discarded, "wire_bytes_discarded": wire_bytes_discarded,
        }),
        Event::PartFinished {
            table,
            part,
            rows,
            heap_bytes,
        } => json!({
            "event": "part-finished", "table": table.to_string(), "part": part, "rows": rows, "heap_bytes": heap_bytes,
        }),
        Event::TableFinished { table, rows } => json!({
            "event": "table-finished", "table": table.to_string(), "rows": rows,
        }),
        Event::ObjectCopied {
            object,
            bytes,
            done,
            of,
        } => json!({
            "event": "object-copied", "object": object, "bytes": bytes, "done": done, "of": of,
        }),
        Event::RunFinished { rows, elapsed } => json!({
            "event": "run-finished", "rows": rows, "elapsed_ms": elapsed.as_millis() as u64,
        }),
        _ => of_migrations(event),
    }
}

fn of_migrations(event: &Event) -> Value {
    match event {
        Event::MigrationStarted {
            id,
            name,
            number,
            of,
        } => json!({
            "event": "migration-started", "id": id, "name": name, "number": number, "of": of,
        }),
        Event::StatementDone {
            line,
            what,
            elapsed,
        } => json!({
            "event": "statement-done", "line": line, "what": what, "elapsed_ms": elapsed.as_millis() as u64,
        }),
        Event::MigrationDone { id, name, elapsed } => json!({
            "event": "migration-done", "id": id, "name": name, "elapsed_ms": elapsed.as_millis() as u64,
        }),
        Event::TestsDone { file, tests } => {
            json!({ "event": "tests-done", "file": file, "tests": tests })
        }
        Event::Waiting { what } => json!({ "event": "waiting", "what": what }),
        Event::Warning { message } => json!({ "event": "warning", "message": message }),
        _ => json!({ "event": "other" }),
    }
}
