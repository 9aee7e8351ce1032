//! Programs of the user's that are told how a run ended.

use crate::error::{Error, ErrorKind, Result, storage};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs a program of the user's, with its arguments, never through a shell; `document` is its standard
/// input. Waits for its end. No command is nothing to do.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let hook = |words: &[&str]| -> Vec<String> { words.iter().map(|word| word.to_string()).collect() };
/// let document = b"{\"status\":\"success\"}";
/// opskit_core::backup::run_hook(&hook(&["grep", "-q", "success"]), document).await?;
/// assert!(opskit_core::backup::run_hook(&hook(&["false"]), document).await.is_err());
/// # Ok::<(), opskit_core::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// [`ErrorKind::CheckFailed`] when it ends with another status than 0; `Storage` or `PermissionDenied`
/// when it cannot be run.
pub async fn run_hook(command: &[String], document: &[u8]) -> Result<()> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let failed = |source| storage(format!("cannot run the hook \"{program}\""), source);
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
        format!("the hook \"{program}\" ended with {status}"),
    ))
}
