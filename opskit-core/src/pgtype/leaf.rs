//! The types whose values hold no other values.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How the bytes of a value without inner values are laid out, and so which Arrow type stands for it.
///
/// The layouts are those of the server's send functions (`src/backend/utils/adt/*.c`, `…_send`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Leaf {
    /// One byte, 0 or 1.
    Bool,
    /// Two bytes, signed.
    Int2,
    /// Four bytes, signed.
    Int4,
    /// Eight bytes, signed.
    Int8,
    /// Four bytes, unsigned: `oid`, `xid`, `cid`.
    UInt4,
    /// Eight bytes, unsigned: `xid8`, `pg_lsn`.
    UInt8,
    /// IEEE 754 single; NaN payloads and negative zero are kept.
    Float4,
    /// IEEE 754 double; NaN payloads and negative zero are kept.
    Float8,
    /// `numeric(p, s)` that fits 38 digits. `dscale` is the scale that the server displays, `scale`
    /// the Arrow one; they differ for negative scales only.
    Decimal {
        /// Digits of the Arrow decimal.
        precision: u8,
        /// Scale of the Arrow decimal.
        scale: i8,
        /// Display scale every value of the column has.
        dscale: u16,
    },
    /// `numeric` without bounds: the server's text, which keeps the display scale, NaN and infinity.
    NumericText,
    /// `money`: the smallest unit of the currency, as the server stores it.
    Money,
    /// Microseconds since 2000-01-01, no time zone.
    Timestamp,
    /// Microseconds since 2000-01-01 UTC.
    TimestampTz,
    /// Days since 2000-01-01.
    Date,
    /// Microseconds since midnight; 24:00:00 has no standard form.
    Time,
    /// As [`Self::Time`], and the zone in seconds west of UTC.
    TimeTz,
    /// Microseconds, days and months, unmixed.
    Interval,
    /// Sixteen bytes.
    Uuid,
    /// JSON text, verbatim.
    Json,
    /// A version byte and JSON text.
    Jsonb,
    /// Text in the client encoding; also enum labels.
    Text,
    /// A version byte and text: `jsonpath`, `ltree` and its query types.
    VersionedText,
    /// `"char"`: one byte, where zero means empty.
    Char,
    /// Bytes.
    Bytea,
    /// An address, a prefix length: `inet`.
    Inet,
    /// A network: `cidr`.
    Cidr,
    /// Six bytes.
    MacAddr,
    /// Eight bytes.
    MacAddr8,
    /// A bit count and bits: `bit`, `varbit`.
    Bits,
    /// Keys with values or NULLs.
    Hstore,
    /// Whatever the send function gives, kept as bytes.
    Opaque,
}

impl Leaf {
    /// The leaf for a base type, by the name of its send function, which is what fixes the bytes on
    /// the wire. `None` when values must be read as text: there is no send function, or what it gives
    /// is not the value (`xml` loses its encoding declaration) or not portable (`reg…` gives OIDs).
    ///
    /// `numeric` comes back as [`Leaf::NumericText`]; the modifier decides on more.
    #[must_use]
    pub fn of_send_function(name: &str) -> Option<Self> {
        Some(match name {
            "boolsend" => Self::Bool,
            "int2send" => Self::Int2,
            "int4send" => Self::Int4,
            "int8send" => Self::Int8,
            "oidsend" | "xidsend" | "cidsend" => Self::UInt4,
            "xid8send" | "pg_lsn_send" => Self::UInt8,
            "float4send" => Self::Float4,
            "float8send" => Self::Float8,
            "numeric_send" => Self::NumericText,
            "cash_send" => Self::Money,
            "timestamp_send" => Self::Timestamp,
            "timestamptz_send" => Self::TimestampTz,
            "date_send" => Self::Date,
            "time_send" => Self::Time,
            "timetz_send" => Self::TimeTz,
            "interval_send" => Self::Interval,
            "uuid_send" => Self::Uuid,
            "json_send" => Self::Json,
            "jsonb_send" => Self::Jsonb,
            "textsend" | "varcharsend" | "bpcharsend" | "namesend" | "unknownsend"
            | "citextsend" | "enum_send" | "pg_node_tree_send" => Self::Text,
            "ltree_send" | "lquery_send" | "ltxtq_send" | "jsonpath_send" => Self::VersionedText,
            "charsend" => Self::Char,
            "byteasend" => Self::Bytea,
            "inet_send" => Self::Inet,
            "cidr_send" => Self::Cidr,
            "macaddr_send" => Self::MacAddr,
            "macaddr8_send" => Self::MacAddr8,
            "bit_send" | "varbit_send" => Self::Bits,
            "hstore_send" => Self::Hstore,
            "" | "-" | "xml_send" | "record_send" | "int2vectorsend" | "oidvectorsend"
            // The server does not take back the empty query that it sends.
            | "void_send" | "tsquerysend" => {
                return None;
            }
            reg if reg.starts_with("reg") && reg.ends_with("send") => return None,
            _ => Self::Opaque,
        })
    }

