//! The owner of standard output and standard error.

use crate::args::PrintArgs;
use crate::environment::Environment;
use crate::exit::Stop;
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write, stderr, stdout};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultForm {
    Text,
    Json,
}

/// How a stream may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    /// A file or pipe.
    Plain,
    /// A terminal that shall not be coloured.
    Terminal,
    Coloured,
}

/// Writes results to standard output and everything else to standard error. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    out: Stream,
    err: Stream,
    /// Whether lines can be redrawn.
    live: bool,
    verbosity: Verbosity,
    form: ResultForm,
    pipe_broke: Arc<AtomicBool>,
}

impl Printer {
    pub(crate) fn new(env: &Environment, args: PrintArgs) -> Self {
        let stream = |terminal| match (terminal, env.plain) {
            (false, _) => Stream::Plain,
            (true, true) => Stream::Terminal,
            (true, false) => Stream::Coloured,
        };
        let err = stream(stderr().is_terminal());
        Self {
            out: stream(stdout().is_terminal()),
            err,
            live: err != Stream::Plain && !env.dumb,
            verbosity: match args {
                PrintArgs { quiet: true, .. } => Verbosity::Quiet,
                PrintArgs { verbose: true, .. } => Verbosity::Verbose,
                PrintArgs { .. } => Verbosity::Normal,
            },
            form: if args.json {
                ResultForm::Json
            } else {
                ResultForm::Text
            },
            pipe_broke: Arc::default(),
        }
    }

    pub(crate) fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    pub(crate) fn is_json(&self) -> bool {
        self.form == ResultForm::Json
    }

    /// Whether the data would go onto somebody's screen.
    pub(crate) fn out_is_terminal(&self) -> bool {
        self.out != Stream::Plain
    }

    /// Whether a progress bar can be drawn on standard error.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    pub(crate) fn has_colour(&self) -> bool {
        self.err == Stream::Coloured
    }

    /// The text for standard output: styled where it may be coloured.
    pub(crate) fn plain_or(&self, plain: &str, styled: &str) -> String {
        match self.out {
            Stream::Coloured => styled.to_owned(),
            Stream::Plain | Stream::Terminal => plain.to_owned(),
        }
    }

    /// Writes a result.
    pub(crate) fn result(&self, text: &str) -> Result<(), Stop> {
        self.write(|out| out.write_all(text.as_bytes()))
    }

    /// Writes a large result piece by piece.
    pub(crate) fn write(
        &self,
        result: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), Stop> {
        let mut out = BufWriter::new(stdout().lock());
        let written = result(&mut out).and_then(|()| out.flush());
        written.map_err(stdout_failed)
    }

    /// Writes a result that says nothing but that all is well, to those who want to hear it.
    pub(crate) fn good_news(&self, text: &str) -> Result<(), Stop> {
        match self.verbosity {
            Verbosity::Quiet => Ok(()),
            Verbosity::Normal | Verbosity::Verbose => self.result(text),
        }
    }

    /// Writes the one document of a run.
    pub(crate) fn json(&self, document: &impl Serialize) -> Result<(), Stop> {
        let text = serde_json::to_string_pretty(document).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the document").with_source(source)
        })?;
        self.result(&(text + "\n"))
    }

    /// Tells a person something on standard error, unless that is unwanted.
    pub(crate) fn note(&self, text: &str) {
        if self.verbosity != Verbosity::Quiet {
            to_stderr(text);
        }
    }

    /// Tells a person about something that may be wrong.
    pub(crate) fn warning(&self, text: &str) {
        self.note(&format!("{} {text}", self.painted("warning:", "1;33")));
    }

    /// Tells a person why the command failed.
    pub(crate) fn error(&self, error: &Error) {
        let chain = error.chain();
        let mut lines = vec![format!(
            "{} {}",
            self.painted("error:", "1;31"),
            chain.first().map_or("", String::as_str)
        )];
        lines.extend(
            chain
                .iter()
                .skip(1)
                .map(|cause| format!("  caused by: {cause}")),
        );
        if let Some(hint) = error.hint() {
            lines.push(format!("{} {hint}", self.painted("hint:", "1;36")));
        }
        to_stderr(&lines.join("\n"));
    }

    /// Standard output as a stream of data.
    pub(crate) fn data(&self) -> impl Write + Send + 'static {
        // Below is a line buffer, which would look at every byte.
        let data = Data {
            // Through a file of its own: the standard library takes a descriptor that cannot be written
            // for one that swallows everything.
            file: stdout().as_fd().try_clone_to_owned().map(File::from),
            pipe_broke: Arc::clone(&self.pipe_broke),
        };
        BufWriter::with_capacity(256 << 10, data)
    }

    /// Whether the stream of data ended because nobody reads it.
    pub(crate) fn pipe_broke(&self) -> bool {
        self.pipe_broke.load(Ordering::Relaxed)
    }

    fn painted(&self, word: &str, code: &str) -> String {
        match self.err {
            Stream::Coloured => format!("\x1b[{code}m{word}\x1b[0m"),
            Stream::Plain | Stream::Terminal => word.to_owned(),
        }
    }
}

fn to_stderr(text: &str) {
    // Nobody can be told that nobody can be told.
    let _ = writeln!(stderr().lock(), "{text}");
}

fn stdout_failed(source: std::io::Error) -> Stop {
    if source.kind() == std::io::ErrorKind::BrokenPipe {
        return Stop::BrokenPipe;
    }
    Error::new(ErrorKind::Storage, "cannot write to standard output")
        .with_source(source)
        .into()
}

/// Standard output, which remembers whether it was closed.
#[derive(Debug)]
struct Data {
    file: std::io::Result<File>,
    pipe_broke: Arc<AtomicBool>,
}

impl Data {
    fn file(&self) -> std::io::Result<&File> {
        self.file.as_ref().map_err(|error| error.kind().into())
    }

    fn watch<T>(&self, result: std::io::Result<T>) -> std::io::Result<T> {
        if let Err(error) = &result
            && error.kind() == std::io::ErrorKind::BrokenPipe
        {
            self.pipe_broke.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Write for Data {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file().and_then(|mut file| file.write(bytes));
        self.watch(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.file().and_then(|mut file| file.flush());
        self.watch(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_wants_it_is_coloured() {
        let mut printer = Printer::new(&Environment::default(), PrintArgs::default());
        for (stream, expected) in [
            (Stream::Plain, "error:"),
            (Stream::Terminal, "error:"),
            (Stream::Coloured, "\x1b[1;31merror:\x1b[0m"),
        ] {
            (printer.out, printer.err) = (stream, stream);
            assert_eq!(printer.painted("error:", "1;31"), expected);
            let styled = printer.plain_or("a", "b");
            assert_eq!(styled, if stream == Stream::Coloured { "b" } else { "a" });
        }
    }
}
