//! Making the cluster: `initdb`, and what to do when the wanted locale is not here.

use super::directory::ScratchDir;
use super::env::ScratchEnv;
use super::locate::ServerBinaries;
use super::server::Substitution;
use super::user::ServerUser;
use crate::error::{Error, ErrorKind, Result, storage};
use std::process::Output;

/// The superuser of a scratch server, unless it is named.
pub(super) const SUPERUSER: &str = "postgres";

/// Locales to use instead of one that is missing; the last exists everywhere, with any encoding.
const INSTEAD: [&str; 3] = ["C.UTF-8", "en_US.UTF-8", "C"];

/// What the cluster is made of, and with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster<'a> {
    pub(super) dir: &'a ScratchDir,
    pub(super) binaries: &'a ServerBinaries,
    pub(super) user: &'a ServerUser,
    pub(super) env: &'a ScratchEnv,
    pub(super) encoding: &'a str,
    pub(super) locale: &'a str,
    pub(super) superuser: &'a str,
    pub(super) options: &'a [String],
}

impl Cluster<'_> {
    /// Runs `initdb`; tells which locale it took instead of the wanted one, if it had to.
    pub(super) async fn init(&self) -> Result<Option<Substitution>> {
        let output = self.run(self.locale).await?;
        if output.status.success() {
            return Ok(None);
        }
        if !is_unknown_locale(&output) {
            return Err(self.failure(&output));
        }
        let mut last = output;
        for locale in INSTEAD.into_iter().filter(|locale| *locale != self.locale) {
            last = self.run(locale).await?;
            if last.status.success() {
                return Ok(Some(Substitution {
                    setting: "locale".to_owned(),
                    wanted: self.locale.to_owned(),
                    used: locale.to_owned(),
                }));
            }
            if !is_unknown_locale(&last) && !says(&last, "encoding mismatch") {
                break;
            }
        }
        Err(self.failure(&last))
    }

    async fn run(&self, locale: &str) -> Result<Output> {
        let program = self.binaries.dir().join("initdb");
        let mut command = self.user.command(&program, self.env);
        command
            .current_dir(self.dir.data())
            .arg("-D")
            .arg(self.dir.data());
        command.args(["--auth=trust", "--no-sync", "-U", self.superuser]);
        command
            .arg(format!("--encoding={}", self.encoding))
            .arg(format!("--locale={locale}"))
            .args(self.options);
        tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|e| storage(format!("cannot run \"{}\"", program.display()), e))
    }

    fn failure(&self, output: &Output) -> Error {
        let text = String::from_utf8_lossy(&output.stderr);
        failure(
            &format!(
                "cannot make a cluster for the scratch server ({})",
                output.status
            ),
            &text,
        )
    }
}

/// An error whose kind and hint follow from what a server program said.
pub(super) fn failure(what: &str, said: &str) -> Error {
    const CLASSES: [(&str, ErrorKind, &str); 7] = [
        (
            "No space left on device",
            ErrorKind::Storage,
            "Free some space, or set TMPDIR to a directory on a larger disk.",
        ),
        (
            "Permission denied",
            ErrorKind::PermissionDenied,
            "The server's user must be able to reach the directory and the server binaries.",
        ),
        (
            "unrecognized configuration parameter",
            ErrorKind::InvalidInput,
            "Check the options of the scratch server against this Postgres version.",
        ),
        (
            "configuration file",
            ErrorKind::InvalidInput,
            "Check the options of the scratch server and their values.",
        ),
        (
            "encoding mismatch",
            ErrorKind::InvalidInput,
            "Choose a locale that goes with the encoding; C goes with all of them.",
        ),
        (
            "is not a valid server encoding name",
            ErrorKind::InvalidInput,
            "Choose one of the encodings of the Postgres manual, such as UTF8.",
        ),
        (
            "could not create shared memory segment",
            ErrorKind::Unsupported,
            "Lower shared_buffers, or give this machine more shared memory.",
        ),
    ];
    let class = CLASSES.iter().find(|(words, ..)| said.contains(words));
    let (kind, hint) = class.map_or((ErrorKind::Unsupported, None), |(_, kind, hint)| {
        (*kind, Some(*hint))
    });
    let error = Error::new(kind, what).with_source(last_lines(said));
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The end of `text`, where the reason stands.
fn last_lines(text: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    match lines.split_at(lines.len().saturating_sub(LINES)).1 {
        [] => "the server said nothing".to_owned(),
        end => end.join("\n"),
    }
}

fn is_unknown_locale(output: &Output) -> bool {
    says(output, "invalid locale name") || says(output, "invalid locale settings")
}

fn says(output: &Output, words: &str) -> bool {
    String::from_utf8_lossy(&output.stderr).contains(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn failures_are_classified_and_end_with_the_reason() {
        let said = format!(
            "{}FATAL:  unrecognized configuration parameter \"x\"\n",
            "noise\n".repeat(50)
        );
        let error = failure("cannot start", &said);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let reason = error.source().unwrap().to_string();
        assert!(reason.ends_with("parameter \"x\"") && reason.lines().count() == 12);
        assert_eq!(
            failure("cannot start", "").chain()[1],
            "the server said nothing"
        );
    }
}
