//! `opskit health` and its server.

use super::Call;
use opskit_tests::TestDb;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// `opskit health serve`, which ends with the test.
struct Served {
    child: Child,
    address: String,
    /// What it says behind its address.
    rest: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn new(url: &str, args: &[&str]) -> Self {
        let all = ["health", "serve", "--listen", "127.0.0.1:0"];
        let call = Call::new(all.iter().chain(args)).env("DATABASE_URL", url);
        let mut child = call.env("OPSKIT_HEALTH_TOKEN", "s3cret-token").spawn();
        let mut rest = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on ") {
            line.clear();
            assert_ne!(rest.read_line(&mut line).unwrap(), 0, "it did not start");
        }
        let address = line.rsplit(' ').next().unwrap().trim().to_owned();
        Self {
            child,
            address,
            rest,
        }
    }

    /// Sends this, and reads to the end of the connection.
    async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        // A server that has heard enough may close before it heard all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The status and the body.
    async fn get(&self, path: &str, headers: &str) -> (u16, String) {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n");
        split(&self.send(request.as_bytes()).await)
    }

    /// Ends it as a supervisor does: what it said last, and whether it ended well.
    fn end(mut self) -> (String, bool) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut said = String::new();
        self.rest.read_to_string(&mut said).unwrap();
        (said, self.child.wait().unwrap().success())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
    (status.unwrap_or(0), body.to_owned())
}

#[tokio::test]
async fn states_are_for_everybody_and_details_for_who_has_the_token() {
    let db = opskit_tests::database().await;
    let served = Served::new(&db.url(), &[]);
    assert_eq!(served.get("/livez", "").await, (200, "ok\n".to_owned()));
    let (status, body) = served.get("/readyz", "").await;
    assert_eq!((status, body.as_str()), (200, "{\"status\":\"pass\"}\n"));
    let bearer = "Authorization: Bearer s3cret-token\r\n";
    let (_, closed) = served.get("/health", "").await;
    let (_, wrong) = served
        .get("/health", "Authorization: Bearer s3cret-tokem\r\n")
        .await;
    let (_, open) = served.get("/health", bearer).await;
    for body in [&closed, &wrong] {
        let document: Value = serde_json::from_str(body).unwrap();
        assert_eq!(document.as_object().unwrap().len(), 1, "{body}");
    }
    let document: Value = serde_json::from_str(&open).unwrap();
    assert_eq!(document["report"]["server"]["database"], db.name());
    assert_eq!(served.get("/metrics", "").await.0, 401);
    let (status, metrics) = served.get("/metrics", bearer).await;
    assert_eq!(status, 200);
    assert!(
        metrics.contains("opskit_health_up 1\n") && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    assert_eq!(served.get("/", "").await.0, 404);
    let post = "POST /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(split(&served.send(post.as_bytes()).await).0, 405);
    let (said, ended_well) = served.end();
    assert!(
        ended_well && said.contains("the database was asked 2 times"),
        "{said}"
    );
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_no_health() {
    let served = Served::new("postgresql://nobody@127.0.0.1:1/none?sslmode=disable", &[]);
    assert_eq!(served.get("/livez", "").await.0, 200);
    let unready = (503, "{\"status\":\"fail\"}\n".to_owned());
    assert_eq!(served.get("/readyz", "").await, unready);
    assert_eq!(served.get("/health", "").await, unready);
    let (_, metrics) = served
        .get("/metrics", "Authorization: Bearer s3cret-token\r\n")
        .await;
    assert!(
        metrics.ends_with("opskit_health_up 0\n# EOF\n"),
        "{metrics}"
    );
}

/// How long callers come in a crowd.
fn crowded() -> Duration {
    match std::env::var("OPSKIT_TEST_FULL").as_deref() {
        Ok("1") => Duration::from_secs(30),
        _ => Duration::from_secs(3),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_callers_at_once_are_one_connection() {
    let db = opskit_tests::database().await;
    let served = Served::new(&db.url(), &["--ready-max-age", "200ms"]);
    let until = Instant::now() + crowded();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let address = served.address.clone();
        callers.spawn(async move { ask_on(&address, until).await });
    }
    let watched = watch(&db, until).await;
    let counts = callers.join_all().await;
    let answered: usize = counts.iter().sum();
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert!(
        watched.contains(&1) && watched.iter().all(|count| *count <= 1),
        "{watched:?}"
    );
    let (said, ended_well) = served.end();
    let runs = said
        .split("was asked ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let runs: u128 = runs.unwrap().parse().unwrap();
    // One begins when the last is 200 ms old, and none beside another.
    let most = crowded().as_millis() / 200 + 2;
    assert!(
        ended_well && runs <= most,
        "{runs} runs for {answered} callers: {said}"
    );
    println!("{answered} answers, {runs} runs");
}

/// Asks on one connection again and again; how often it was answered well.
async fn ask_on(address: &str, until: Instant) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut count = 0;
    let mut answer = [0; 4096];
    while Instant::now() < until {
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        let bytes = stream.read(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer[..bytes]);
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        count += 1;
    }
    count
}

/// How many connections of probes the database has, again and again.
async fn watch(db: &TestDb, until: Instant) -> Vec<u32> {
    let mut session = opskit_tests::export::wire(&db.url()).await;
    let sql = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    let mut counts = Vec::new();
    while Instant::now() < until {
        let sets = session.query(sql).await.unwrap();
        let count = sets[0].rows[0][0].as_deref().unwrap();
        counts.push(count.parse().unwrap());
    }
    session.close().await;
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn who_talks_nonsense_too_much_or_too_slowly_is_answered_or_cut() {
    let db = opskit_tests::database().await;
    let served = Served::new(&db.url(), &[]);
    let large = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let body = format!(
        "GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10000000\r\n\r\n{}",
        "x".repeat(1 << 20)
    );
    let requests: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"\0\0\0\0",
        large.as_bytes(),
        body.as_bytes(),
    ];
    for request in requests {
        let answer = served.send(request).await;
        let status = split(&answer).0;
        let start = String::from_utf8_lossy(&request[..request.len().min(40)]).into_owned();
        assert!([0, 200, 400, 431].contains(&status), "{start}: {answer}");
    }
    // Slow ones are cut, and keep nobody from being answered meanwhile.
    let begun = Instant::now();
    let slow = served.send(b"GET /livez HTTP/1.1\r\nHost:");
    let others = async {
        for _ in 0..20 {
            assert_eq!(served.get("/livez", "").await.0, 200);
        }
    };
    let (answer, ()) = tokio::join!(slow, others);
    assert!([0, 408].contains(&split(&answer).0), "{answer}");
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert!(served.end().1);
}
