//! Streams for the benchmarks: what `COPY … (FORMAT binary)` sends for rows like those of TPC-H's
//! `lineitem` and of an OLTP table, and for columns of one type. Made from a seed, so that every run
//! measures the same bytes.

use opskit_core::name::QualifiedName;
use opskit_core::pgtype::{ColumnType, Form, Leaf, Node, RowType, TypeName};

/// A recorded stream and the type of its rows.
#[derive(Debug)]
pub struct Stream {
    /// What it is called in reports.
    pub name: String,
    /// The columns.
    pub row_type: RowType,
    /// The bytes, header and trailer included.
    pub bytes: Vec<u8>,
}

/// How a field's bytes are made from a random number.
type Field = fn(&mut Vec<u8>, u64);

/// A small random generator (SplitMix64).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn leaf(oid: u32, name: &str, leaf: Leaf) -> Node {
    Node {
        id: TypeName {
            oid,
            name: QualifiedName::new("pg_catalog", name),
        },
        form: Form::Leaf(leaf),
    }
}

fn numeric(precision: u8, scale: i8) -> Node {
    let dscale = scale.unsigned_abs().into();
    leaf(
        1700,
        "numeric",
        Leaf::Decimal {
            precision,
            scale,
            dscale,
        },
    )
}

fn column(name: &str, node: Node) -> ColumnType {
    ColumnType {
        name: name.to_owned(),
        sql_type: node.id.name.name.clone(),
        node,
        as_text: false,
        by_output: false,
        not_null: false,
        generated: false,
        enum_labels: Vec::new(),
    }
}

fn text(out: &mut Vec<u8>, random: u64, len: usize) {
    const WORDS: [&str; 8] = [
        "furiously ",
        "even ",
        "deposits ",
        "sleep ",
        "above ",
        "the ",
        "ironic ",
        "packages ",
    ];
    let start = out.len();
    let mut at = random;
    while out.len() - start < len {
        out.extend(WORDS[(at % 8) as usize].as_bytes());
        at = at / 8 + 0x1234_5678;
    }
    out.truncate(start + len);
}

/// `cents / 100` as the server sends `numeric(…, 2)`.
fn money(out: &mut Vec<u8>, cents: u64) {
    let groups = [
        cents / 100_000_000 % 10_000,
        cents / 100 / 10_000 % 10_000,
        cents / 100 % 10_000,
        cents % 100 * 100,
    ];
    let first = groups.iter().position(|group| *group != 0).unwrap_or(4);
    let last = groups
        .iter()
        .rposition(|group| *group != 0)
        .map_or(first, |at| at + 1);
    let first = first.max(1).min(last);
    let weight = if first == last { 0 } else { 2 - first as i16 };
    out.extend(((last - first) as u16).to_be_bytes());
    out.extend(weight.to_be_bytes());
    out.extend([0, 0, 0, 2]);
    for group in &groups[first..last] {
        out.extend((*group as u16).to_be_bytes());
    }
}

