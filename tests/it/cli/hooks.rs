//! Programs and URLs that are told how a backup ended.

use super::{Call, Ended, sample};
use opskit_core::ErrorKind;
use opskit_core::context::OpContext;
use opskit_core::hook::{Hook, HookUrl, Hooks};
use opskit_core::repository::{Repository, RunStatus};
use opskit_tests::tls::{free_port, make_certificates};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const SECRET: &str = "T0-s3cret";

/// What one connection is answered.
#[derive(Clone, Copy)]
enum Answer {
    Status(u16),
    /// Nothing, for as long as the test runs.
    Silence,
}

/// A web server that answers one connection after the other, and gives what it was sent: the head and the
/// document.
fn receiver(answers: &[Answer]) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, received) = channel();
    let answers = answers.to_vec();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().unwrap();
            let request = read_request(&mut socket);
            match answer {
                Answer::Status(code) => {
                    // Somebody else's host; following it would be told by the answers that are left.
                    let head = format!(
                        "HTTP/1.1 {code} Word\r\nLocation: http://127.0.0.1:{port}/elsewhere\r\nContent-Length: 0\r\n\r\n"
                    );
                    socket.write_all(head.as_bytes()).unwrap();
                }
                Answer::Silence => silent.push(socket),
            }
            if sender.send(request).is_err() {
                return;
            }
        }
        // What is silent stays so until the process ends.
        std::thread::park();
        drop(silent);
    });
    (
        format!("http://127.0.0.1:{port}/services/{SECRET}?key={SECRET}"),
        received,
    )
}

/// The head of a request, and its document.
fn read_request(stream: impl Read) -> (String, Value) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line.to_ascii_lowercase());
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

fn key(head: &str) -> String {
    let mut lines = head.lines();
    let key = lines.find_map(|line| line.strip_prefix("idempotency-key: "));
    key.unwrap().trim().to_owned()
}

async fn call(url: &str) -> Result<(), opskit_core::Error> {
    Hook::Web(HookUrl::parse(url).unwrap())
        .call(b"{\"n\":1}")
        .await
}

