//! A server that answers every statement with success, and writes down what it was sent.

use opskit_core::migrate::tokens;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// One query as it came, and the rows that came after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) sql: String,
    pub(super) rows: Option<String>,
}

/// Stands in no file of the tests.
const MARK: &str = "select 'the next file';";

/// A place to connect to.
pub(super) struct Fake(TcpListener);

impl Fake {
    pub(super) fn start() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
    }

    /// What `psql` sends of each of these files; none without `psql`. One `psql` reads them all, which it
    /// does as if each were the only one, and a mark tells them apart.
    pub(super) fn psql(&self, texts: &[&str]) -> Option<Vec<Vec<Sent>>> {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mark = write("mark", MARK);
        let port = self.0.local_addr().unwrap().port().to_string();
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-h", "127.0.0.1", "-p", &port])
            .args(["-U", "u", "-d", "d"])
            .env("PGSSLMODE", "disable")
            .env("PGGSSENCMODE", "disable")
            .env("PGCLIENTENCODING", "UTF8")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for (at, text) in texts.iter().enumerate() {
            let file = write(&at.to_string(), text);
            psql.arg("-f").arg(file).arg("-f").arg(&mark);
        }
        let mut psql = match psql.spawn() {
            Ok(psql) => psql,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("{error}"),
        };
        let (stream, _) = self.0.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let sent = serve(stream);
        psql.wait().unwrap();
        let files = sent.split_inclusive(|it| it.sql == MARK);
        let files: Vec<_> = files.map(|it| it[..it.len() - 1].to_vec()).collect();
        assert_eq!(files.len(), texts.len());
        Some(files)
    }
}

/// One session, to its end.
fn serve(stream: TcpStream) -> Vec<Sent> {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    body(&mut reader).unwrap();
    message(&mut writer, b'R', &[0, 0, 0, 0]);
    for setting in [
        "server_version\x0015.0\0",
        "server_encoding\0UTF8\0",
        "client_encoding\0UTF8\0",
        "standard_conforming_strings\0on\0",
    ] {
        message(&mut writer, b'S', setting.as_bytes());
    }
    let mut sent = Vec::new();
    let mut status = b'I';
    message(&mut writer, b'Z', &[status]);
    while let Some((kind, body)) = next(&mut reader) {
        if kind != b'Q' {
            assert_eq!(kind, b'X', "a simple query or the end");
            break;
        }
        let sql = String::from_utf8(body).unwrap();
        let sql = sql.strip_suffix('\0').unwrap().to_owned();
        let lower = sql.to_lowercase();
        let rows = wants_rows(&lower).then(|| {
            message(&mut writer, b'G', &[0, 0, 0]);
            rows(&mut reader)
        });
        match lower.split([' ', ';', '\n']).next() {
            Some("begin" | "start") => status = b'T',
            Some("commit" | "rollback" | "end" | "abort") => status = b'I',
            _ => {}
        }
        sent.push(Sent { sql, rows });
        message(&mut writer, b'C', b"OK\0");
        message(&mut writer, b'Z', &[status]);
    }
    sent
}

/// As far as the cases go; blanks and comments may stand before it.
fn wants_rows(lower: &str) -> bool {
    let is_copy = tokens(lower).next().is_some_and(|it| it.text == "copy");
    is_copy && lower.contains("from stdin")
}

fn rows(reader: &mut impl Read) -> String {
    let mut rows = Vec::new();
    loop {
        match next(reader) {
            Some((b'd', data)) => rows.extend(data),
            Some((b'c', _)) => return String::from_utf8(rows).unwrap(),
            other => panic!("{other:?} within rows"),
        }
    }
}

fn message(writer: &mut impl Write, kind: u8, body: &[u8]) {
    let length = u32::try_from(body.len() + 4).unwrap();
    let mut bytes = vec![kind];
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    writer.write_all(&bytes).unwrap();
}

fn next(reader: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut kind = [0];
    reader.read_exact(&mut kind).ok()?;
    Some((kind[0], body(reader)?))
}

fn body(reader: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    reader.read_exact(&mut length).ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
    let mut body = vec![0; length - 4];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