/// The columns that benchmarks choose from.
fn fields(name: &str) -> (Node, Field) {
    match name {
        "int4" => (leaf(23, "int4", Leaf::Int4), |out, r| {
            out.extend((r as u32 % 200_000).to_be_bytes());
        }),
        "int8" => (leaf(20, "int8", Leaf::Int8), |out, r| {
            out.extend((r % 6_000_000).to_be_bytes());
        }),
        "float8" => (leaf(701, "float8", Leaf::Float8), |out, r| {
            out.extend((r as f64 / 7.0).to_bits().to_be_bytes());
        }),
        "bool" => (leaf(16, "bool", Leaf::Bool), |out, r| {
            out.push((r & 1) as u8);
        }),
        "numeric(15,2)" => (numeric(15, 2), |out, r| money(out, r % 10_000_000)),
        "date" => (leaf(1082, "date", Leaf::Date), |out, r| {
            out.extend((r as i32 % 2526 - 2920).to_be_bytes());
        }),
        "timestamptz" => (leaf(1184, "timestamptz", Leaf::TimestampTz), |out, r| {
            out.extend((700_000_000_000_000_i64 + (r % 100_000_000_000_000) as i64).to_be_bytes());
        }),
        "uuid" => (leaf(2950, "uuid", Leaf::Uuid), |out, r| {
            out.extend(r.to_be_bytes());
            out.extend(r.rotate_left(17).to_be_bytes());
        }),
        "char(1)" => (leaf(1042, "bpchar", Leaf::Text), |out, r| {
            out.push(b"ANR"[(r % 3) as usize]);
        }),
        "text" => (leaf(25, "text", Leaf::Text), |out, r| {
            text(out, r, 10 + (r % 34) as usize);
        }),
        "jsonb" => (leaf(3802, "jsonb", Leaf::Jsonb), |out, r| {
            out.push(1);
            out.extend(
                format!(
                    "{{\"ip\": \"10.0.{}.{}\", \"attempt\": {}}}",
                    r % 256,
                    r / 256 % 256,
                    r % 5
                )
                .bytes(),
            );
        }),
        _ => (text_array(), |out, r| {
            out.extend(
                [1, 0, 25, 2, 1]
                    .iter()
                    .flat_map(|word: &i32| word.to_be_bytes()),
            );
            for tag in [r % 7, r % 11] {
                out.extend([0, 0, 0, 5]);
                out.extend(format!("tag{tag:02}").as_bytes());
            }
        }),
    }
}

fn text_array() -> Node {
    Node {
        id: TypeName {
            oid: 1009,
            name: QualifiedName::new("pg_catalog", "_text"),
        },
        form: Form::List(Box::new(leaf(25, "text", Leaf::Text))),
    }
}

/// A stream of rows with these columns; where `null_every` is not 0, every so many-th field is NULL.
fn stream(name: &str, columns: &[&str], rows: usize, null_every: u64) -> Stream {
    let fields: Vec<(Node, Field)> = columns.iter().map(|column| fields(column)).collect();
    let mut random = Random(42);
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for _ in 0..rows {
        bytes.extend((fields.len() as i16).to_be_bytes());
        for (_, field) in &fields {
            let number = random.next();
            if null_every != 0 && number.is_multiple_of(null_every) {
                bytes.extend((-1_i32).to_be_bytes());
                continue;
            }
            let at = bytes.len();
            bytes.extend([0; 4]);
            field(&mut bytes, number);
            let len = (bytes.len() - at - 4) as u32;
            bytes[at..at + 4].copy_from_slice(&len.to_be_bytes());
        }
    }
    bytes.extend((-1_i16).to_be_bytes());
    let columns = fields
        .into_iter()
        .enumerate()
        .map(|(at, (node, _))| column(&format!("c{at}"), node))
        .collect();
    Stream {
        name: name.to_owned(),
        row_type: RowType { columns },
        bytes,
    }
}

/// Rows like those of `lineitem`.
#[must_use]
pub fn lineitem(rows: usize) -> Stream {
    let columns = [
        "int8",
        "int4",
        "int4",
        "int4",
        "numeric(15,2)",
        "numeric(15,2)",
        "numeric(15,2)",
        "numeric(15,2)",
        "char(1)",
        "char(1)",
        "date",
        "date",
        "date",
        "text",
        "char(1)",
        "text",
    ];
    stream("lineitem", &columns, rows, 0)
}

/// Rows like those of a table of payments.
#[must_use]
pub fn payments(rows: usize) -> Stream {
    let columns = [
        "uuid",
        "numeric(15,2)",
        "timestamptz",
        "jsonb",
        "text[]",
        "bool",
        "float8",
        "text",
    ];
    stream("payments", &columns, rows, 13)
}

/// One column of each type.
#[must_use]
pub fn single_columns(rows: usize) -> Vec<Stream> {
    let types = [
        "int4",
        "int8",
        "float8",
        "bool",
        "numeric(15,2)",
        "date",
        "timestamptz",
        "uuid",
        "char(1)",
        "text",
        "jsonb",
        "text[]",
    ];
    types
        .iter()
        .map(|name| stream(name, &[name], rows, 0))
        .collect()
}