#[tokio::test]
async fn a_document_is_posted_as_json() {
    let (url, received) = receiver(&[Answer::Status(204)]);
    call(&url).await.unwrap();
    let (head, document) = received.recv().unwrap();
    let path = SECRET.to_ascii_lowercase();
    assert!(
        head.starts_with(&format!("post /services/{path}?key={path} http/1.1")),
        "{head}"
    );
    for line in [
        "content-type: application/json",
        "user-agent: opskit/",
        "idempotency-key: ",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert_eq!(document["n"], 1);
}

#[tokio::test]
async fn errors_of_the_server_are_tried_again_and_others_are_not() {
    let (url, received) = receiver(&[
        Answer::Status(500),
        Answer::Status(429),
        Answer::Status(200),
    ]);
    call(&url).await.unwrap();
    let keys = received.iter().take(3).map(|(head, _)| key(&head));
    let keys: Vec<String> = keys.collect();
    // One that was answered too late, or not at all, may have arrived: the receiver can tell.
    assert!(
        keys.len() == 3 && keys.iter().all(|key| *key == keys[0]),
        "{keys:?}"
    );
    let (url, received) = receiver(&[Answer::Status(200)]);
    call(&url).await.unwrap();
    assert_ne!(key(&received.recv().unwrap().0), keys[0]);
    for (status, kind) in [(404, ErrorKind::CheckFailed), (302, ErrorKind::CheckFailed)] {
        let (url, received) = receiver(&[Answer::Status(status), Answer::Status(200)]);
        let error = call(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        // The answer may be there before the receiver has told of the request.
        received.recv().unwrap();
        assert!(
            received.try_recv().is_err(),
            "{status} is final, and leads nowhere"
        );
    }
}

#[tokio::test]
async fn a_dead_host_is_given_up_without_its_secrets() {
    let start = Instant::now();
    let url = format!(
        "http://ann:{SECRET}@127.0.0.1:{}/{SECRET}?{SECRET}",
        free_port()
    );
    let error = call(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let told = format!("{error:?} {}", error.chain().join(": "));
    assert!(
        told.contains("127.0.0.1") && !told.contains(SECRET),
        "{told}"
    );
    assert!(told.contains("refused"), "{told}");
    // It was tried again, with pauses.
    assert!(
        start.elapsed() > Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up() {
    let (url, _received) = receiver(&[Answer::Silence]);
    let mut hooks = Hooks::default();
    hooks.on_failure = Some(Hook::Web(HookUrl::parse(&url).unwrap()));
    hooks.timeout = Duration::from_millis(300);
    let error = hooks
        .failed(&OpContext::default(), b"{}")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.chain().join(": ").contains(SECRET));
}

/// A project whose backups go to `backups`, with these hooks.
fn project(hooks: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let text = format!(
        "default_target = \"shop\"\n[target.shop]\nclass = \"staging\"\nurl_env = \"SHOP_URL\"\n[hooks]\n{hooks}\n"
    );
    std::fs::write(place.path().join("opskit.toml"), text).unwrap();
    place
}

fn backup(place: &Path, url: &str, more: &[&str]) -> Call {
    let args = ["backup"].iter().chain(more);
    Call::new(args).within(place).env("SHOP_URL", url)
}

#[track_caller]
fn keeps_secrets(ended: Ended) -> Ended {
    let all = format!("{}{}", ended.out(), ended.err());
    assert!(!all.contains(SECRET), "{all}");
    ended
}

#[tokio::test]
async fn a_success_and_a_failure_are_told_to_urls() {
    let db = sample().await;
    let (good, succeeded) = receiver(&[Answer::Status(200)]);
    let (bad, failed) = receiver(&[Answer::Status(200)]);
    let place = project(&format!(
        "on_success = \"{good}\"\non_failure = {{ url_env = \"ALERT_URL\" }}"
    ));
    let report = keeps_secrets(backup(place.path(), &db.url(), &["--json"]).run())
        .code(0)
        .json();
    // The variable for failures is not set, which is nobody's business yet.
    assert_eq!(report["warnings"], serde_json::json!([]));
    let (_, document) = succeeded.recv().unwrap();
    assert_eq!(document["schema"], "opskit.run/1");
    assert_eq!(document["status"], "success");
    assert_eq!(document["target"], "shop");
    assert_eq!(document["id"], report["id"]);
    assert_eq!(document["rows"], report["rows"]);
    let call = backup(place.path(), &db.url(), &["--only", "nothing"]).env("ALERT_URL", &bad);
    keeps_secrets(call.run()).code(66);
    let (_, document) = failed.recv().unwrap();
    assert_eq!(document["status"], "failed");
    assert_eq!(document["error"]["kind"], "not-found");
}

/// A hook that fails, whatever it is, is a warning in the report and in the record of the run.
#[tokio::test]
async fn a_hook_that_fails_is_a_warning() {
    let db = sample().await;
    let (missing, _received) = receiver(&[Answer::Status(404)]);
    for (hooks, words) in [
        (
            "on_success = [\"false\"]".to_owned(),
            "\"false\" ended with",
        ),
        (
            "on_success = [\"no-such-program-here\"]".to_owned(),
            "cannot run",
        ),
        (
            format!("on_success = \"{missing}\""),
            "\"127.0.0.1\" answered 404",
        ),
        (
            "on_success = { url_env = \"ALERT_URL\" }".to_owned(),
            "ALERT_URL is not set",
        ),
        (
            "on_success = [\"sleep\", \"600\"]\ntimeout = \"200ms\"".to_owned(),
            "longer than",
        ),
    ] {
        let place = project(&hooks);
        let ended = keeps_secrets(backup(place.path(), &db.url(), &[]).run()).code(0);
        let ended = ended.says("warning: hook on_success failed: ").says(words);
        assert!(ended.out().contains("rows in"), "{}", ended.out());
        let repository = Repository::open(place.path().join("backups")).unwrap();
        let record = &repository.history().unwrap()[0];
        assert_eq!(record.status, RunStatus::Success);
        assert!(
            record.warnings.iter().any(|text| text.contains(words)),
            "{record:?}"
        );
        assert_eq!(repository.backups().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_program_gets_the_record_of_the_run() {
    let db = sample().await;
    let place = project(
        "on_success = [\"cp\", \"/dev/stdin\", \"told.json\"]\non_failure = [\"cp\", \"/dev/stdin\", \"told.json\"]",
    );
    let told = || -> Value {
        serde_json::from_slice(&std::fs::read(place.path().join("told.json")).unwrap()).unwrap()
    };
    backup(place.path(), &db.url(), &["--tag", "why=test"])
        .run()
        .code(0);
    assert_eq!(told()["tags"]["why"], "test");
    backup(
        place.path(),
        "postgresql://ann@127.0.0.1:1/x?sslmode=disable",
        &[],
    )
    .run()
    .code(69);
    assert_eq!(told()["status"], "failed");
    assert_eq!(told()["error"]["kind"], "connection");
}

#[tokio::test]
async fn https_trusts_what_the_system_trusts() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    make_certificates(place.path());
    let port = free_port();
    let mut server = Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            "-naccept",
            "2",
            "-cert",
            "server.crt",
            "-key",
            "server.key",
            "-accept",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .current_dir(place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let up = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let start = Instant::now();
    // The first connection is this one.
    while !up() {
        assert!(start.elapsed() < Duration::from_secs(20), "no server");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (mut stdin, stdout) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
    let answering = std::thread::spawn(move || {
        let request = read_request(stdout);
        stdin
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        stdin.flush().unwrap();
        (request, stdin)
    });
    let project = project(&format!(
        "on_success = \"https://localhost:{port}/{SECRET}\""
    ));
    let trusted = place.path().join("ca.crt");
    let ended = backup(project.path(), &db.url(), &[])
        .env("SSL_CERT_FILE", trusted.to_str().unwrap())
        .run();
    let ended = keeps_secrets(ended).code(0);
    assert_eq!(ended.err(), "");
    let ((_, document), stdin) = answering.join().unwrap();
    assert_eq!(document["status"], "success");
    drop(stdin);
    server.kill().unwrap();
    server.wait().unwrap();
}
