//! Passwords never come out, whatever goes wrong.

use super::{Call, Ended};

const SECRET: &str = "hunter2-s3cret";

#[track_caller]
fn keeps_it(ended: Ended) -> Ended {
    let all = format!("{}{}", ended.out(), ended.err());
    assert!(!all.contains(SECRET), "{all}");
    ended
}

#[test]
fn a_password_in_the_environment_stays_there() {
    let url = format!("postgresql://ann:{SECRET}@127.0.0.1:1/x?sslmode=disable");
    for more in [&["-v"][..], &["--json"], &["--plan"]] {
        let call = Call::new(["export", "t", "-o", "-"].iter().chain(more));
        keeps_it(call.env("DATABASE_URL", &url).run());
    }
    let bad = format!("postgresql://ann:{SECRET}@127.0.0.1:port/x");
    let call = Call::new(["export", "t", "--json"]).env("DATABASE_URL", &bad);
    keeps_it(call.run().code(64));
    let call = Call::new(["export", "t"])
        .env("DATABASE_URL", "postgresql://ann@127.0.0.1:1/x")
        .env("PGPASSWORD", SECRET);
    keeps_it(call.run().code(69));
}

#[test]
fn a_password_in_an_option_is_warned_about() {
    let url = format!("postgresql://ann:{SECRET}@127.0.0.1:1/x?sslmode=disable");
    let ended = Call::new(["export", "t", "--db", &url]).run().code(69);
    let ended = keeps_it(ended).says("warning: ").says("DATABASE_URL");
    assert!(ended.err().contains("process list"));
    let without = "postgresql://ann@127.0.0.1:1/x?sslmode=disable";
    let ended = Call::new(["export", "t", "--db", without]).run().code(69);
    assert!(!ended.err().contains("warning"), "{}", ended.err());
}

#[test]
fn a_url_in_the_wrong_place_is_not_quoted() {
    let url = format!("postgresql://ann:{SECRET}@db.example.com/x");
    for args in [
        &["export", &url][..],
        &["export", &format!("host=h password={SECRET}")],
        &["export", "t", "--jobs", &url],
        &["demo", &url],
        &[&url],
        &["export", "t", &format!("--bd={url}")],
        &["export", "t", "--json", "--format", &url],
    ] {
        keeps_it(Call::new(args).run().code(64));
    }
}
