//! Connection strings, as libpq reads them.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

fn env(vars: &[(&str, &str)]) -> ConnectEnv {
    ConnectEnv {
        vars: vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        user: Some("os-user".to_owned()),
        ..ConnectEnv::default()
    }
}

fn parse(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text, &env(&[])).unwrap()
}

fn refusal(text: &str) -> Error {
    DatabaseUrl::parse(text, &env(&[])).unwrap_err()
}

#[test]
fn fills_in_what_is_left_open() {
    let table = [
        ("", "postgresql://os-user@localhost:5432/os-user"),
        ("postgres://", "postgresql://os-user@localhost:5432/os-user"),
        ("postgres://ann@h", "postgresql://ann@h:5432/ann"),
        ("postgres://ann:pw@h/db", "postgresql://ann:***@h:5432/db"),
        (
            "host=h1,h2 port=1,2 user='a b' dbname=d/e",
            "postgresql://a%20b@h1:1,h2:2/d%2Fe",
        ),
        (
            "host=h1,h2 port=6000",
            "postgresql://os-user@h1:6000,h2:6000/os-user",
        ),
        (
            "host=h1,,h3 port=1,,3",
            "postgresql://os-user@h1:1,localhost:5432,h3:3/os-user",
        ),
        ("hostaddr=::1", "postgresql://os-user@[::1]:5432/os-user"),
        (
            "postgres:///db?host=/tmp/s&port=7",
            "postgresql://os-user@%2Ftmp%2Fs:7/db",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(parse(text).to_string(), expected, "{text}");
    }
}

#[test]
fn redacted_urls_read_back() {
    for text in [
        "postgres://a%40b@h1:1,h2:2/d%2Fe",
        "postgres://u@[::1]:3/d",
        "postgres:///db?host=/tmp/s&port=7",
    ] {
        let url = parse(text);
        assert_eq!(parse(&url.redacted()).redacted(), url.redacted());
    }
}

#[test]
fn environment_completes() {
    let env = env(&[
        ("PGHOST", "/run/pg"),
        ("PGPORT", "6543"),
        ("PGDATABASE", "d"),
        ("PGAPPNAME", "job"),
    ]);
    let url = DatabaseUrl::parse("", &env).unwrap();
    assert_eq!(
        url.hosts()[0].socket_path(),
        Some(PathBuf::from("/run/pg/.s.PGSQL.6543"))
    );
    assert_eq!((url.dbname(), url.application_name()), ("d", "job"));
    assert_eq!(parse("").application_name(), "opskit");
    assert_eq!(parse("fallback_application_name=x").application_name(), "x");
}

#[test]
fn default_host_is_the_first_socket_that_exists() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(second.path().join(".s.PGSQL.7777"), "").unwrap();
    let mut env = env(&[]);
    env.socket_dirs = vec![first.path().to_owned(), second.path().to_owned()];
    let host = |text| {
        DatabaseUrl::parse(text, &env).unwrap().hosts()[0]
            .name()
            .to_owned()
    };
    assert_eq!(host("port=7777"), second.path().to_str().unwrap());
    assert_eq!(host("port=7778"), "localhost");
}

#[test]
fn tls_is_required_unless_local() {
    let table = [
        ("host=db.example", SslMode::Require),
        ("host=10.0.0.1", SslMode::Require),
        ("host=localhost", SslMode::Prefer),
        ("host=127.1.2.3", SslMode::Prefer),
        ("host=::1", SslMode::Prefer),
        ("host=::ffff:127.0.0.1", SslMode::Prefer),
        ("host=localhost hostaddr=10.0.0.1", SslMode::Require),
        ("host=db.example hostaddr=127.0.0.1", SslMode::Prefer),
        ("host=localhost.evil.example", SslMode::Require),
        ("host=/tmp", SslMode::Disable),
        ("host=/tmp sslmode=verify-full", SslMode::Disable),
        ("host=db.example sslmode=disable", SslMode::Disable),
        ("host=db.example sslmode=allow", SslMode::Allow),
        (
            "host=db.example sslmode=require sslrootcert=/ca.pem",
            SslMode::VerifyCa,
        ),
        ("host=db.example sslrootcert=/ca.pem", SslMode::VerifyCa),
        ("host=db.example sslrootcert=system", SslMode::VerifyFull),
        (
            "host=db.example sslmode=prefer sslrootcert=/ca.pem",
            SslMode::Prefer,
        ),
    ];
    for (text, expected) in table {
        let url = parse(text);
        assert_eq!(url.sslmode(&url.hosts()[0]), expected, "{text}");
    }
    let error = refusal("host=h sslmode=require sslrootcert=system");
    assert!(error.to_string().contains("verify-full"));
}

