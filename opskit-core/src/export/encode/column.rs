//! One encoder per column: an Arrow array in, bytes of fields out.

use super::nested::{ListEncoder, MapEncoder, MultirangeEncoder, RangeEncoder, StructEncoder};
use crate::export::value::time::{date_from_arrow, timestamp_from_arrow};
use crate::export::value::{Malformed, address, bits, numeric};
use crate::pgtype::{Form, Leaf, Node};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray,
    StringArray, StructArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Float32Type,
    Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
    UInt32Type, UInt64Type,
};

pub(super) type Written = Result<(), Malformed>;

/// Writes the fields of one column, or of one place inside its values.
pub(super) trait ColumnEncoder {
    /// Appends the length and the bytes of a value, or the length that says NULL.
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written;
}

/// Appends a length for what `write` appends after it.
pub(super) fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Written) -> Written {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let len = i32::try_from(out.len() - at - 4).map_err(|_| Malformed)?;
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// The encoder for an array of values of type `node`; `None` when the array is of another type.
pub(super) fn encoder(node: &Node, array: &ArrayRef) -> Option<Box<dyn ColumnEncoder>> {
    match &node.form {
        Form::Leaf(leaf) => leaf_encoder(*leaf, array),
        Form::List(element) => Some(Box::new(ListEncoder::new(element, array)?)),
        Form::Struct(fields) => Some(Box::new(StructEncoder::new(fields, array)?)),
        Form::Range(bound) => Some(Box::new(RangeEncoder::new(bound, array)?)),
        Form::Multirange(bound) => Some(Box::new(MultirangeEncoder::new(bound, array)?)),
    }
}

fn leaf_encoder(leaf: Leaf, array: &ArrayRef) -> Option<Box<dyn ColumnEncoder>> {
    Some(match leaf {
        Leaf::Bool => Box::new(BoolEncoder(array.as_boolean_opt()?.clone())),
        Leaf::Int2 => primitive::<Int16Type, 2>(array, |v| v.to_be_bytes())?,
        Leaf::Int4 => primitive::<Int32Type, 4>(array, |v| v.to_be_bytes())?,
        Leaf::Int8 | Leaf::Money => primitive::<Int64Type, 8>(array, |v| v.to_be_bytes())?,
        Leaf::UInt4 => primitive::<UInt32Type, 4>(array, |v| v.to_be_bytes())?,
        Leaf::UInt8 => primitive::<UInt64Type, 8>(array, |v| v.to_be_bytes())?,
        Leaf::Float4 => primitive::<Float32Type, 4>(array, |v| v.to_bits().to_be_bytes())?,
        Leaf::Float8 => primitive::<Float64Type, 8>(array, |v| v.to_bits().to_be_bytes())?,
        Leaf::Timestamp | Leaf::TimestampTz => {
            primitive::<TimestampMicrosecondType, 8>(array, |v| {
                timestamp_from_arrow(v).to_be_bytes()
            })?
        }
        Leaf::Date => primitive::<Date32Type, 4>(array, |v| date_from_arrow(v).to_be_bytes())?,
        Leaf::Time => primitive::<Time64MicrosecondType, 8>(array, |v| v.to_be_bytes())?,
        Leaf::Decimal {
            precision,
            scale,
            dscale,
        } => decimal(array, precision, scale, dscale)?,
        Leaf::TimeTz => time_tz(array)?,
        Leaf::Interval => interval(array)?,
        Leaf::Uuid | Leaf::MacAddr | Leaf::MacAddr8 => {
            Box::new(FixedBytesEncoder(array.as_fixed_size_binary_opt()?.clone()))
        }
        Leaf::Bytea | Leaf::Opaque => Box::new(BytesEncoder(array.as_binary_opt::<i32>()?.clone())),
        Leaf::Hstore => Box::new(MapEncoder::new(array)?),
        text => Box::new(TextEncoder {
            array: array.as_string_opt::<i32>()?.clone(),
            write: text_writer(text)?,
        }),
    })
}

fn time_tz(array: &ArrayRef) -> Option<Box<dyn ColumnEncoder>> {
    let array = array.as_struct_opt()?.clone();
    let time = array
        .column(0)
        .as_primitive_opt::<Time64MicrosecondType>()?
        .clone();
    let zone = array.column(1).as_primitive_opt::<Int32Type>()?.clone();
    Some(fields(array, move |row, out| {
        out.extend_from_slice(&time.value(row).to_be_bytes());
        out.extend_from_slice(&zone.value(row).to_be_bytes());
    }))
}

fn interval(array: &ArrayRef) -> Option<Box<dyn ColumnEncoder>> {
    let array = array.as_struct_opt()?.clone();
    let months = array.column(0).as_primitive_opt::<Int32Type>()?.clone();
    let days = array.column(1).as_primitive_opt::<Int32Type>()?.clone();
    let micros = array.column(2).as_primitive_opt::<Int64Type>()?.clone();
    Some(fields(array, move |row, out| {
        out.extend_from_slice(&micros.value(row).to_be_bytes());
        out.extend_from_slice(&days.value(row).to_be_bytes());
        out.extend_from_slice(&months.value(row).to_be_bytes());
    }))
}

/// How a leaf that is text in Arrow becomes bytes.
fn text_writer(leaf: Leaf) -> Option<fn(&str, &mut Vec<u8>) -> Written> {
    Some(match leaf {
        Leaf::Text | Leaf::Json => |text, out| {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        },
        Leaf::Jsonb | Leaf::VersionedText => |text, out| {
            out.push(1);
            out.extend_from_slice(text.as_bytes());
            Ok(())
        },
        Leaf::Char => |text, out| match text.as_bytes() {
            [] => {
                out.push(0);
                Ok(())
            }
            [byte] => {
                out.push(*byte);
                Ok(())
            }
            _ => Err(Malformed),
        },
        Leaf::NumericText => numeric::write_binary,
        Leaf::Inet => |text, out| address::write_binary(text, address::Kind::Inet, out),
        Leaf::Cidr => |text, out| address::write_binary(text, address::Kind::Cidr, out),
        Leaf::Bits => bits::write_binary,
        _ => return None,
    })
}

struct PrimitiveEncoder<T: ArrowPrimitiveType, const N: usize> {
    array: PrimitiveArray<T>,
    bytes: fn(T::Native) -> [u8; N],
}

fn primitive<T: ArrowPrimitiveType, const N: usize>(
    array: &ArrayRef,
    bytes: fn(T::Native) -> [u8; N],
) -> Option<Box<dyn ColumnEncoder>> {
    let array = array.as_primitive_opt::<T>()?.clone();
    Some(Box::new(PrimitiveEncoder { array, bytes }))
}

impl<T: ArrowPrimitiveType, const N: usize> ColumnEncoder for PrimitiveEncoder<T, N> {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
        } else {
            out.extend_from_slice(&(N as i32).to_be_bytes());
            out.extend_from_slice(&(self.bytes)(self.array.value(row)));
        }
        Ok(())
    }
}

