//! Programs.

use crate::error::{Error, ErrorKind, Result, storage};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs a program, gives it the document and waits for its end. No words are nothing to do.
pub(super) async fn run(words: &[String], document: &[u8]) -> Result<()> {
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let failed = |source| storage(format!("cannot run \"{program}\""), source);
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        // Standard output is for the result of the run.
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook that does not read its input has not failed for that.
        let _ = stdin.write_all(document).await;
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::CheckFailed,
        format!("\"{program}\" ended with {status}"),
    ))
}
