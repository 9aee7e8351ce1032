//! `numeric`: base-10000 digits, to a decimal integer or to the server's text, and back.
//!
//! The binary form is digit count, weight of the first digit, sign, display scale, digits, each of 16
//! bits (`numeric.c`, `numeric_send`). The server keeps values canonical: no zero digit at either end,
//! weight 0 for zero. A value that is not canonical has no standard form here, because the way back
//! could not tell.

use super::{Fit, Malformed};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;
/// Display scales are below 2^14 (`NUMERIC_DSCALE_MASK`).
const DSCALE_MAX: u16 = 0x3fff;
const BASE: u16 = 10_000;

const POW10: [u128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// A value's parts.
#[derive(Debug, Clone, Copy)]
struct Numeric<'a> {
    weight: i32,
    sign: u16,
    dscale: u16,
    digits: &'a [u8],
}

impl<'a> Numeric<'a> {
    #[inline]
    fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, digits) = bytes.split_first_chunk::<8>().ok_or(Malformed)?;
        let count = u16::from_be_bytes([header[0], header[1]]);
        if digits.len() != usize::from(count) * 2 {
            return Err(Malformed);
        }
        Ok(Self {
            weight: i16::from_be_bytes([header[2], header[3]]).into(),
            sign: u16::from_be_bytes([header[4], header[5]]),
            dscale: u16::from_be_bytes([header[6], header[7]]),
            digits,
        })
    }

    fn len(&self) -> usize {
        self.digits.len() / 2
    }

    #[inline]
    fn digit(&self, at: usize) -> u16 {
        match self.digits.get(at * 2..at * 2 + 2) {
            Some(pair) => u16::from_be_bytes([pair[0], pair[1]]),
            None => 0,
        }
    }

    /// Whether the finite value is as the server keeps it.
    fn is_canonical(&self) -> bool {
        let finite = self.sign == 0 || self.sign == NEGATIVE;
        if !finite || self.dscale > DSCALE_MAX {
            return false;
        }
        match self.len() {
            0 => self.weight == 0 && self.sign == 0,
            len => {
                self.digit(0) != 0
                    && self.digit(len - 1) != 0
                    && (0..len).all(|at| self.digit(at) < BASE)
            }
        }
    }
}

/// The value times `10^scale`. `Ok(None)`: it does not have exactly the display scale `dscale`, is not
/// canonical, or has more than `precision` digits.
#[inline]
pub(crate) fn to_decimal(
    bytes: &[u8],
    precision: u8,
    scale: i8,
    dscale: u16,
) -> Result<Option<i128>, Malformed> {
    let numeric = Numeric::parse(bytes)?;
    if let Some(value) = small(&numeric, precision, scale, dscale) {
        return Ok(Some(value.into()));
    }
    if numeric.dscale != dscale || !numeric.is_canonical() {
        return Ok(None);
    }
    let len = numeric.len();
    if len == 0 {
        return Ok(Some(0));
    }
    // The power of ten of the last digit, after scaling.
    let exponent = 4 * (numeric.weight - (len as i32 - 1)) + i32::from(scale);
    let magnitude = magnitude(&numeric, len, exponent);
    let limit = POW10[usize::from(precision).min(38)];
    let magnitude = magnitude.filter(|magnitude| *magnitude < limit);
    Ok(magnitude.map(|magnitude| {
        let value = magnitude as i128;
        if numeric.sign == NEGATIVE {
            -value
        } else {
            value
        }
    }))
}

