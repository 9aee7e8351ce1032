//! `bit` and `varbit`: a bit count and bits, as text of zeros and ones.

use super::{Fit, Malformed};

/// Appends the text form. `Ok(false)` when padding bits are set, which the text could not tell.
pub(crate) fn write_text(bytes: &[u8], out: &mut Vec<u8>) -> Fit {
    let (count, bits) = split(bytes)?;
    if count % 8 != 0 && bits.last().is_some_and(|last| last << (count % 8) != 0) {
        return Ok(false);
    }
    out.reserve(count);
    out.extend((0..count).map(|bit| b'0' + (bits[bit / 8] >> (7 - bit % 8) & 1)));
    Ok(true)
}

fn split(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (count, bits) = bytes.split_first_chunk::<4>().ok_or(Malformed)?;
    let count = usize::try_from(i32::from_be_bytes(*count)).map_err(|_| Malformed)?;
    if bits.len() == count.div_ceil(8) {
        Ok((count, bits))
    } else {
        Err(Malformed)
    }
}

/// Appends the binary form of such a text.
pub(crate) fn write_binary(text: &str, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let count = i32::try_from(text.len()).map_err(|_| Malformed)?;
    out.extend(count.to_be_bytes());
    for chunk in text.as_bytes().chunks(8) {
        let mut byte = 0;
        for (at, digit) in chunk.iter().enumerate() {
            match digit {
                b'0' => {}
                b'1' => byte |= 0x80 >> at,
                _ => return Err(Malformed),
            }
        }
        out.push(byte);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_comes_back(text in "[01]{0,70}") {
            let mut binary = Vec::new();
            write_binary(&text, &mut binary).unwrap();
            let mut back = Vec::new();
            prop_assert_eq!(write_text(&binary, &mut back), Ok(true));
            prop_assert_eq!(back, text.into_bytes());
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut out = Vec::new();
            if write_text(&bytes, &mut out) == Ok(true) {
                let mut back = Vec::new();
                write_binary(std::str::from_utf8(&out).unwrap(), &mut back).unwrap();
                prop_assert_eq!(back, bytes);
            }
        }
    }
}