#[test]
fn certificates_of_the_home_directory_are_found() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".postgresql")).unwrap();
    for file in ["root.crt", "postgresql.crt", "postgresql.key"] {
        std::fs::write(home.path().join(".postgresql").join(file), "").unwrap();
    }
    let env = ConnectEnv {
        home: Some(home.path().to_owned()),
        ..env(&[])
    };
    let url = DatabaseUrl::parse("host=db.example", &env).unwrap();
    assert_eq!(url.sslmode(&url.hosts()[0]), SslMode::VerifyCa);
    assert!(url.client_cert().is_some());
}

#[test]
fn passwords_never_show() {
    let url = parse("postgres://ann:hunter2@h/db?options=-c%20a%3Db");
    for shown in [
        format!("{url}"),
        format!("{url:?}"),
        format!("{url:#?}"),
        format!("{:?}", url.hosts()),
        url.redacted(),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(url.has_password_in_url());
    assert_eq!(url.password(&url.hosts()[0]).unwrap().expose(), "hunter2");
    assert!(!parse("postgres://ann:@h/db").has_password_in_url());
}

#[test]
fn password_file_serves_each_host() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(".pgpass");
    std::fs::write(
        &path,
        "h1:*:db:ann:one\nh2:99:*:*:two\nlocalhost:*:*:*:three\n",
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut env = ConnectEnv {
        home: Some(home.path().to_owned()),
        ..env(&[])
    };
    let passwords = |text: &str, env: &ConnectEnv| -> Vec<Option<String>> {
        let url = DatabaseUrl::parse(text, env).unwrap();
        url.hosts()
            .iter()
            .map(|host| Some(url.password(host)?.expose().to_owned()))
            .collect()
    };
    let text = "host=h1,h2,h3,/tmp,/other port=5,99,5,5,5 user=ann dbname=db";
    let found = passwords(text, &env);
    assert_eq!(
        found,
        [
            Some("one".into()),
            Some("two".into()),
            None,
            Some("three".into()),
            None
        ]
    );
    assert_eq!(
        passwords("host=h1 user=ann dbname=db password=x", &env),
        [Some("x".to_owned())]
    );
    env.vars.insert("PGPASSWORD".into(), "y".into());
    assert_eq!(
        passwords("postgres://ann@h1/db", &env),
        [Some("y".to_owned())]
    );
    env.vars.clear();
    assert_eq!(
        passwords("postgres://ann:@h1/db", &env),
        [Some("one".to_owned())]
    );
    let elsewhere = format!(
        "host=h1 user=ann dbname=db passfile={}/none",
        home.path().display()
    );
    assert_eq!(passwords(&elsewhere, &env), [None]);
}

#[test]
fn api_keys_are_refused_wherever_they_come_from() {
    // {"role":"service_role"}
    let key = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2ln";
    let errors = [
        refusal(&format!(
            "postgres://postgres:{key}@db.x.supabase.co/postgres"
        )),
        DatabaseUrl::parse("host=h", &env(&[("PGPASSWORD", key)])).unwrap_err(),
        parse("host=h").with_password(Secret::new(key)).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.hint().unwrap().contains("database password"));
        assert!(!format!("{error:?}").contains(key));
    }
}

#[test]
fn refuses_what_makes_no_sense() {
    for text in [
        "host=a,b port=1,2,3",
        "host=a,b hostaddr=1.1.1.1",
        "hostaddr=a.example",
        "host=h port=0",
        "host=h port=70000",
        "host=h sslmode=maybe",
        "host=h connect_timeout=soon",
        "host=h sslcert=/c.pem",
        "postgres://u:p:s3cret@x@h/db",
    ] {
        let error = refusal(text);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
    let nobody = DatabaseUrl::parse("host=h", &ConnectEnv::default()).unwrap_err();
    assert!(nobody.hint().unwrap().contains("PGUSER"));
}

#[test]
fn timeouts_are_in_seconds() {
    let seconds = |text| {
        parse(text)
            .connect_timeout()
            .map(|timeout| timeout.as_secs())
    };
    assert_eq!(seconds(""), Some(15));
    assert_eq!(seconds("connect_timeout=30"), Some(30));
    assert_eq!(seconds("connect_timeout=1"), Some(2));
    assert_eq!(seconds("connect_timeout=0"), None);
    assert_eq!(seconds("connect_timeout=-1"), None);
}
