//! Instants as they stand in names and in documents.

use crate::error::{Error, ErrorKind, Result};
use crate::name::start_of;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Month, OffsetDateTime, Time};

/// A time as names carry it: `20261121T013000Z`.
pub(super) fn stamp(at: OffsetDateTime) -> Result<String> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = at.to_offset(time::UtcOffset::UTC);
    at.format(format).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the time").with_source(source)
    })
}

/// The time that a text tells that starts with a [`stamp`]; none where there is no such time.
pub(super) fn parse_stamp(text: &str) -> Option<OffsetDateTime> {
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<u16>().ok();
    let month = Month::try_from(u8::try_from(digits(4, 6)?).ok()?).ok()?;
    let small = |from: usize| u8::try_from(digits(from, from + 2)?).ok();
    let date = Date::from_calendar_date(i32::from(digits(0, 4)?), month, small(6)?).ok()?;
    let time = Time::from_hms(small(9)?, small(11)?, small(13)?).ok()?;
    Some(date.with_time(time).assume_utc())
}

/// Whether a text has the form of a [`stamp`].
pub(super) fn is_stamp(text: &str) -> bool {
    let mut bytes = text.bytes().enumerate();
    text.len() == 16
        && bytes.all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// An instant as documents carry it, in RFC 3339.
pub(crate) fn rfc3339(at: OffsetDateTime) -> Result<String> {
    at.format(&Rfc3339).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the time").with_source(source)
    })
}

/// The instant that a document tells.
pub(crate) fn parse_rfc3339(text: &str) -> Result<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|source| {
        let text = start_of(text, 40);
        Error::new(ErrorKind::Damaged, format!("{text:?} is no time")).with_source(source)
    })
}
