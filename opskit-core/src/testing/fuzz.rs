//! What the fuzz targets run on foreign bytes; a test replays their corpus with the same functions.

use crate::environment::Frozen;
use crate::error::Result;
use crate::export::frames::{Block, FrameScanner, HEADER_LEN, RowVisitor};
use crate::export::parquet::ParquetPart;
use crate::export::{DecodeOptions, Decoder, ExactBatch, RowEncoder};
use crate::name::QualifiedName;
use crate::pgtype::{ColumnType, Form, Leaf, Node, RowType, StructField, TypeName};
use crate::repository::{Contents, HistoryEvent, Manifest, Pin, RecordKind};
use time::OffsetDateTime;

/// Scans `data` as a stream of rows with as many columns as its first byte says, cut as its second byte
/// says; both must not panic, and rows must stand within the bytes.
pub fn frames(data: &[u8]) {
    let [columns, cut, stream @ ..] = data else {
        return;
    };
    let columns = usize::from(columns % 40);
    let mut scanner = FrameScanner::new(columns);
    let mut visitor = Touch { columns, bytes: 0 };
    for piece in stream.chunks(usize::from(*cut).max(1)) {
        if scanner.push(piece, &mut visitor).is_err() {
            return;
        }
    }
    // What it finds must come from the bytes that it got.
    assert!(visitor.bytes <= stream.len());
    drop(scanner.finish());
}

struct Touch {
    columns: usize,
    bytes: usize,
}

impl RowVisitor for Touch {
    fn visit(&mut self, block: &Block<'_>) -> Result<()> {
        for column in 0..self.columns {
            for cell in block.column(column) {
                self.bytes += cell.bytes(block.data).map_or(0, <[u8]>::len);
            }
        }
        Ok(())
    }
}

/// Decodes `data` as a stream of rows of the type that its first byte selects. What decodes must encode
/// to the same bytes again.
pub fn decode(data: &[u8]) {
    let [kind, cut, body @ ..] = data else {
        return;
    };
    let row_type = row_type(*kind);
    let mut stream = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    stream.extend(body);
    let Ok(batches) = batches(&row_type, &stream, usize::from(*cut).max(1)) else {
        return;
    };
    let mut out = Vec::new();
    let mut encoder = RowEncoder::new(row_type);
    encoder.start(&mut out);
    for batch in &batches {
        let encoded = encoder.encode(batch, &mut out);
        assert!(
            encoded.is_ok(),
            "what was decoded can be encoded: {encoded:?}"
        );
    }
    encoder.end(&mut out);
    assert!(out == stream, "what is encoded is what was decoded");
}

/// Opens `data` as a Parquet part, and a part of it as the side file, and reads it to the end.
pub fn parquet(data: &[u8]) {
    let main = bytes::Bytes::copy_from_slice(data);
    let Ok(part) = ParquetPart::open(main.clone(), None::<bytes::Bytes>) else {
        return;
    };
    part.take_while(Result::is_ok).for_each(drop);
    if let Ok(part) = ParquetPart::open(main.clone(), Some(main)) {
        part.take_while(Result::is_ok).for_each(drop);
    }
}

/// Reads `data` as each half of a manifest. What is read must be written and read again as the same.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        let text = serde_json::to_vec(&manifest).unwrap_or_default();
        assert!(Manifest::parse(&text).is_ok_and(|again| again == manifest));
    }
    if let Ok(contents) = Contents::parse(data) {
        let text = serde_json::to_vec(&contents).unwrap_or_default();
        assert!(Contents::parse(&text).is_ok_and(|again| again == contents));
    }
}

/// Reads `data` as a record of each kind, as a pin, and as an environment that was written down. What is read must
/// be written and read again as the same.
pub fn records(data: &[u8]) {
    for kind in RecordKind::ALL {
        if let Ok(event) = HistoryEvent::parse(kind, data) {
            let text = serde_json::to_vec(&event).unwrap_or_default();
            assert!(HistoryEvent::parse(kind, &text).is_ok_and(|again| again == event));
        }
    }
    if let Ok(pin) = Pin::parse(data) {
        let _ = pin.holds(OffsetDateTime::UNIX_EPOCH);
        let text = serde_json::to_vec(&pin).unwrap_or_default();
        assert!(Pin::parse(&text).is_ok_and(|again| again == pin));
    }
    if let Ok(frozen) = Frozen::from_json(data) {
        let text = frozen.to_json().unwrap_or_default();
        assert!(Frozen::from_json(text.as_bytes()).is_ok_and(|again| again == frozen));
    }
}

