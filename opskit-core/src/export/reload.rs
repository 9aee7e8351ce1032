//! Rows of a stored part, made ready for the table they are loaded into: columns found by their names,
//! types by their qualified names, OIDs those of the target.

use super::frames::{Block, FrameScanner, RowVisitor};
use super::retype::retype;
use super::{DecodeOptions, Decoder, ExactBatch, ExactValue, RowEncoder};
use crate::error::{Error, ErrorKind, Result};
use crate::name::start_of;
use crate::pgtype::{ColumnType, Form, Node, RowType};
use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// More than any server takes for a name.
const TOLD_BYTES_MAX: usize = 512;

/// How much of a stored stream is decoded at once.
const BATCH_BYTES: usize = 4 << 20;

/// Which columns of a stored part go into which columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMap {
    source: RowType,
    /// The places of the source's columns that are loaded.
    kept: Vec<usize>,
    /// Those columns as they are sent.
    sent: RowType,
    /// Whether the bytes of the source's rows are those of the target's.
    is_verbatim: bool,
}

impl ColumnMap {
    /// Finds the columns of `source` in the table whose columns are `target`. Generated columns are
    /// left out; columns that the table has besides get their defaults.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when a column is missing in the table or has another type there.
    pub fn new(source: &RowType, target: &RowType) -> Result<Self> {
        let mut kept = Vec::new();
        let mut sent = Vec::new();
        for (at, column) in source.columns.iter().enumerate() {
            if column.generated {
                continue;
            }
            let named = |found: &&ColumnType| found.name == column.name;
            let found = target.columns.iter().find(named);
            let found = found.ok_or_else(|| no_column(column))?;
            if found.generated {
                continue;
            }
            kept.push(at);
            sent.push(sent_column(column, found)?);
        }
        let sent = RowType { columns: sent };
        let is_verbatim = kept.len() == source.columns.len()
            && !sent.columns.iter().any(|column| column.node.carries_oids());
        Ok(Self {
            source: source.clone(),
            kept,
            sent,
            is_verbatim,
        })
    }

    /// The columns that are sent, in order, with the target's types.
    #[must_use]
    pub fn sent(&self) -> &RowType {
        &self.sent
    }

    /// Whether a column is sent as text that its type must still read.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.sent.columns.iter().any(|column| column.as_text)
    }
}

/// What a column is sent as: text where the source read it as text, otherwise the target's type.
fn sent_column(source: &ColumnType, target: &ColumnType) -> Result<ColumnType> {
    let node = match (source.as_text, target.as_text) {
        (true, _) => source.node.clone(),
        (false, false) if same_type(&source.node, &target.node) => target.node.clone(),
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "column \"{}\" is of type {} in the table and {} in the backup",
                    told(&source.name),
                    target.sql_type,
                    told(&source.sql_type)
                ),
            ));
        }
    };
    Ok(ColumnType {
        node,
        as_text: source.as_text,
        sql_type: target.sql_type.clone(),
        ..source.clone()
    })
}

/// Whether two databases mean the same type: all but the OIDs.
fn same_type(a: &Node, b: &Node) -> bool {
    a.id.name == b.id.name
        && match (&a.form, &b.form) {
            (Form::Leaf(a), Form::Leaf(b)) => a == b,
            (Form::List(a), Form::List(b))
            | (Form::Range(a), Form::Range(b))
            | (Form::Multirange(a), Form::Multirange(b)) => same_type(a, b),
            (Form::Struct(a), Form::Struct(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(a, b)| a.name == b.name && same_type(&a.node, &b.node))
            }
            _ => false,
        }
}

fn no_column(column: &ColumnType) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("the table has no column \"{}\"", told(&column.name)),
    )
}

/// A name in a backup may be of any size.
fn told(name: &str) -> &str {
    start_of(name, TOLD_BYTES_MAX)
}

/// Turns the rows of one part into the stream of `COPY … FROM STDIN (FORMAT binary)`.
#[derive(Debug)]
pub struct Reloader {
    map: ColumnMap,
    schema: SchemaRef,
    encoder: RowEncoder,
    /// The new place of each of the source's columns.
    places: Vec<Option<u16>>,
    rows: u64,
}