struct DecimalEncoder<T: ArrowPrimitiveType> {
    array: PrimitiveArray<T>,
    scale: i8,
    dscale: u16,
}

fn decimal(
    array: &ArrayRef,
    precision: u8,
    scale: i8,
    dscale: u16,
) -> Option<Box<dyn ColumnEncoder>> {
    match precision {
        ..=9 => decimal_of::<Decimal32Type>(array, scale, dscale),
        10..=18 => decimal_of::<Decimal64Type>(array, scale, dscale),
        _ => decimal_of::<Decimal128Type>(array, scale, dscale),
    }
}

fn decimal_of<T>(array: &ArrayRef, scale: i8, dscale: u16) -> Option<Box<dyn ColumnEncoder>>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128>,
{
    let array = array.as_primitive_opt::<T>()?.clone();
    Some(Box::new(DecimalEncoder {
        array,
        scale,
        dscale,
    }))
}

impl<T> ColumnEncoder for DecimalEncoder<T>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i128>,
{
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        sized(out, |out| {
            numeric::write_decimal(self.array.value(row).into(), self.scale, self.dscale, out);
            Ok(())
        })
    }
}

struct BoolEncoder(BooleanArray);

impl ColumnEncoder for BoolEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.0.is_null(row) {
            null(out);
        } else {
            out.extend_from_slice(&[0, 0, 0, 1, u8::from(self.0.value(row))]);
        }
        Ok(())
    }
}

struct TextEncoder {
    array: StringArray,
    write: fn(&str, &mut Vec<u8>) -> Written,
}

impl ColumnEncoder for TextEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        sized(out, |out| (self.write)(self.array.value(row), out))
    }
}

pub(super) fn write_bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) -> Written {
    let Some(bytes) = bytes else {
        null(out);
        return Ok(());
    };
    let len = i32::try_from(bytes.len()).map_err(|_| Malformed)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

struct BytesEncoder(BinaryArray);

impl ColumnEncoder for BytesEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        write_bytes(self.0.is_valid(row).then(|| self.0.value(row)), out)
    }
}

struct FixedBytesEncoder(FixedSizeBinaryArray);

impl ColumnEncoder for FixedBytesEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        write_bytes(self.0.is_valid(row).then(|| self.0.value(row)), out)
    }
}

/// A struct of integers that stand side by side in the value.
struct FieldsEncoder<W> {
    array: StructArray,
    write: W,
}

fn fields(
    array: StructArray,
    write: impl Fn(usize, &mut Vec<u8>) + 'static,
) -> Box<dyn ColumnEncoder> {
    Box::new(FieldsEncoder { array, write })
}

impl<W: Fn(usize, &mut Vec<u8>)> ColumnEncoder for FieldsEncoder<W> {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        sized(out, |out| {
            (self.write)(row, out);
            Ok(())
        })
    }
}
