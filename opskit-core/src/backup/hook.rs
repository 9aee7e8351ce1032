//! Commands of the user's that are told how a run ended.

use crate::error::{Error, ErrorKind, Result, storage};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs a command line of the user's with a document on its standard input, and waits for its end.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// opskit_core::backup::run_hook("grep -q success", b"{\"status\":\"success\"}").await?;
/// assert!(opskit_core::backup::run_hook("exit 3", b"{}").await.is_err());
/// # Ok::<(), opskit_core::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// [`ErrorKind::CheckFailed`] when it ends with another status than 0; `Storage` when it cannot be run.
pub async fn run_hook(command_line: &str, document: &[u8]) -> Result<()> {
    let failed = |source| storage("cannot run the hook", source);
    let mut child = Command::new("/bin/sh")
        .args(["-c", command_line])
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
        format!("the hook ended with {status}"),
    ))
}