fn batches(row_type: &RowType, stream: &[u8], cut: usize) -> Result<Vec<ExactBatch>> {
    debug_assert!(stream.len() >= HEADER_LEN);
    let mut decoder = Decoder::new(row_type, DecodeOptions::default().with_batch(3, 1 << 20));
    let mut batches = Vec::new();
    for piece in stream.chunks(cut) {
        let mut rest = piece;
        while !rest.is_empty() {
            let used = decoder.push(rest)?;
            rest = &rest[used..];
            batches.extend(decoder.full_batch()?);
        }
    }
    batches.extend(decoder.finish()?.0);
    Ok(batches)
}

const LEAVES: [Leaf; 31] = [
    Leaf::Bool,
    Leaf::Int2,
    Leaf::Int4,
    Leaf::Int8,
    Leaf::UInt4,
    Leaf::UInt8,
    Leaf::Float4,
    Leaf::Float8,
    Leaf::Decimal {
        precision: 9,
        scale: 2,
        dscale: 2,
    },
    Leaf::Decimal {
        precision: 18,
        scale: 5,
        dscale: 5,
    },
    Leaf::Decimal {
        precision: 38,
        scale: 38,
        dscale: 38,
    },
    Leaf::Decimal {
        precision: 5,
        scale: 0,
        dscale: 0,
    },
    Leaf::NumericText,
    Leaf::Money,
    Leaf::Timestamp,
    Leaf::TimestampTz,
    Leaf::Date,
    Leaf::Time,
    Leaf::TimeTz,
    Leaf::Interval,
    Leaf::Uuid,
    Leaf::Jsonb,
    Leaf::Text,
    Leaf::Char,
    Leaf::Bytea,
    Leaf::Inet,
    Leaf::Cidr,
    Leaf::MacAddr,
    Leaf::Bits,
    Leaf::Hstore,
    Leaf::VersionedText,
];

/// Any leaf, alone or within each kind of value that holds values, followed by a column of text.
fn row_type(kind: u8) -> RowType {
    let leaf = LEAVES[usize::from(kind) % LEAVES.len()];
    let inner = node(23, Form::Leaf(leaf));
    let form = match usize::from(kind) / LEAVES.len() {
        0 => Form::Leaf(leaf),
        1 => Form::List(Box::new(inner)),
        2 => Form::Range(Box::new(inner)),
        3 => Form::Multirange(Box::new(inner)),
        4 => Form::Struct(vec![
            StructField {
                name: "a".into(),
                node: inner.clone(),
            },
            StructField {
                name: "b".into(),
                node: inner,
            },
        ]),
        5 => Form::List(Box::new(node(
            24,
            Form::Struct(vec![StructField {
                name: "a".into(),
                node: inner,
            }]),
        ))),
        6 => Form::List(Box::new(node(25, Form::Range(Box::new(inner))))),
        _ => Form::Multirange(Box::new(node(26, Form::List(Box::new(inner))))),
    };
    RowType {
        columns: vec![
            column("value", node(900, form)),
            column("text", node(25, Form::Leaf(Leaf::Text))),
        ],
    }
}

fn node(oid: u32, form: Form) -> Node {
    let name = QualifiedName::new("pg_catalog", "t");
    Node {
        id: TypeName { oid, name },
        form,
    }
}

fn column(name: &str, node: Node) -> ColumnType {
    ColumnType {
        name: name.to_owned(),
        sql_type: "t".to_owned(),
        node,
        as_text: false,
        by_output: false,
        not_null: false,
        generated: false,
        enum_labels: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A stream that is likely to be well formed around a random value.
    fn stream(kind: u8, cut: u8, value: &[u8]) -> Vec<u8> {
        let mut data = vec![kind, cut, 0, 2];
        data.extend((value.len() as i32).to_be_bytes());
        data.extend(value);
        data.extend([0, 0, 0, 1, b'x', 0xff, 0xff]);
        data
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn decoded_values_encode_to_the_same_bytes(
            kind in any::<u8>(), cut in any::<u8>(), value in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..48),
        ) {
            decode(&stream(kind, cut, &value));
        }

        #[test]
        fn foreign_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&data);
            frames(&data);
            parquet(&data);
        }
    }
}