    /// The leaf for a `numeric` with this type modifier: a decimal where 38 digits hold every value.
    ///
    /// The modifier is `((precision << 16) | scale) + 4` with an 11-bit signed scale
    /// (`numerictypmodin`).
    #[must_use]
    pub fn numeric(modifier: i32) -> Self {
        let Some(packed) = modifier.checked_sub(4).filter(|packed| *packed >= 0) else {
            return Self::NumericText;
        };
        let precision = (packed >> 16) & 0xffff;
        let scale = ((packed & 0x7ff) ^ 1024) - 1024;
        // A negative scale only widens the integer part; a scale above the precision only says that
        // the first decimals are zero.
        let (precision, scale) = if scale < 0 {
            (precision - scale, 0)
        } else {
            (precision.max(scale), scale)
        };
        match (u8::try_from(precision), i8::try_from(scale)) {
            (Ok(precision @ 1..=38), Ok(scale)) => Self::Decimal {
                precision,
                scale,
                dscale: scale.unsigned_abs().into(),
            },
            _ => Self::NumericText,
        }
    }

    /// The Arrow type of the main column.
    #[must_use]
    pub fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 | Self::Money => DataType::Int64,
            Self::UInt4 => DataType::UInt32,
            Self::UInt8 => DataType::UInt64,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Decimal {
                precision: p @ ..=9,
                scale,
                ..
            } => DataType::Decimal32(p, scale),
            Self::Decimal {
                precision: p @ ..=18,
                scale,
                ..
            } => DataType::Decimal64(p, scale),
            Self::Decimal {
                precision, scale, ..
            } => DataType::Decimal128(precision, scale),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::TimeTz => DataType::Struct(Fields::from(vec![
                Field::new("time", DataType::Time64(TimeUnit::Microsecond), true),
                Field::new("zone_s", DataType::Int32, true),
            ])),
            Self::Interval => DataType::Struct(Fields::from(vec![
                Field::new("months", DataType::Int32, true),
                Field::new("days", DataType::Int32, true),
                Field::new("micros", DataType::Int64, true),
            ])),
            Self::Uuid => DataType::FixedSizeBinary(16),
            Self::MacAddr => DataType::FixedSizeBinary(6),
            Self::MacAddr8 => DataType::FixedSizeBinary(8),
            Self::Bytea | Self::Opaque => DataType::Binary,
            Self::Hstore => hstore_type(),
            Self::NumericText
            | Self::Json
            | Self::Jsonb
            | Self::Text
            | Self::VersionedText
            | Self::Char
            | Self::Inet
            | Self::Cidr
            | Self::Bits => DataType::Utf8,
        }
    }
}

/// The entries of `hstore`.
pub(crate) fn hstore_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ])
}

fn hstore_type() -> DataType {
    let entries = DataType::Struct(hstore_fields());
    DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modifier(precision: i32, scale: i32) -> i32 {
        ((precision << 16) | (scale & 0x7ff)) + 4
    }

    #[test]
    fn numeric_modifiers() {
        let decimal = |precision, scale, dscale| Leaf::Decimal {
            precision,
            scale,
            dscale,
        };
        assert_eq!(Leaf::numeric(-1), Leaf::NumericText);
        assert_eq!(Leaf::numeric(modifier(15, 2)), decimal(15, 2, 2));
        assert_eq!(Leaf::numeric(modifier(38, 38)), decimal(38, 38, 38));
        assert_eq!(Leaf::numeric(modifier(39, 2)), Leaf::NumericText);
        assert_eq!(Leaf::numeric(modifier(3, -2)), decimal(5, 0, 0));
        assert_eq!(Leaf::numeric(modifier(2, 5)), decimal(5, 5, 5));
        assert_eq!(Leaf::numeric(modifier(1000, 1000)), Leaf::NumericText);
    }

    #[test]
    fn decimals_take_the_narrowest_arrow_type() {
        assert_eq!(
            Leaf::numeric(modifier(9, 2)).data_type(),
            DataType::Decimal32(9, 2)
        );
        assert_eq!(
            Leaf::numeric(modifier(18, 2)).data_type(),
            DataType::Decimal64(18, 2)
        );
        assert_eq!(
            Leaf::numeric(modifier(19, 2)).data_type(),
            DataType::Decimal128(19, 2)
        );
    }
}
