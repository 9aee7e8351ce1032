//! Cuts a script into statements, by the rules of `psql`'s scanner and its main loop.

use super::class::TransactionUse;
use super::lexer::{Piece, PieceKind, TokenKind, is_newline, piece_at};
use super::position::{Lines, bom_bytes};
use super::rows;
use super::script::Statement;
use crate::error::{Error, ErrorKind, Result};

/// The longest dollar tag or command that a message repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// The statements of a text.
pub(super) fn split(text: &str, lines: &Lines) -> Result<Vec<Statement>> {
    let splitter = Splitter {
        text,
        lines,
        at: bom_bytes(text),
        fence: None,
        open: Open::default(),
        found: Vec::new(),
    };
    splitter.run()
}

/// The line that a `COPY` stands on: its rows start behind it, and what else is on the line is read first.
#[derive(Clone, Copy)]
struct Fence {
    line_end: usize,
    resume: usize,
}

/// What is known of the statement that is being read.
#[derive(Default)]
struct Open {
    /// Whether a statement before it ends on the line that is being read.
    shares_line: bool,
    comments_from: Option<usize>,
    start: Option<usize>,
    end: usize,
    parentheses: Nesting,
    routine: Routine,
}

/// How deep something is nested, and where the outermost one was opened.
#[derive(Default)]
struct Nesting {
    depth: usize,
    opened_at: usize,
}

impl Nesting {
    fn enter(&mut self, at: usize) {
        if self.depth == 0 {
            self.opened_at = at;
        }
        self.depth += 1;
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

/// What `psql` knows of `CREATE FUNCTION … BEGIN ATOMIC … END`: the first four words, and in a routine how
/// many `BEGIN` and `CASE` have had no `END`. It counts them wherever they stand outside of parentheses.
#[derive(Default)]
struct Routine {
    words: usize,
    head: [Option<u8>; 4],
    blocks: Nesting,
}

impl Routine {
    fn word(&mut self, word: &str, at: usize, parentheses: usize) {
        let is = |wanted: &str| word.eq_ignore_ascii_case(wanted);
        if let Some(place) = self.head.get_mut(self.words) {
            let heads = ["create", "or", "replace", "function", "procedure"];
            let head = heads.iter().find(|head| is(head));
            *place = head.and_then(|head| head.bytes().next());
        }
        self.words = self.words.saturating_add(1);
        if parentheses > 0 || !self.is_routine() {
            return;
        }
        if is("begin") || (is("case") && self.blocks.depth > 0) {
            self.blocks.enter(at);
        } else if is("end") {
            self.blocks.leave();
        }
    }

    fn is_routine(&self) -> bool {
        matches!(
            self.head,
            [Some(b'c'), Some(b'f' | b'p'), ..]
                | [Some(b'c'), Some(b'o'), Some(b'r'), Some(b'f' | b'p')]
        )
    }
}

struct Splitter<'a> {
    text: &'a str,
    lines: &'a Lines,
    at: usize,
    fence: Option<Fence>,
    open: Open,
    found: Vec<Statement>,
}

impl Splitter<'_> {
    fn run(mut self) -> Result<Vec<Statement>> {
        loop {
            let end = self.fence.map_or(self.text.len(), |fence| fence.line_end);
            let text = self.text.get(..end).unwrap_or(self.text);
            if let Some(piece) = piece_at(text, self.at) {
                self.take(&piece)?;
                self.at = piece.end;
            } else if let Some(fence) = self.fence.take() {
                self.pass(fence)?;
            } else {
                break;
            }
        }
        self.finish()
    }

    fn take(&mut self, piece: &Piece) -> Result<()> {
        let text = self.text.get(self.at..piece.end).unwrap_or_default();
        if !piece.is_closed {
            return Err(self.never_ends(piece.kind, text));
        }
        match piece.kind {
            PieceKind::Blank => self.blank(text),
            PieceKind::Comment => _ = self.open.comments_from.get_or_insert(self.at),
            PieceKind::Token(TokenKind::Symbol) => return self.symbol(text),
            PieceKind::Token(kind) => {
                self.grow(piece.end);
                if kind == TokenKind::Word {
                    let depth = self.open.parentheses.depth;
                    self.open.routine.word(text, self.at, depth);
                }
            }
        }
        Ok(())
    }

    /// A comment on the line of the statement before is about that one.
    fn blank(&mut self, text: &str) {
        if self.open.shares_line && self.open.start.is_none() && text.bytes().any(is_newline) {
            self.open.shares_line = false;
            self.open.comments_from = None;
        }
    }

