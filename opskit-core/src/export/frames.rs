//! The frames of `COPY … (FORMAT binary)`: a scanner that finds rows and fields in bytes cut anywhere.
//!
//! The format is that of the PostgreSQL manual, "COPY", section "Binary Format": a signature, flags, a
//! header extension; then per row a 16-bit field count and per field a 32-bit length (-1 for NULL) and
//! the bytes; a field count of -1 ends it.

use crate::error::{Error, ErrorKind, Result};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, length of the header extension.
pub(crate) const HEADER_LEN: usize = SIGNATURE.len() + 8;
/// The field count that ends the stream.
pub(crate) const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// Flag bits 16 to 31 are critical: a reader that does not know one must stop.
const CRITICAL_FLAGS: u32 = 0xffff_0000;
/// A header extension is skipped; the format sets no limit, so we do.
const EXTENSION_MAX: usize = 1 << 20;
/// The server builds a row in one buffer of at most 1 GiB (`MaxAllocSize`).
const ROW_MAX: usize = 1 << 30;
/// How many cells one block indexes at most: 256 KiB of index stays in the second-level cache.
const BLOCK_CELLS: usize = 32 * 1024;
const BLOCK_ROWS_MAX: usize = 4096;
/// Cells in a cache line of 64 bytes.
const CELLS_PER_LINE: usize = 8;

/// Where a field's bytes stand. A negative length is NULL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) start: u32,
    pub(crate) len: i32,
}

impl Cell {
    pub(crate) const NULL: Self = Self { start: 0, len: -1 };

    /// The field's bytes within `data`, or `None` for NULL.
    #[inline]
    pub(crate) fn bytes<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.start as usize;
        let len = usize::try_from(self.len).ok()?;
        data.get(start..start + len)
    }
}

/// Some whole rows, with an index by column.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) rows: usize,
    stride: usize,
    cells: &'a [Cell],
    row_starts: &'a [u32],
}

impl<'a> Block<'a> {
    /// Keeps the first `rows` only.
    fn keep(&mut self, rows: usize) {
        self.rows = rows;
        self.row_starts = &self.row_starts[..=rows];
    }

    /// How many bytes the first `rows` have.
    pub(crate) fn bytes_of(&self, rows: usize) -> usize {
        (self.row_starts[rows] - self.row_starts[0]) as usize
    }

    /// The fields of one column, row by row.
    pub(crate) fn column(&self, column: usize) -> &'a [Cell] {
        let first = column * self.stride;
        &self.cells[first..first + self.rows]
    }

    /// Where each row starts within the data.
    pub(crate) fn row_starts(&self) -> impl Iterator<Item = u32> + '_ {
        self.row_starts.iter().copied()
    }

    /// The bytes of each row, field count included.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.row_starts
            .windows(2)
            .map(|bounds| &self.data[bounds[0] as usize..bounds[1] as usize])
    }
}

/// Takes the rows that a [`FrameScanner`] finds.
pub(crate) trait RowVisitor {
    /// How many rows from the start of a block to take, at least one; the others come again.
    ///
    /// # Errors
    /// When the first row alone is too much.
    fn rows_to_take(&mut self, block: &Block<'_>) -> Result<usize> {
        Ok(block.rows)
    }

    /// Takes some rows.
    fn visit(&mut self, block: &Block<'_>) -> Result<()>;

    /// Whether to stop after the rows so far.
    fn is_full(&self) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Rows,
    Ended,
}

/// Finds rows in a stream that comes in pieces cut anywhere.
///
/// Keeps an incomplete row until the rest arrives; lengths that the stream claims are never used to
/// allocate.
#[derive(Debug)]
pub(crate) struct FrameScanner {
    columns: usize,
    state: State,
    carry: Vec<u8>,
    cells: Vec<Cell>,
    row_starts: Vec<u32>,
    /// Cells from one column to the next.
    stride: usize,
    block_rows: usize,
    rows: u64,
}

/// What one pass over some bytes found.
struct Scan {
    used: usize,
    rows: usize,
    ended: bool,
}

impl FrameScanner {
    pub(crate) fn new(columns: usize) -> Self {
        let block_rows = (BLOCK_CELLS / columns.max(1)).clamp(1, BLOCK_ROWS_MAX);
        // Columns that start a power of two apart would fight for the same cache sets while a row is
        // written across all of them.
        let stride = block_rows + CELLS_PER_LINE;
        Self {
            columns,
            state: State::Header,
            carry: Vec::new(),
            cells: vec![Cell::NULL; stride * columns],
            row_starts: vec![0; block_rows + 1],
            stride,
            block_rows,
            rows: 0,
        }
    }