impl Reloader {
    /// For the rows of one part.
    #[must_use]
    pub fn new(map: ColumnMap) -> Self {
        let mut places = vec![None; map.source.columns.len()];
        for (to, from) in map.kept.iter().enumerate() {
            places[*from] = Some(to as u16);
        }
        Self {
            schema: map.sent.arrow_schema(),
            encoder: RowEncoder::new(map.sent.clone()),
            places,
            rows: 0,
            map,
        }
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends what stands before the first row.
    pub fn start(&self, out: &mut Vec<u8>) {
        self.encoder.start(out);
    }

    /// Appends what stands after the last row.
    pub fn end(&self, out: &mut Vec<u8>) {
        self.encoder.end(out);
    }

    /// Appends the rows of a batch. Batches must come in their order.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when the batch is not of the part's row type.
    pub fn push(&mut self, rows: ExactBatch, out: &mut Vec<u8>) -> Result<()> {
        let count = rows.batch.num_rows();
        let damaged = || {
            Error::new(
                ErrorKind::Damaged,
                "the file does not have the columns that its row type tells",
            )
        };
        let columns: Option<Vec<ArrayRef>> = match self.map.kept.as_slice() {
            // What stands for the rows of a table without columns.
            [] => Some(vec![new_null_array(&DataType::Int64, count)]),
            kept => kept
                .iter()
                .map(|at| rows.batch.columns().get(*at).cloned())
                .collect(),
        };
        let columns = columns.ok_or_else(damaged)?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|source| damaged().with_source(source))?;
        let exact = rows.exact.into_iter();
        let exact = exact.filter_map(|value| self.aside(value).transpose());
        let exact = exact.collect::<Result<Vec<ExactValue>>>()?;
        self.encoder.encode(&ExactBatch { batch, exact }, out)?;
        self.rows += count as u64;
        Ok(())
    }

    /// A value that stands aside, for the target; none where its column is not loaded.
    fn aside(&self, mut value: ExactValue) -> Result<Option<ExactValue>> {
        let from = usize::from(value.column);
        // A column that does not exist is for the encoder to refuse.
        let Some(place) = self.places.get(from) else {
            value.column = u16::MAX;
            return Ok(Some(value));
        };
        let Some(to) = *place else {
            return Ok(None);
        };
        let (source, target) = (&self.map.source.columns, &self.map.sent.columns);
        let (source, target) = (source.get(from), target.get(usize::from(to)));
        if let (Some(source), Some(target)) = (source, target)
            && !source.as_text
            && source.node.carries_oids()
        {
            retype(&source.node, &target.node, &mut value.bytes).map_err(|_| {
                let what = format!(
                    "the side file has no value of column \"{}\"'s type",
                    told(&source.name)
                );
                Error::new(ErrorKind::Damaged, what)
            })?;
        }
        value.column = to;
        Ok(Some(value))
    }
}

/// Turns the verbatim frames of one part into the same for the target.
#[derive(Debug)]
pub struct FrameReloader(Way);

#[derive(Debug)]
enum Way {
    /// The bytes are the same; they are looked at all the same.
    Verbatim(FrameScanner),
    /// Values carry OIDs, or not all columns are loaded.
    Recoded(Box<Decoder>, Box<Reloader>),
}

impl FrameReloader {
    /// For the frames of one part.
    #[must_use]
    pub fn new(map: ColumnMap) -> Self {
        if map.is_verbatim {
            return Self(Way::Verbatim(FrameScanner::new(map.source.columns.len())));
        }
        let options = DecodeOptions::default().with_batch(8192, BATCH_BYTES);
        let decoder = Decoder::new(&map.source, options);
        Self(Way::Recoded(
            Box::new(decoder),
            Box::new(Reloader::new(map)),
        ))
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match &self.0 {
            Way::Verbatim(scanner) => scanner.rows(),
            Way::Recoded(decoder, _) => decoder.rows(),
        }
    }

    /// Appends what stands before the first row.
    pub fn start(&self, out: &mut Vec<u8>) {
        if let Way::Recoded(_, reloader) = &self.0 {
            reloader.start(out);
        }
    }

    /// Takes the next bytes of the stored stream, cut anywhere, and appends what is to be sent.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when they are no such stream.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match &mut self.0 {
            Way::Verbatim(scanner) => {
                scanner.push(bytes, &mut NoLook)?;
                out.extend(bytes);
            }
            Way::Recoded(decoder, reloader) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let used = decoder.push(rest)?;
                    rest = &rest[used..];
                    if let Some(batch) = decoder.full_batch()? {
                        reloader.push(batch, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends what is left, and returns the number of rows.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when the stored stream ends too early.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<u64> {
        let rows = self.rows();
        match self.0 {
            Way::Verbatim(scanner) => scanner.finish()?,
            Way::Recoded(decoder, mut reloader) => {
                if let (Some(batch), _) = decoder.finish()? {
                    reloader.push(batch, out)?;
                }
                reloader.end(out);
            }
        }
        Ok(rows)
    }
}

/// Rows that only need to be counted.
struct NoLook;

impl RowVisitor for NoLook {
    fn visit(&mut self, _block: &Block<'_>) -> Result<()> {
        Ok(())
    }
}