/// Most values: up to four groups whose last digit stands close to the scale, in one pass of 64 bits.
/// `None` says only that the value is none of these.
#[inline]
fn small(numeric: &Numeric<'_>, precision: u8, scale: i8, dscale: u16) -> Option<i64> {
    let (groups, []) = numeric.digits.as_chunks::<2>() else {
        return None;
    };
    let last = groups.last()?;
    let least = SMALL_GROUPS.get(groups.len() - 1)?;
    let (mut value, mut in_base) = (0_u64, true);
    for group in groups {
        let group = u16::from_be_bytes(*group);
        in_base &= group < BASE;
        value = value * u64::from(BASE) + u64::from(group);
    }
    // No zero at either end: the value is as large as its number of groups says.
    if !in_base || value < *least || *last == [0, 0] || numeric.dscale != dscale {
        return None;
    }
    let magnitude = match 4 * (numeric.weight - (groups.len() as i32 - 1)) + i32::from(scale) {
        // 16 digits and three more are still below 2^64.
        exponent @ 0..=3 => value * POW10[exponent as usize] as u64,
        -1 if value.is_multiple_of(10) => value / 10,
        -2 if value.is_multiple_of(100) => value / 100,
        -3 if value.is_multiple_of(1000) => value / 1000,
        _ => return None,
    };
    if magnitude >= POW10[usize::from(precision.min(18))] as u64 {
        return None;
    }
    match numeric.sign {
        0 => Some(magnitude as i64),
        NEGATIVE => Some(-(magnitude as i64)),
        _ => None,
    }
}

/// The least values of one to four groups that do not start with zero.
const SMALL_GROUPS: [u64; 4] = [1, 10_000, 100_000_000, 1_000_000_000_000];

fn magnitude(numeric: &Numeric<'_>, len: usize, exponent: i32) -> Option<u128> {
    let mut value = 0_u128;
    for at in 0..len - 1 {
        value = value
            .checked_mul(BASE.into())?
            .checked_add(numeric.digit(at).into())?;
    }
    let last = u128::from(numeric.digit(len - 1));
    if exponent >= 0 {
        let power = *POW10.get(exponent as usize)?;
        return value
            .checked_mul(BASE.into())?
            .checked_add(last)?
            .checked_mul(power);
    }
    // Part of the last digit lies below the scale; it must be zero, and is, for a value of this scale.
    let dropped = exponent.unsigned_abs() as usize;
    if dropped > 3 || last % POW10[dropped] != 0 {
        return None;
    }
    value
        .checked_mul(POW10[4 - dropped])?
        .checked_add(last / POW10[dropped])
}

/// Appends the binary form of `value / 10^scale`.
#[inline]
pub(crate) fn write_decimal(value: i128, scale: i8, dscale: u16, out: &mut Vec<u8>) {
    let sign = if value < 0 { NEGATIVE } else { 0 };
    let scale = u32::from(scale.unsigned_abs());
    match u64::try_from(value.unsigned_abs()) {
        Ok(magnitude) => write_small(magnitude, sign, scale, dscale, out),
        Err(_) => write_large(value.unsigned_abs(), sign, scale, dscale, out),
    }
}

/// The header, and up to six groups: as many as 64 bits and a last group that is filled up can have.
const SMALL_BYTES: usize = 8 + 2 * 6;

