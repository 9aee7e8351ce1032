//! Progress on standard error: a bar on a terminal; lines, where they were asked for.

use crate::printer::{Printer, Verbosity};
use crate::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use opskit_core::event::Event;
use opskit_core::name::QualifiedName;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shows the events of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    bar: Option<ProgressBar>,
    counts: Mutex<Counts>,
}

impl Progress {
    pub(crate) fn new(printer: &Printer) -> Self {
        let bar = (printer.is_live() && printer.verbosity() == Verbosity::Normal).then(|| {
            // Not before the work starts: until then there is nothing to say.
            ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
        });
        Self {
            printer: printer.clone(),
            bar,
            counts: Mutex::default(),
        }
    }

    /// Takes notice of an event.
    pub(crate) fn observe(&self, event: &Event) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.add(event);
        match event {
            Event::RunStarted { heap_bytes, .. } => self.start(*heap_bytes),
            Event::Warning { message } => self.warn(message),
            Event::PartRetried {
                table,
                part,
                reason,
                ..
            } => self.warn(&format!("\"{table}\" part {part} starts again: {reason}")),
            Event::PartFinished {
                table, part, rows, ..
            } if self.printer.verbosity() == Verbosity::Verbose => {
                let rows = units::counted(*rows, "row");
                self.printer.note(&format!(
                    "{table} part {part}: {rows} ({}/{} parts)",
                    counts.parts_done, counts.parts
                ));
            }
            Event::ObjectCopied {
                object, done, of, ..
            } => return self.copied(object, *done, *of),
            Event::Waiting { what } => return self.say(&format!("waiting for {what}")),
            Event::MigrationStarted {
                id,
                name,
                number,
                of,
            } => {
                return self.say(&format!("{id} {name} ({number} of {of})"));
            }
            _ => {}
        }
        if let Some(bar) = &self.bar {
            bar.set_position(counts.heap_position());
            let left = (bar.length().is_some() && counts.heap_done > 0).then(|| bar.eta());
            bar.set_message(counts.message(left));
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// One line that stays.
    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.note(line)),
            None => self.printer.note(line),
        }
    }

    fn start(&self, heap_bytes: u64) {
        let Some(bar) = &self.bar else { return };
        // The size of a query's result is unknown.
        let template = if heap_bytes == 0 {
            "{spinner} {wide_msg}"
        } else {
            "[{bar:20}] {percent:>3}% {wide_msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if heap_bytes > 0 {
            bar.set_length(heap_bytes);
        }
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn copied(&self, object: &str, done: u64, of: u64) {
        if self.printer.verbosity() == Verbosity::Verbose {
            self.printer
                .note(&format!("{object} ({done}/{of} objects)"));
        }
        let Some(bar) = &self.bar else { return };
        if bar.is_hidden() {
            self.start(0);
        }
        bar.set_message(format!("{done}/{of} objects"));
    }

    fn warn(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.warning(message)),
            None => self.printer.warning(message),
        }
    }
}

/// A part that is being read.
#[derive(Debug, Default)]
struct Open {
    heap_bytes: u64,
    wire_bytes: u64,
}

/// What was done so far.
#[derive(Debug, Default)]
struct Counts {
    started: Option<Instant>,
    rows: u64,
    wire_bytes: u64,
    parts: usize,
    parts_done: usize,
    heap_done: u64,
    wire_done: u64,
    open: HashMap<(QualifiedName, u32), Open>,
}

impl Counts {
    fn add(&mut self, event: &Event) {
        match event {
            Event::RunStarted { parts, .. } => {
                self.parts = *parts;
                self.started = Some(Instant::now());
            }
            Event::PartStarted {
                table,
                part,
                heap_bytes,
            } => {
                let open = Open {
                    heap_bytes: *heap_bytes,
                    wire_bytes: 0,
                };
                self.open.insert((table.clone(), *part), open);
            }
            Event::Progress {
                table,
                part,
                rows,
                wire_bytes,
            } => {
                self.rows += rows;
                self.wire_bytes += wire_bytes;
                let open = self.open.entry((table.clone(), *part)).or_default();
                open.wire_bytes += wire_bytes;
            }
            Event::PartRetried {
                table,
                part,
                rows_discarded,
                wire_bytes_discarded,
                ..
            } => {
                self.rows = self.rows.saturating_sub(*rows_discarded);
                self.wire_bytes = self.wire_bytes.saturating_sub(*wire_bytes_discarded);
                self.open.remove(&(table.clone(), *part));
            }
            Event::PartFinished {
                table,
                part,
                heap_bytes,
                ..
            } => {
                self.parts_done += 1;
                self.heap_done += heap_bytes;
                let open = self.open.remove(&(table.clone(), *part));
                self.wire_done += open.map_or(0, |open| open.wire_bytes);
            }
            _ => {}
        }
    }

    /// How much of the server's disk was read: parts in full when they are done; open ones by what
    /// they sent, at the ratio of those that are done.
    fn heap_position(&self) -> u64 {
        let ratio = if self.wire_done > 0 {
            self.heap_done as f64 / self.wire_done as f64
        } else {
            1.0
        };
        let open = |part: &Open| ((part.wire_bytes as f64 * ratio) as u64).min(part.heap_bytes);
        self.heap_done + self.open.values().map(open).sum::<u64>()
    }

    fn message(&self, left: Option<Duration>) -> String {
        let elapsed = self.started.map(|at| at.elapsed()).unwrap_or_default();
        let left = left.map(|left| format!(", {} s left", left.as_secs() + 1));
        format!(
            "{}, {}, {}/{} parts{}",
            units::counted(self.rows, "row"),
            units::rate(self.wire_bytes, elapsed),
            self.parts_done,
            self.parts,
            left.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retried_part_counts_once() {
        let mut counts = Counts::default();
        let table = QualifiedName::new("public", "t");
        let progress = || Event::Progress {
            table: table.clone(),
            part: 0,
            rows: 10,
            wire_bytes: 100,
        };
        let started = || Event::PartStarted {
            table: table.clone(),
            part: 0,
            heap_bytes: 300,
        };
        for event in [started(), progress()] {
            counts.add(&event);
        }
        assert_eq!(counts.heap_position(), 100);
        counts.add(&Event::PartRetried {
            table: table.clone(),
            part: 0,
            rows_discarded: 10,
            wire_bytes_discarded: 100,
            reason: "lost".into(),
        });
        assert_eq!((counts.rows, counts.heap_position()), (0, 0));
        for event in [started(), progress(), progress()] {
            counts.add(&event);
        }
        counts.add(&Event::PartFinished {
            table: table.clone(),
            part: 0,
            rows: 20,
            heap_bytes: 300,
        });
        assert_eq!((counts.rows, counts.parts_done), (20, 1));
        assert_eq!(counts.heap_position(), 300);
    }
}
