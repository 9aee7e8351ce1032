//! A script: its text, its statements, and where they stand.

use super::class::TransactionUse;
use super::position::{Lines, Position};
use super::split::split;
use crate::error::{Error, ErrorKind, Result};
use std::ops::Range;

/// One statement of a script. All numbers are bytes of [`Script::text`], unless said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// The SQL from its first token to its last, so without comments around it and without the semicolon.
    pub span: Range<usize>,
    /// Where the comments before it start; the start of the span where there are none.
    pub comments_from: usize,
    /// The line of its first token, from 1 on.
    pub line: usize,
    /// The rows that go to the server with a `COPY … FROM STDIN`, without the line `\.` that ends them.
    pub copy_rows: Option<Range<usize>>,
    /// How it goes with a transaction block.
    pub transaction: TransactionUse,
}

/// SQL text, split into statements as `psql` splits a file.
///
/// Semicolons within quotes, comments, dollar quotes, parentheses and the `BEGIN ATOMIC … END` of a routine
/// end no statement, and the rows of a `COPY … FROM STDIN` belong to it. `psql`'s own language is refused:
/// commands with a backslash, and `:{?name}`. Its variables (`:name`) are left as they stand, which is what
/// `psql` does with those that are not set.
///
/// ```
/// use opskit_core::migrate::Script;
/// let script = Script::parse("-- why\ncreate table t (a text);\ncopy t from stdin;\n1\n\\.\n")?;
/// let [table, copy] = script.statements() else { panic!() };
/// assert_eq!(script.text_of(table), "create table t (a text)");
/// assert_eq!(script.comments_of(table), "-- why");
/// assert_eq!(copy.line, 3);
/// assert_eq!(script.rows_of(copy), Some("1\n"));
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    text: String,
    lines: Lines,
    statements: Vec<Statement>,
}

impl Script {
    /// Splits a text.
    ///
    /// ```
    /// use opskit_core::migrate::Script;
    /// let error = Script::parse("select 1;\nselect 'two;").unwrap_err();
    /// assert_eq!(error.to_string(), "a string never ends: it starts at 2:8");
    /// let error = Script::parse("\\i other.sql").unwrap_err();
    /// assert_eq!(error.to_string(), "the psql command \\i stands at 1:1");
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with line and column, where a quote, comment, parenthesis or block never
    /// ends, where `psql`'s own language stands, where a statement that starts on the line of a
    /// `COPY … FROM STDIN` goes on behind its rows, and at a NUL byte.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let lines = Lines::of(&text);
        // The server ends every text at a NUL, in quotes and rows too.
        if let Some(at) = text.find('\0') {
            let position = lines.position(&text, at);
            let message = format!("a NUL byte stands at {position}");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let statements = split(&text, &lines)?;
        Ok(Self {
            text,
            lines,
            statements,
        })
    }

    /// The whole text, as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The statements, in their order. Stray semicolons make none.
    ///
    /// ```
    /// use opskit_core::migrate::Script;
    /// assert_eq!(Script::parse("select 1;; /* none */; select 2")?.statements().len(), 2);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The SQL of a statement of this script.
    #[must_use]
    pub fn text_of(&self, statement: &Statement) -> &str {
        let span = statement.span.clone();
        self.text.get(span).unwrap_or_default()
    }

    /// The rows that follow a `COPY … FROM STDIN`, as they go to the server.
    #[must_use]
    pub fn rows_of(&self, statement: &Statement) -> Option<&str> {
        let rows = statement.copy_rows.clone()?;
        Some(self.text.get(rows).unwrap_or_default())
    }

    /// The comments before a statement: all since the line on which the statement before it ends.
    ///
    /// ```
    /// use opskit_core::migrate::Script;
    /// let script = Script::parse("select 1; -- of one\n\n-- of two\nselect /* within */ 2;")?;
    /// let comments = script.statements().iter().map(|it| script.comments_of(it));
    /// assert_eq!(comments.collect::<Vec<_>>(), ["", "-- of two"]);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn comments_of(&self, statement: &Statement) -> &str {
        let comments = statement.comments_from..statement.span.start;
        self.text.get(comments).unwrap_or_default().trim_end()
    }

    /// Line and column of a byte; of the character that the byte is part of, and of the end for bytes behind
    /// it.
    ///
    /// ```
    /// use opskit_core::migrate::Script;
    /// let script = Script::parse("a;\nb")?;
    /// assert_eq!(script.position(script.statements()[1].span.start).to_string(), "2:1");
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn position(&self, byte: usize) -> Position {
        self.lines.position(&self.text, byte)
    }

    /// The line of a byte and a caret below it, for a message. A long line is cut around the caret; what a
    /// terminal would act on is replaced.
    ///
    /// ```
    /// use opskit_core::migrate::Script;
    /// let script = Script::parse("select 1;\n\tdrop table t;")?;
    /// assert_eq!(script.excerpt(16), "\tdrop table t;\n\t     ^");
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn excerpt(&self, byte: usize) -> String {
        self.lines.excerpt(&self.text, byte)
    }
}

#[cfg(test)]
mod tests;
