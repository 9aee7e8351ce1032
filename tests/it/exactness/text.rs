//! An Arrow value as the server would write it: written here from the Arrow and Postgres
//! documentation, not from the library.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt32Type,
    UInt64Type,
};

/// The text of a value that is not NULL; `None` for types that have no simple one.
pub(super) fn text(sql_type: &str, array: &ArrayRef, row: usize) -> Option<String> {
    let base = sql_type.split('(').next().unwrap_or_default();
    Some(match (array.data_type(), base) {
        (DataType::Boolean, _) => if array.as_boolean().value(row) {
            "t"
        } else {
            "f"
        }
        .to_owned(),
        (DataType::Int16, _) => array.as_primitive::<Int16Type>().value(row).to_string(),
        (DataType::Int32, _) => array.as_primitive::<Int32Type>().value(row).to_string(),
        (DataType::Int64, "money") => return None,
        (DataType::Int64, _) => array.as_primitive::<Int64Type>().value(row).to_string(),
        (DataType::UInt32, _) => array.as_primitive::<UInt32Type>().value(row).to_string(),
        (DataType::UInt64, "pg_lsn") => {
            let lsn = array.as_primitive::<UInt64Type>().value(row);
            format!("{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff)
        }
        (DataType::UInt64, _) => array.as_primitive::<UInt64Type>().value(row).to_string(),
        (DataType::Float32, _) => float(array.as_primitive::<Float32Type>().value(row)),
        (DataType::Float64, _) => float(array.as_primitive::<Float64Type>().value(row)),
        (DataType::Decimal32(_, scale), _) => decimal(
            array.as_primitive::<Decimal32Type>().value(row).into(),
            *scale,
        ),
        (DataType::Decimal64(_, scale), _) => decimal(
            array.as_primitive::<Decimal64Type>().value(row).into(),
            *scale,
        ),
        (DataType::Decimal128(_, scale), _) => {
            decimal(array.as_primitive::<Decimal128Type>().value(row), *scale)
        }
        (DataType::Date32, _) => date(array.as_primitive::<Date32Type>().value(row)),
        (DataType::Timestamp(_, zone), _) => timestamp(
            array.as_primitive::<TimestampMicrosecondType>().value(row),
            if zone.is_some() { "+00" } else { "" },
        ),
        (DataType::Time64(_), _) => time(array.as_primitive::<Time64MicrosecondType>().value(row)),
        // Text of "char" depends on the version, and that of xml loses what the cast to text keeps.
        (DataType::Utf8, "\"char\"" | "xml") => return None,
        (DataType::Utf8, _) => array.as_string::<i32>().value(row).to_owned(),
        (DataType::Binary, "bytea") => format!("\\x{}", hex(array.as_binary::<i32>().value(row))),
        (DataType::FixedSizeBinary(16), _) => uuid(array.as_fixed_size_binary().value(row)),
        (DataType::FixedSizeBinary(_), _) => {
            let bytes = array.as_fixed_size_binary().value(row);
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .join(":")
        }
        _ => return None,
    })
}

/// Floats have many spellings; the shortest digits are the same everywhere.
pub(super) fn float<F: std::fmt::LowerExp + Into<f64> + Copy>(value: F) -> String {
    let wide: f64 = value.into();
    match wide {
        _ if wide.is_nan() => "NaN".to_owned(),
        _ if wide.is_infinite() => if wide > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        _ => format!("{value:e}"),
    }
}

fn decimal(value: i128, scale: i8) -> String {
    let scale = usize::try_from(scale).unwrap();
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(bytes: &[u8]) -> String {
    let digits = hex(bytes);
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

/// Year, month, day of a day since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

fn ymd(days: i64) -> (String, &'static str) {
    let (year, month, day) = civil(days);
    let (year, era) = if year <= 0 {
        (1 - year, " BC")
    } else {
        (year, "")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        // DuckDB reads -i32::MAX so; i32::MIN would not do.
        n if n == -i32::MAX => "-infinity".to_owned(),
        _ => {
            let (date, era) = ymd(days.into());
            date + era
        }
    }
}

fn time(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let clock = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    match micros % 1_000_000 {
        0 => clock,
        micros => format!("{clock}.{}", format!("{micros:06}").trim_end_matches('0')),
    }
}

fn timestamp(micros: i64, zone: &str) -> String {
    const DAY: i64 = 86_400_000_000;
    match micros {
        i64::MAX => "infinity".to_owned(),
        n if n == -i64::MAX => "-infinity".to_owned(),
        _ => {
            let (date, era) = ymd(micros.div_euclid(DAY));
            format!("{date} {}{zone}{era}", time(micros.rem_euclid(DAY)))
        }
    }
}
