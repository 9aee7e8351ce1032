//! How the command ends: statuses, and errors for people and for programs.

use crate::document::ErrorDocument;
use crate::printer::Printer;
use opskit_core::{Error, ErrorKind};

/// The statuses, as `--help` tells them. A test holds it against [`ErrorKind::ALL`].
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  a check failed, or could not tell
   64  the request is wrong, or cannot be served here
   65  the data is damaged
   66  not found
   69  no connection to the server, or it was lost
   70  a defect of opskit
   74  the destination cannot be written
   75  busy; try again later
   77  permission denied
  124  a time-out
  130  cancelled
  141  the reader of standard output went away";

/// What the shell reports for a program that died of SIGPIPE, which is what a closed pipe means.
const BROKEN_PIPE: u8 = 141;

/// Why a command ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failed(Error),
    /// It did what was asked, and the answer, which was told, is no.
    Refuted,
    /// Nobody reads standard output any more, which is no news to whoever closed it.
    BrokenPipe,
    /// The result on standard output says what is wrong; only the status is left.
    Told(ErrorKind),
    /// The result on standard output says what is wrong, to programs that have statuses of their own.
    Status(u8),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A request that cannot be meant, with the way out.
pub(crate) fn usage_error(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message).with_hint(hint)
}

/// Tells how it ended, and gives the status.
pub(crate) fn report(printer: &Printer, result: Result<(), Stop>) -> u8 {
    let error = match result {
        Ok(()) => return 0,
        Err(Stop::Refuted) => return ErrorKind::CheckFailed.exit_code(),
        Err(Stop::BrokenPipe) => return BROKEN_PIPE,
        Err(Stop::Status(status)) => return status,
        Err(Stop::Told(kind)) => return kind.exit_code(),
        Err(Stop::Failed(error)) => error,
    };
    printer.error(&error);
    if printer.is_json() {
        // The error itself was told on the other stream; a second one changes nothing.
        let _ = printer.json(&ErrorDocument::new(&error));
    }
    error.kind().exit_code()
}

/// What the parser of the command line says: help and version are results, all else is an error.
pub(crate) fn usage(printer: &Printer, error: &clap::Error) -> Result<(), Stop> {
    let text = error.render();
    if error.exit_code() == 0 {
        let styled = text.ansi().to_string();
        let text = printer.plain_or(&text.to_string(), &styled);
        return printer.result(&format!("{}\n", text.trim_end()));
    }
    let error = if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    {
        usage_error("no command is given", SEE_HELP)
    } else {
        rephrased(&redact(&text.to_string()))
    };
    Err(Stop::Failed(error))
}

const SEE_HELP: &str = "For what there is, try --help.";

/// What the parser said, in our form: its first paragraph, and its tip where it has one.
fn rephrased(text: &str) -> Error {
    let mut paragraphs = text
        .split("\n\n")
        .map(|lines| lines.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let tip = paragraphs.find_map(|text| text.strip_prefix("tip: ").map(str::to_owned));
    usage_error(message, tip.unwrap_or_else(|| SEE_HELP.to_owned()))
}

/// Blanks out what stands between `://` and `@`: a misplaced URL is quoted by the parser.
fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let word_end = after
            .find(|c: char| c.is_whitespace() || c == '\'')
            .unwrap_or(after.len());
        rest = match after[..word_end].rfind('@') {
            Some(at) => {
                out.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    without_passwords(&(out + rest))
}

/// Blanks out what follows `password=`, with or without blanks around the sign.
fn without_passwords(text: &str) -> String {
    const KEY: &str = "password";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find(KEY) {
        let (before, after) = rest.split_at(at + KEY.len());
        out.push_str(before);
        rest = after;
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        if let Some(value) = value {
            out.push_str("=***");
            let end = value.find(char::is_whitespace).unwrap_or(value.len());
            rest = &value[end..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_line() {
        for kind in ErrorKind::ALL {
            let code = format!("{:>5}  ", kind.exit_code());
            assert!(EXIT_CODES.contains(&code), "{kind} ({code})");
        }
    }

    #[test]
    fn words_of_the_parser_become_ours() {
        let check = |args: &[&str]| {
            let parsed = crate::command_line().try_get_matches_from(args);
            let error = rephrased(&parsed.unwrap_err().render().to_string());
            (error.to_string(), error.hint().unwrap().to_owned())
        };
        let (message, hint) = check(&["opskit", "export"]);
        assert!(
            message.ends_with("were not provided: <TABLE|PATTERN>..."),
            "{message}"
        );
        assert_eq!(hint, SEE_HELP);
        let (message, hint) = check(&["opskit", "export", "t", "--jsno"]);
        assert_eq!(message, "unexpected argument '--jsno' found");
        assert!(hint.contains("'--json'"), "{hint}");
    }

    #[test]
    fn credentials_are_blanked_out() {
        let text = "unexpected argument 'postgres://ann:hun@ter2@h/db' found, see https://x.org";
        assert_eq!(
            redact(text),
            "unexpected argument 'postgres://***@h/db' found, see https://x.org"
        );
        assert_eq!(
            redact("unknown 'host=h Password = pw x=1', password"),
            "unknown 'host=h Password=*** x=1', password"
        );
    }
}