    /// Rows seen so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Gives the rows in `data` to `visitor` until it is full or the bytes are used up; returns how many
    /// bytes were taken. What is left must be given again, first.
    pub(crate) fn push(&mut self, data: &[u8], visitor: &mut impl RowVisitor) -> Result<usize> {
        let mut used = 0;
        while used < data.len() && !visitor.is_full() {
            let rest = &data[used..];
            used += if self.carry.is_empty() {
                match self.pass(rest, self.block_rows, visitor)? {
                    0 => self.carry_over(rest, rest.len())?,
                    taken => taken,
                }
            } else {
                self.complete_carried(rest, visitor)?
            };
        }
        Ok(used)
    }

    /// Ends the stream; an error if the trailer is missing.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.state == State::Ended && self.carry.is_empty() {
            Ok(())
        } else {
            Err(damaged("ends before its trailer"))
        }
    }

    fn carry_over(&mut self, rest: &[u8], take: usize) -> Result<usize> {
        if self.carry.len() + take > ROW_MAX + HEADER_LEN + EXTENSION_MAX {
            return Err(damaged("has a row of more than 1 GiB"));
        }
        self.carry.extend_from_slice(&rest[..take]);
        Ok(take)
    }

    /// Adds bytes to the row that is carried until it is whole, and visits it alone. The steps grow with
    /// the row, so that a large one is looked through a few times only.
    fn complete_carried(&mut self, rest: &[u8], visitor: &mut impl RowVisitor) -> Result<usize> {
        let take = self.carry.len().clamp(4096, 1 << 24).min(rest.len());
        self.carry_over(rest, take)?;
        let carry = std::mem::take(&mut self.carry);
        let taken = self.pass(&carry, 1, visitor)?;
        if taken == 0 {
            self.carry = carry;
            return Ok(take);
        }
        let surplus = carry.len() - taken;
        if carry.capacity() <= 1 << 20 {
            self.carry = carry;
            self.carry.clear();
        }
        // Before this step the row was not whole, so the surplus came with this step.
        Ok(take - surplus)
    }

    /// One pass from the start of `data`: the header, or up to `rows_max` whole rows. Returns the bytes
    /// that were used, 0 when nothing is whole yet.
    fn pass(
        &mut self,
        data: &[u8],
        rows_max: usize,
        visitor: &mut impl RowVisitor,
    ) -> Result<usize> {
        match self.state {
            State::Header => {
                let used = header(data)?;
                if used > 0 {
                    self.state = State::Rows;
                }
                Ok(used)
            }
            State::Rows => {
                let mut scan = self.index(data, rows_max)?;
                if scan.rows > 0 {
                    let mut block = Block {
                        data,
                        rows: scan.rows,
                        stride: self.stride,
                        cells: &self.cells,
                        row_starts: &self.row_starts[..=scan.rows],
                    };
                    let rows = visitor.rows_to_take(&block)?;
                    if rows < scan.rows {
                        block.keep(rows);
                        scan = Scan {
                            used: self.row_starts[rows] as usize,
                            rows,
                            ended: false,
                        };
                    }
                    self.rows += scan.rows as u64;
                    visitor.visit(&block)?;
                }
                if scan.ended {
                    self.state = State::Ended;
                }
                Ok(scan.used)
            }
            State::Ended => Err(damaged("goes on after its trailer")),
        }
    }

    /// Indexes whole rows from the start of `data`.
    fn index(&mut self, data: &[u8], rows_max: usize) -> Result<Scan> {
        let mut scan = Scan {
            used: 0,
            rows: 0,
            ended: false,
        };
        // A cell's start must fit 32 bits.
        let data = &data[..data.len().min(u32::MAX as usize / 2)];
        self.row_starts[0] = 0;
        while scan.rows < rows_max {
            let Some(count) = be_i16(data, scan.used) else {
                break;
            };
            if count == -1 {
                scan.used += TRAILER.len();
                scan.ended = true;
                break;
            }
            if usize::try_from(count) != Ok(self.columns) {
                return Err(damaged(&format!(
                    "has a row of {count} fields instead of {}",
                    self.columns
                )));
            }
            let Some(end) = self.index_row(data, scan.used + 2, scan.rows)? else {
                break;
            };
            scan.used = end;
            scan.rows += 1;
            self.row_starts[scan.rows] = u32::try_from(end).unwrap_or(u32::MAX);
        }
        Ok(scan)
    }

    /// Indexes one row whose fields start at `at`; `None` when it is not whole.
    #[inline]
    fn index_row(&mut self, data: &[u8], mut at: usize, row: usize) -> Result<Option<usize>> {
        for cell in self
            .cells
            .iter_mut()
            .skip(row)
            .step_by(self.stride)
            .take(self.columns)
        {
            let Some(len) = be_i32(data, at) else {
                return Ok(None);
            };
            at += 4;
            *cell = Cell {
                start: at as u32,
                len,
            };
            if let Ok(len) = usize::try_from(len) {
                at += len;
            } else if len != -1 {
                return Err(damaged(&format!("has a field of length {len}")));
            }
        }
        Ok((at <= data.len()).then_some(at))
    }
}