/// Most values: without the division of 128 bits, and in one piece.
#[inline]
fn write_small(magnitude: u64, sign: u16, scale: u32, dscale: u16, out: &mut Vec<u8>) {
    let mut bytes = [0; SMALL_BYTES];
    // Where the first group stands, and where the last one that is not zero ends.
    let (mut first, mut end) = (SMALL_BYTES, 0);
    let mut push = |group: u64| {
        first -= 2;
        if group != 0 && end == 0 {
            end = first + 2;
        }
        bytes[first..first + 2].copy_from_slice(&(group as u16).to_be_bytes());
    };
    // Fill the last group up to four decimals; the first step takes only what stands in it.
    let mut rest = match scale % 4 {
        0 => magnitude,
        1 => {
            push(magnitude % 10 * 1000);
            magnitude / 10
        }
        2 => {
            push(magnitude % 100 * 100);
            magnitude / 100
        }
        _ => {
            push(magnitude % 1000 * 10);
            magnitude / 1000
        }
    };
    while rest != 0 {
        push(rest % u64::from(BASE));
        rest /= u64::from(BASE);
    }
    if magnitude == 0 {
        return write_digits([].into_iter(), 0, 0, 0, dscale, out);
    }
    let groups = (SMALL_BYTES - first) / 2;
    let weight = groups as i32 - 1 - scale.div_ceil(4) as i32;
    let head = [((end - first) / 2) as u16, weight as u16, sign, dscale];
    for (at, word) in head.into_iter().enumerate() {
        bytes[first - 8 + 2 * at..first - 6 + 2 * at].copy_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(&bytes[first - 8..end]);
}

fn write_large(mut rest: u128, sign: u16, scale: u32, dscale: u16, out: &mut Vec<u8>) {
    let mut digits = [0_u16; 12];
    let mut len = 0;
    let partial = scale % 4;
    if partial != 0 {
        let power = POW10[partial as usize];
        digits[0] = (rest % power * POW10[4 - partial as usize]) as u16;
        rest /= power;
        len = 1;
    }
    while rest != 0 {
        digits[len] = (rest % u128::from(BASE)) as u16;
        rest /= u128::from(BASE);
        len += 1;
    }
    let weight = len as i32 - 1 - scale.div_ceil(4) as i32;
    let digits = digits[..len].iter().rev().copied();
    write_digits(digits, len, weight, sign, dscale, out);
}

/// Appends header and digits without the zeros at both ends.
fn write_digits(
    digits: impl DoubleEndedIterator<Item = u16> + Clone,
    len: usize,
    weight: i32,
    sign: u16,
    dscale: u16,
    out: &mut Vec<u8>,
) {
    let leading = digits.clone().take_while(|digit| *digit == 0).count();
    let (count, weight, sign) = if leading == len {
        (0, 0, 0)
    } else {
        let trailing = digits.clone().rev().take_while(|digit| *digit == 0).count();
        (len - leading - trailing, weight - leading as i32, sign)
    };
    out.extend((count as u16).to_be_bytes());
    out.extend((weight as i16).to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(dscale.to_be_bytes());
    for digit in digits.skip(leading).take(count) {
        out.extend(digit.to_be_bytes());
    }
}

/// The length of that text, or a little more.
pub(crate) fn text_len(bytes: &[u8]) -> Result<usize, Malformed> {
    let numeric = Numeric::parse(bytes)?;
    let integer = usize::try_from(4 * (numeric.weight + 1)).unwrap_or(0);
    // A sign and a point, or a word.
    Ok(integer.max(9) + 2 + usize::from(numeric.dscale.min(DSCALE_MAX)))
}

/// Appends the server's text. `Ok(false)`: the value is not canonical.
pub(crate) fn write_text(bytes: &[u8], out: &mut Vec<u8>) -> Fit {
    let numeric = Numeric::parse(bytes)?;
    let word: &[u8] = match numeric.sign {
        NAN => b"NaN",
        INFINITY => b"Infinity",
        NEGATIVE_INFINITY => b"-Infinity",
        _ => b"",
    };
    if !word.is_empty() {
        let plain = numeric.len() == 0
            && numeric.weight == 0
            && numeric.dscale == special_dscale(numeric.sign);
        if plain {
            out.extend(word);
        }
        return Ok(plain);
    }
    let below = 4 * (numeric.len() as i32 - 1 - numeric.weight);
    if !numeric.is_canonical() || below > i32::from(numeric.dscale) + 3 {
        return Ok(false);
    }
    if numeric.sign == NEGATIVE {
        out.push(b'-');
    }
    write_integer_part(&numeric, out);
    if numeric.dscale > 0 {
        out.push(b'.');
        return Ok(write_fraction(&numeric, out));
    }
    Ok(true)
}

/// The display scale that the server sends with a special value: it reuses the bits of the sign word,
/// of which infinities leave the top of the scale (`NUMERIC_DSCALE`).
fn special_dscale(sign: u16) -> u16 {
    match sign {
        INFINITY | NEGATIVE_INFINITY => 0x20,
        _ => 0,
    }
}

fn write_integer_part(numeric: &Numeric<'_>, out: &mut Vec<u8>) {
    if numeric.weight < 0 || numeric.len() == 0 {
        out.push(b'0');
        return;
    }
    let first = numeric.digit(0).to_string();
    out.extend(first.as_bytes());
    for at in 1..=numeric.weight as usize {
        push_group(numeric.digit(at), 4, out);
    }
}

/// Writes `dscale` decimals; `false` when digits that are not zero lie below them.
fn write_fraction(numeric: &Numeric<'_>, out: &mut Vec<u8>) -> bool {
    let mut left = usize::from(numeric.dscale);
    let mut position = -1;
    while left > 0 {
        // Digits before the first one are zero, as are those after the last.
        let digit = usize::try_from(numeric.weight - position).map_or(0, |at| numeric.digit(at));
        let take = left.min(4);
        push_group(digit, take, out);
        left -= take;
        if left == 0 && u32::from(digit) % 10_u32.pow(4 - take as u32) != 0 {
            return false;
        }
        position -= 1;
    }
    // Nothing may follow the last group that was shown.
    numeric.weight - position >= numeric.len() as i32
}

/// The first `take` of a digit's four decimals.
fn push_group(digit: u16, take: usize, out: &mut Vec<u8>) {
    let decimals = [digit / 1000, digit / 100 % 10, digit / 10 % 10, digit % 10];
    out.extend(decimals[..take].iter().map(|decimal| b'0' + *decimal as u8));
}

/// Appends the binary form of such a text.
pub(crate) fn write_binary(text: &str, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let special = match text {
        "NaN" => Some(NAN),
        "Infinity" => Some(INFINITY),
        "-Infinity" => Some(NEGATIVE_INFINITY),
        _ => None,
    };
    if let Some(sign) = special {
        out.extend([0; 4]);
        out.extend(sign.to_be_bytes());
        out.extend(special_dscale(sign).to_be_bytes());
        return Ok(());
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (NEGATIVE, rest),
        None => (0, text),
    };
    let (integer, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if integer.is_empty()
        || !integer
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit())
    {
        return Err(Malformed);
    }
    let dscale = u16::try_from(fraction.len())
        .ok()
        .filter(|d| *d <= DSCALE_MAX)
        .ok_or(Malformed)?;
    let groups = integer.len().div_ceil(4);
    let mut digits = Vec::with_capacity(groups + fraction.len().div_ceil(4));
    digits.extend(
        integer
            .as_bytes()
            .rchunks(4)
            .rev()
            .map(|chunk| group(chunk, chunk.len())),
    );
    digits.extend(fraction.as_bytes().chunks(4).map(|chunk| group(chunk, 4)));
    let weight = i32::try_from(groups).map_err(|_| Malformed)? - 1;
    let len = digits.len();
    write_digits(digits.into_iter(), len, weight, sign, dscale, out);
    Ok(())
}

/// Up to four decimals as one digit, filled with zeros up to `width`.
fn group(decimals: &[u8], width: usize) -> u16 {
    let value = decimals
        .iter()
        .fold(0, |value, decimal| value * 10 + u16::from(decimal - b'0'));
    value * 10_u16.pow((width - decimals.len()) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binary(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write_binary(text, &mut out).unwrap();
        out
    }

    fn text(bytes: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        write_text(bytes, &mut out)
            .unwrap()
            .then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn known_binary_forms() {
        // As `numeric_send` gives them.
        assert_eq!(binary("0"), [0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(binary("1"), [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(
            binary("-12345.678"),
            [0, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 9, 0x29, 0x1a, 0x7c]
        );
        assert_eq!(binary("0.0001"), [0, 1, 0xff, 0xff, 0, 0, 0, 4, 0, 1]);
        assert_eq!(binary("10000"), [0, 1, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(binary("NaN"), [0, 0, 0, 0, 0xC0, 0, 0, 0]);
    }

    #[test]
    fn decimals_of_known_values() {
        let decimal = |value: &str, precision, scale: i8| {
            to_decimal(
                &binary(value),
                precision,
                scale,
                scale.unsigned_abs().into(),
            )
            .unwrap()
        };
        assert_eq!(decimal("123.45", 15, 2), Some(12345));
        assert_eq!(decimal("-0.01", 15, 2), Some(-1));
        assert_eq!(decimal("0.00", 15, 2), Some(0));
        // The last group that is kept stands above, at and below the scale.
        assert_eq!(decimal("17.00", 15, 2), Some(1700));
        assert_eq!(decimal("-20000.00", 15, 2), Some(-2_000_000));
        assert_eq!(decimal("300000000.00", 15, 2), Some(30_000_000_000));
        assert_eq!(
            decimal("9999999999999999", 18, 0),
            Some(10_i128.pow(16) - 1)
        );
        assert_eq!(
            decimal("9999999999999999.000", 19, 3),
            Some(10_i128.pow(19) - 1000)
        );
        assert_eq!(decimal("9999999999999999.000", 18, 3), None);
        assert_eq!(
            decimal("99999999999999999999999999999999999999", 38, 0),
            Some(10_i128.pow(38) - 1)
        );
        assert_eq!(
            decimal("0.00000000000000000000000000000000000001", 38, 38),
            Some(1)
        );
        assert_eq!(
            decimal("9999999999999999999.9999999999999999999", 38, 19),
            Some(10_i128.pow(38) - 1)
        );
        assert_eq!(decimal("NaN", 15, 2), None);
        assert_eq!(decimal("123.456", 15, 2), None);
        assert_eq!(decimal("1000", 3, 0), None);
    }

    fn canonical_text() -> impl Strategy<Value = String> {
        ("-?(0|[1-9][0-9]{0,45})", prop::option::of("[0-9]{1,45}")).prop_map(
            |(integer, fraction)| {
                let text = fraction.map_or_else(|| integer.clone(), |f| format!("{integer}.{f}"));
                let zero = text.bytes().all(|b| b"-0.".contains(&b));
                if zero { text.replace('-', "") } else { text }
            },
        )
    }

    proptest! {
        #[test]
        fn text_comes_back(value in canonical_text()) {
            prop_assert_eq!(text(&binary(&value)), Some(value));
        }

        #[test]
        fn decimals_come_back(value in -(10_i128.pow(38) - 1)..10_i128.pow(38), scale in 0_i8..=38) {
            let dscale = scale.unsigned_abs().into();
            let mut out = Vec::new();
            write_decimal(value, scale, dscale, &mut out);
            prop_assert_eq!(to_decimal(&out, 38, scale, dscale), Ok(Some(value)));
            let digits = text(&out).unwrap().replace('.', "");
            prop_assert_eq!(digits.parse::<i128>().unwrap(), value);
        }

        #[test]
        fn small_decimals_are_written_like_large_ones(
            magnitude in prop_oneof![any::<u64>(), 0_u64..100_000_000],
            negative in any::<bool>(),
            scale in 0_u32..=38,
        ) {
            let sign = if negative { NEGATIVE } else { 0 };
            let (mut small, mut large) = (Vec::new(), Vec::new());
            write_small(magnitude, sign, scale, 2, &mut small);
            write_large(magnitude.into(), sign, scale, 2, &mut large);
            prop_assert_eq!(small, large);
        }

        #[test]
        fn what_has_a_form_comes_back_bit_for_bit(
            weight in -3_i16..4, sign in prop_oneof![Just(0_u16), Just(NEGATIVE), Just(NAN), Just(INFINITY), any::<u16>()],
            dscale in prop_oneof![0_u16..12, Just(0x20), any::<u16>()],
            digits in prop::collection::vec(prop_oneof![Just(0_u16), 0..BASE, any::<u16>()], 0..5),
        ) {
            let mut bytes = (digits.len() as u16).to_be_bytes().to_vec();
            for word in [weight as u16, sign, dscale].iter().chain(&digits) {
                bytes.extend(word.to_be_bytes());
            }
            if let Some(text) = text(&bytes) {
                prop_assert_eq!(binary(&text), bytes.clone());
            }
            let scale = (dscale % 39) as i8;
            if let Some(value) = to_decimal(&bytes, 38, scale, scale.unsigned_abs().into()).unwrap() {
                let mut back = Vec::new();
                write_decimal(value, scale, scale.unsigned_abs().into(), &mut back);
                prop_assert_eq!(back, bytes);
            }
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = write_text(&bytes, &mut Vec::new());
            let _ = to_decimal(&bytes, 38, 4, 4);
        }
    }
}
