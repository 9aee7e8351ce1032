//! `opskit pin`.

use crate::App;
use crate::args::PinArgs;
use crate::exit::{Stop, usage_error};
use opskit_core::Error;
use opskit_core::config::parse_duration;
use opskit_core::repository::{Pin, PinRequest};
use serde::Serialize;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime, Time};

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct PinDocument {
    schema: &'static str,
    id: String,
    /// The pin; none where it was taken away.
    pin: Option<Pin>,
}

pub(crate) fn run(args: &PinArgs, app: &App) -> Result<(), Stop> {
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let now = OffsetDateTime::now_utc();
    let by = user(app);
    let (id, pin) = if args.remove {
        // The backup may be gone that it was of.
        let id = match args.id.parse() {
            Ok(id) => id,
            Err(_) => repository.find_of(&args.id, &args.of.among())?,
        };
        repository.unpin(&id, &by, now)?;
        (id, None)
    } else {
        let mut request = PinRequest::by(by);
        request.reason = args.reason.clone();
        request.until = args
            .until
            .as_deref()
            .map(|text| until(text, now))
            .transpose()?;
        let id = repository.find_of(&args.id, &args.of.among())?;
        let pin = repository.pin(&id, &request, now)?;
        (id, Some(pin))
    };
    if app.printer.is_json() {
        return app.printer.json(&PinDocument {
            schema: "opskit.pin/1",
            id: id.to_string(),
            pin,
        });
    }
    let text = match pin {
        None => format!("{id} is not pinned any more\n"),
        Some(Pin { until: None, .. }) => format!("{id} is pinned\n"),
        Some(Pin {
            until: Some(until), ..
        }) => format!("{id} is pinned until {until}\n"),
    };
    app.printer.good_news(&text)
}

/// Who is at work, as far as the environment tells.
fn user(app: &App) -> String {
    let names = ["SUDO_USER", "USER", "LOGNAME"];
    let name = names.iter().find_map(|name| app.env.var(name));
    name.unwrap_or("unknown").to_owned()
}

/// `2027-01-01`.
const DAY_BYTES: usize = 10;

/// A day, a time, or how long from now on.
fn until(text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, Error> {
    let instant = || OffsetDateTime::parse(text, &Rfc3339).ok();
    let day = || {
        let day = Date::parse(text, &Iso8601::DATE)
            .ok()
            .filter(|_| text.len() == DAY_BYTES)?;
        Some(day.with_time(Time::MIDNIGHT).assume_utc())
    };
    let span = || now.checked_add(parse_duration(text).ok()?.try_into().ok()?);
    instant().or_else(day).or_else(span).ok_or_else(|| {
        usage_error(
            "--until tells no time",
            "Write a day (2027-01-01), a time (2027-01-01T12:00:00Z), or how long (90d).",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn an_end_is_a_day_a_time_or_a_span() {
        let now = datetime!(2026-11-21 12:00 UTC);
        let end = |text| until(text, now).unwrap();
        assert_eq!(end("2027-01-01"), datetime!(2027-01-01 00:00 UTC));
        assert_eq!(
            end("2027-01-01T12:00:00+01:00"),
            datetime!(2027-01-01 11:00 UTC)
        );
        assert_eq!(end("2d"), datetime!(2026-11-23 12:00 UTC));
        for bad in [
            "",
            "tomorrow",
            "2027-01-01T12:00",
            "2027-13-01",
            "9999999999d",
            "0d",
        ] {
            assert!(until(bad, now).is_err(), "{bad}");
        }
    }
}
