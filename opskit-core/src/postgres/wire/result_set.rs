//! The rows of a simple query.

use super::server_error::{malformed, out_of_protocol};
use crate::error::Result;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::Message;

/// One column of a [`ResultSet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: u32,
    /// The type's modifier, -1 when it has none.
    pub type_modifier: i32,
}

/// What one statement returned, in the server's text form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultSet {
    /// The columns; none for a statement that returns no rows.
    pub columns: Vec<Column>,
    /// The rows; `None` is NULL. Bytes that are not UTF-8 are replaced.
    pub rows: Vec<Vec<Option<String>>>,
    /// What the server said was done: `SELECT 3`, `CREATE TABLE`.
    pub tag: String,
}

/// Puts messages together to result sets.
#[derive(Default)]
pub(super) struct Collector {
    done: Vec<ResultSet>,
    open: ResultSet,
}

impl Collector {
    pub(super) fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::RowDescription(body) => {
                let fields = body.fields().map(|field| {
                    Ok(Column {
                        name: field.name().to_owned(),
                        type_oid: field.type_oid(),
                        type_modifier: field.type_modifier(),
                    })
                });
                self.open.columns = fields.collect().map_err(malformed)?;
            }
            Message::DataRow(body) => {
                let text = |range: std::ops::Range<usize>| {
                    String::from_utf8_lossy(&body.buffer()[range]).into_owned()
                };
                let row: Vec<_> = body
                    .ranges()
                    .map(|range| Ok(range.map(text)))
                    .collect()
                    .map_err(malformed)?;
                if row.len() != self.open.columns.len() {
                    return Err(out_of_protocol("a row that does not fit its columns"));
                }
                self.open.rows.push(row);
            }
            Message::CommandComplete(body) => {
                self.open.tag = body.tag().map_err(malformed)?.to_owned();
                self.done.push(std::mem::take(&mut self.open));
            }
            Message::EmptyQueryResponse => self.done.push(ResultSet::default()),
            _ => return Err(out_of_protocol("an unknown message in answer to a query")),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<ResultSet> {
        self.done
    }
}