/// The length of the header, 0 when it is not whole.
fn header(data: &[u8]) -> Result<usize> {
    let seen = data.len().min(SIGNATURE.len());
    if data[..seen] != SIGNATURE[..seen] {
        return Err(damaged(
            "does not start with the signature of the binary format",
        ));
    }
    let (Some(flags), Some(extension)) = (
        be_i32(data, SIGNATURE.len()),
        be_i32(data, SIGNATURE.len() + 4),
    ) else {
        return Ok(0);
    };
    if flags as u32 & CRITICAL_FLAGS != 0 {
        return Err(damaged(&format!("has unknown critical flags {flags:#x}")));
    }
    match usize::try_from(extension) {
        Ok(extension) if extension <= EXTENSION_MAX => {
            let len = HEADER_LEN + extension;
            Ok(if data.len() >= len { len } else { 0 })
        }
        _ => Err(damaged(&format!(
            "has a header extension of length {extension}"
        ))),
    }
}

#[inline]
pub(crate) fn be_i16(data: &[u8], at: usize) -> Option<i16> {
    Some(i16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

#[inline]
pub(crate) fn be_i32(data: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the COPY stream {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Rows = Vec<Vec<Option<Vec<u8>>>>;

    #[derive(Default)]
    struct Collect {
        rows: Rows,
        raw: Vec<u8>,
        columns: usize,
    }

    impl RowVisitor for Collect {
        fn visit(&mut self, block: &Block<'_>) -> Result<()> {
            for row in 0..block.rows {
                let cell = |column| {
                    block.column(column)[row]
                        .bytes(block.data)
                        .map(<[u8]>::to_vec)
                };
                self.rows.push((0..self.columns).map(cell).collect());
            }
            block.rows().for_each(|row| self.raw.extend_from_slice(row));
            Ok(())
        }
    }

    pub(crate) fn stream(rows: &Rows) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        out.extend([0; 8]);
        for row in rows {
            out.extend(i16::try_from(row.len()).unwrap().to_be_bytes());
            for field in row {
                match field {
                    Some(bytes) => {
                        out.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
                        out.extend(bytes);
                    }
                    None => out.extend((-1_i32).to_be_bytes()),
                }
            }
        }
        out.extend(TRAILER);
        out
    }

    fn scan(columns: usize, pieces: &[&[u8]]) -> Result<Collect> {
        let mut scanner = FrameScanner::new(columns);
        let mut collect = Collect {
            columns,
            ..Collect::default()
        };
        for piece in pieces {
            assert_eq!(scanner.push(piece, &mut collect)?, piece.len());
        }
        scanner.finish()?;
        Ok(collect)
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_rows(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 3), 0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let bytes = stream(&rows);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let found = scan(3, &pieces).unwrap();
            prop_assert_eq!(&found.rows, &rows);
            prop_assert_eq!(&found.raw[..], &bytes[HEADER_LEN..bytes.len() - 2]);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut whole = SIGNATURE.to_vec();
            whole.extend([0; 8]);
            whole.extend(&bytes);
            let _ = scan(2, &[&whole]);
            let _ = scan(2, &[&bytes]);
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = stream(&vec![vec![Some(b"abc".to_vec()), None]; 3]);
        for len in 0..bytes.len() {
            let error = scan(2, &[&bytes[..len]]).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Damaged, "cut at {len}");
        }
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut bytes = stream(&Vec::new());
        bytes.truncate(HEADER_LEN);
        bytes.extend(1_i16.to_be_bytes());
        bytes.extend(i32::MAX.to_be_bytes());
        let mut scanner = FrameScanner::new(1);
        scanner
            .push(
                &bytes,
                &mut Collect {
                    columns: 1,
                    ..Collect::default()
                },
            )
            .unwrap();
        assert!(scanner.carry.capacity() < 1024);
    }

    #[test]
    fn rows_without_fields_are_rows() {
        assert_eq!(
            scan(0, &[&stream(&vec![Vec::new(); 9000])])
                .unwrap()
                .rows
                .len(),
            9000
        );
    }

    #[test]
    fn bytes_after_the_trailer_are_refused() {
        let mut bytes = stream(&Vec::new());
        bytes.push(0);
        assert!(scan(1, &[&bytes]).is_err());
    }
}
