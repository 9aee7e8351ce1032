//! Owns a scratch server for others: `keep PID URL_FILE TURN_FILE` for the test run that ends with
//! process PID, `hold DIRECTORY` until it is killed or its input ends.

use opskit_core::context::OpContext;
use opskit_core::scratch::ScratchServer;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime
        .map_err(|e| e.to_string())
        .and_then(|runtime| runtime.block_on(run(&args)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(stdout(), "{e}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &[&str]) -> Result<(), String> {
    match args {
        ["keep", watch, url, turn] => {
            let watch = watch.parse().map_err(|e| format!("bad process id: {e}"))?;
            let kept =
                opskit_tests::keeper::keep(watch, Path::new(url), Path::new(turn), close_stdout);
            kept.await.map_err(|e| e.to_string())
        }
        ["hold", base] => {
            let builder = ScratchServer::builder()
                .base_dir(*base)
                .option("max_connections", "200");
            let server = builder
                .start(&OpContext::default())
                .await
                .map_err(|e| e.chain().join(": "))?;
            writeln!(stdout(), "{}", server.url("postgres")).map_err(|e| e.to_string())?;
            // Whoever wants to see it killed holds the other end, and may die first.
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
                .map_err(|e| e.to_string())?;
            server.stop().await.map_err(|e| e.to_string())
        }
        _ => {
            Err("usage: opskit-test-server keep PID URL_FILE TURN_FILE | hold DIRECTORY".to_owned())
        }
    }
}

/// Tells the process that waits for our words that there will be none.
fn close_stdout() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