    fn symbol(&mut self, text: &str) -> Result<()> {
        match text {
            "(" => self.open.parentheses.enter(self.at),
            ")" => self.open.parentheses.leave(),
            "\\" => return Err(self.command()),
            ":" if self.is_variable_test() => {
                return Err(self.psql_only("the test of a psql variable"));
            }
            ";" if self.open.parentheses.depth == 0 && self.open.routine.blocks.depth == 0 => {
                self.end(self.at + 1);
                return Ok(());
            }
            _ => {}
        }
        self.grow(self.at + text.len());
        Ok(())
    }

    fn grow(&mut self, end: usize) {
        self.open.start.get_or_insert(self.at);
        self.open.end = end;
    }

    /// Ends a statement; the script goes on at `resume`.
    fn end(&mut self, resume: usize) {
        let open = std::mem::take(&mut self.open);
        self.open.shares_line = true;
        let Some(start) = open.start else { return };
        let sql = self.text.get(start..open.end).unwrap_or_default();
        let copy_rows = rows::wanted(sql).then(|| {
            let fence = self.fence.unwrap_or_else(|| self.fence_after(resume));
            let block = rows::block(self.text, fence.resume);
            self.fence = Some(Fence {
                line_end: fence.line_end,
                resume: block.resume,
            });
            block.rows
        });
        let comments = open.comments_from.filter(|from| *from < start);
        self.found.push(Statement {
            span: start..open.end,
            comments_from: comments.unwrap_or(start),
            line: self.lines.line(start),
            copy_rows,
            transaction: TransactionUse::of(sql),
        });
    }

    /// The end of the line of this byte.
    fn fence_after(&self, at: usize) -> Fence {
        let rest = self.text.get(at..).unwrap_or_default();
        match rest.find('\n') {
            Some(found) => Fence {
                line_end: at + found,
                resume: at + found + 1,
            },
            None => Fence {
                line_end: self.text.len(),
                resume: self.text.len(),
            },
        }
    }

    /// Steps over the rows behind a line.
    fn pass(&mut self, fence: Fence) -> Result<()> {
        if let Some(start) = self.open.start {
            return Err(self
                .wrong(
                    "a statement on the line of a COPY … FROM STDIN does not end there: it starts",
                    start,
                )
                .with_hint("The rows begin on the next line: put the statement behind them."));
        }
        self.at = fence.resume;
        self.open = Open::default();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Statement>> {
        let (parentheses, blocks) = (&self.open.parentheses, &self.open.routine.blocks);
        if parentheses.depth > 0 {
            return Err(self.unended("a parenthesis", parentheses.opened_at));
        }
        if blocks.depth > 0 {
            return Err(self.unended("a BEGIN … END block", blocks.opened_at));
        }
        self.end(self.text.len());
        Ok(self.found)
    }

    /// psql's `:{?name}`, which it replaces always.
    fn is_variable_test(&self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
        rest.strip_prefix(":{?")
            .map(|name| (name, name.trim_start_matches(is_part)))
            .is_some_and(|(name, rest)| rest.len() < name.len() && rest.starts_with('}'))
    }

    fn command(&self) -> Error {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let is_part = |c: &char| c.is_ascii_alphanumeric() || "_?!+;:.".contains(*c);
        let chars = rest.chars().take_while(is_part);
        let name: String = chars.take(SHOWN_CHARS_MAX).collect();
        if name == "." {
            return self.wrong("the end of COPY rows stands without a COPY", self.at);
        }
        self.psql_only(&format!("the psql command \\{name}"))
    }

    fn psql_only(&self, what: &str) -> Error {
        self.wrong(&format!("{what} stands"), self.at).with_hint(
            "Scripts hold SQL only, which goes to the server as it is written: take out what only psql knows.",
        )
    }

    fn never_ends(&self, kind: PieceKind, text: &str) -> Error {
        let what = match kind {
            PieceKind::Token(TokenKind::String) => "a string",
            PieceKind::Token(TokenKind::QuotedIdentifier) => "a quoted identifier",
            PieceKind::Token(TokenKind::DollarBody) => {
                let tag = text.split_inclusive('$').take(2);
                let tag: String = tag
                    .collect::<String>()
                    .chars()
                    .take(SHOWN_CHARS_MAX)
                    .collect();
                return self.unended(&format!("a {tag} string"), self.at);
            }
            _ => "a comment",
        };
        self.unended(what, self.at)
    }

    fn unended(&self, what: &str, at: usize) -> Error {
        let error = self.wrong(&format!("{what} never ends: it starts"), at);
        match self.fence {
            Some(_) => error.with_hint(
                "The rows of a COPY … FROM STDIN begin on the next line: put what follows the COPY behind them.",
            ),
            None => error,
        }
    }

    fn wrong(&self, what: &str, at: usize) -> Error {
        let position = self.lines.position(self.text, at);
        Error::new(ErrorKind::InvalidInput, format!("{what} at {position}"))
    }
}
