//! Exports that succeed: every format, every kind of place.

use super::{Call, names, sample};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

/// A directory that the server can write into, too.
fn shared() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
    place
}

fn path(place: &TempDir, name: &str) -> String {
    place.path().join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn csv_is_what_the_server_writes() {
    let (db, place) = (sample().await, shared());
    let want = path(&place, "want");
    db.psql(&format!("copy t to '{want}' (format csv, header)"))
        .await;
    let want = fs::read(want).unwrap();
    let to_stdout = Call::export(&db, &["t", "--format", "csv", "-o", "-"])
        .run()
        .code(0);
    assert!(to_stdout.0.stdout == want, "{}", to_stdout.out());
    let file = path(&place, "t.csv");
    Call::export(&db, &["t", "-o", &file]).run().code(0);
    assert!(fs::read(file).unwrap() == want);
}

#[tokio::test]
async fn pgcopy_is_what_the_server_sends() {
    let (db, place) = (sample().await, shared());
    let want = path(&place, "want");
    db.psql(&format!("copy t to '{want}' (format binary)"))
        .await;
    let want = fs::read(want).unwrap();
    let to_stdout = Call::export(&db, &["t", "--format", "pgcopy", "-o", "-", "-q"]).run();
    let to_stdout = to_stdout.code(0);
    assert!(to_stdout.0.stdout == want);
    assert_eq!(to_stdout.err(), "", "quiet means quiet");
    let file = path(&place, "t.pgcopy");
    Call::export(&db, &["t", "-o", &file]).run().code(0);
    assert!(fs::read(&file).unwrap() == want);
    let file = path(&place, "t.pgcopy.zst");
    Call::export(&db, &["t", "-o", &file]).run().code(0);
    assert_eq!(fs::read(&file).unwrap()[..4], [0x28, 0xb5, 0x2f, 0xfd]);
}

#[tokio::test]
async fn json_lines_are_the_servers_to_json() {
    let db = sample().await;
    let ended = Call::export(&db, &["t", "--format", "jsonl", "-o", "-"])
        .run()
        .code(0);
    let want = db.psql("select to_json(t) from t").await;
    assert_eq!(ended.out().trim_end(), want);
    let lines: Vec<Value> = ended
        .out()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1000);
    assert_eq!(lines[0]["name"], "a,\"b\"\n1");
}

#[tokio::test]
async fn parquet_and_arrow_have_their_marks() {
    let (db, place) = (sample().await, shared());
    let head = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..4]).into_owned();
    for (name, mark) in [("t.parquet", "PAR1"), ("t.arrow", "ARRO")] {
        let file = path(&place, name);
        Call::export(&db, &["t", "-o", &file]).run().code(0);
        assert_eq!(head(&fs::read(&file).unwrap()), mark);
    }
    let parquet = Call::export(&db, &["t", "-o", "-"]).run().code(0);
    assert_eq!(head(&parquet.0.stdout), "PAR1");
    let arrow = Call::export(&db, &["t", "-o", "-", "--format", "arrow"])
        .run()
        .code(0)
        .says("1,000 rows");
    assert_eq!(arrow.0.stdout[..4], [0xff; 4], "the stream format");
}

#[tokio::test]
async fn several_tables_make_a_directory() {
    let (db, place) = (sample().await, shared());
    let new = path(&place, "result");
    let ended = Call::export(&db, &["public.*", "-o", &new]).run().code(0);
    assert!(ended.out().contains("1,001 rows"), "{}", ended.out());
    assert!(
        ended.out().contains("2 values without a standard form"),
        "{}",
        ended.out()
    );
    assert_eq!(ended.err(), "");
    assert_eq!(
        names(Path::new(&new)),
        ["manifest.json", "public.%4Fdd%2E%4Eame", "public.t"]
    );
    // One that exists gets a new one inside.
    let parent = place.path().to_str().unwrap();
    Call::export(&db, &["public.*", "-o", parent]).run().code(0);
    let dated: Vec<String> = names(place.path())
        .into_iter()
        .filter(|name| name != "result")
        .collect();
    assert!(dated.len() == 1 && is_dated(&dated[0]), "{dated:?}");
}

fn is_dated(name: &str) -> bool {
    name.len() == "export-20261121T013000Z".len()
        && name.starts_with("export-20")
        && name.ends_with('Z')
}

#[tokio::test]
async fn without_output_the_working_directory_gets_one() {
    let (db, place) = (sample().await, shared());
    let ended = Call::export(&db, &["t"]).within(place.path()).run().code(0);
    let [name] = &names(place.path())[..] else {
        panic!("{:?}", names(place.path()))
    };
    assert!(is_dated(name) && ended.out().contains(name), "{name}");
    assert_eq!(
        names(&place.path().join(name)),
        ["manifest.json", "public.t"]
    );
}

#[tokio::test]
async fn json_is_one_document_with_the_target() {
    let (db, place) = (sample().await, shared());
    let target = path(&place, "result");
    let args = ["t", "\"Odd.Name\"", "-o", &target, "--json", "--jobs", "3"];
    let document = Call::export(&db, &args).run().code(0).json();
    assert_eq!(document["schema"], "opskit.export/1");
    assert_eq!(document["target"], target.as_str());
    assert_eq!(document["rows"], 1001);
    assert_eq!(document["tables"].as_array().unwrap().len(), 2);
    assert_eq!(document["tables"][0]["misfits"], 2);
    let manifest: Value =
        serde_json::from_slice(&fs::read(place.path().join("result/manifest.json")).unwrap())
            .unwrap();
    assert_eq!(
        manifest["tables"], document["tables"],
        "the document is the manifest"
    );
}

#[tokio::test]
async fn queries_go_everywhere() {
    let (db, place) = (sample().await, shared());
    let query = ["--query", "select id, 2 * id as twice from t where id <= 2"];
    let args = [&query[..], &["--format", "csv", "-o", "-"]].concat();
    let ended = Call::export(&db, &args).run().code(0);
    assert_eq!(ended.out(), "id,twice\n1,2\n2,4\n");
    let (file, directory) = (path(&place, "q.jsonl"), path(&place, "q"));
    for target in [&file, &directory] {
        let args = [&query[..], &["-o", target]].concat();
        Call::export(&db, &args).run().code(0);
    }
    assert_eq!(
        fs::read_to_string(file).unwrap().lines().next().unwrap(),
        r#"{"id":1,"twice":2}"#
    );
    assert!(
        Path::new(&directory)
            .join("query.result/part-00000.parquet")
            .exists()
    );
}

#[tokio::test]
async fn overwrite_replaces_and_nothing_else_does() {
    let (db, place) = (sample().await, shared());
    let file = path(&place, "t.csv");
    fs::write(&file, "old").unwrap();
    Call::export(&db, &["t", "-o", &file])
        .run()
        .code(74)
        .says("exists already");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    Call::export(&db, &["t", "-o", &file, "--overwrite"])
        .run()
        .code(0);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1668);
    assert_eq!(names(place.path()), ["t.csv"]);
}

#[tokio::test]
async fn plans_read_nothing_and_leave_nothing() {
    let (db, place) = (sample().await, shared());
    db.psql("create table parent (a int); create table child () inherits (parent)")
        .await;
    let call = |more: &[&str]| {
        let args = [&["public.*", "--plan", "--part-size", "8KiB"], more].concat();
        Call::export(&db, &args).within(place.path()).run().code(0)
    };
    let ended = call(&[]).says("warning: other tables inherit from \"public.parent\"");
    assert!(ended.out().contains("public.t"), "{}", ended.out());
    let document = call(&["--json"]).json();
    assert_eq!(document["schema"], "opskit.export-plan/1");
    let parts = document["parts"].as_u64().unwrap();
    // One for each of the four tables at least.
    assert!(parts >= 4, "{document}");
    assert_eq!(parts > 4, db.has_parts().await, "{document}");
    assert_eq!(names(place.path()), [""; 0]);
}

#[tokio::test]
async fn exactness_is_a_choice() {
    let (db, place) = (sample().await, shared());
    let odd = "\"Odd.Name\"";
    let file = path(&place, "odd.parquet");
    Call::export(&db, &[odd, "-o", &file]).run().code(0);
    assert_eq!(names(place.path()), ["odd.parquet", "odd.parquet.exact"]);
    let strict = [odd, "-o", &file, "--overwrite", "--exactness", "strict"];
    Call::export(&db, &strict).run().code(1).says("hint: ");
    let interop = [odd, "-o", &file, "--overwrite", "--exactness", "interop"];
    let ended = Call::export(&db, &interop).run().code(0);
    assert!(ended.out().contains("left NULL"), "{}", ended.out());
    assert_eq!(names(place.path()), ["odd.parquet"]);
}

#[tokio::test]
async fn small_memory_is_enough() {
    let (db, place) = (sample().await, shared());
    let file = path(&place, "t.parquet");
    Call::export(&db, &["t", "-o", &file, "--memory", "32MiB"])
        .run()
        .code(0);
}

#[tokio::test]
async fn verbose_tells_of_parts() {
    let (db, place) = (sample().await, shared());
    let target = path(&place, "result");
    let args = ["t", "-v", "-o", &target, "--part-size", "64KiB"];
    let ended = Call::export(&db, &args).run().code(0);
    let lines = ended
        .err()
        .lines()
        .filter(|line| line.starts_with("public.t part "))
        .count();
    assert!(lines > 0, "{}", ended.err());
    assert_eq!(lines > 1, db.has_parts().await, "{}", ended.err());
}

#[tokio::test]
async fn the_database_is_found_by_each_way() {
    let db = sample().await;
    let args = ["export", "t", "--format", "csv", "-o", "-", "-q"];
    let url = db.url();
    let nowhere = "postgresql://nobody@127.0.0.1:1/x?sslmode=disable";
    let by_option = Call::new(args.iter().chain(&["--db", &url])).env("DATABASE_URL", nowhere);
    let by_url = Call::new(args)
        .env("DATABASE_URL", &url)
        .env("SUPABASE_DB_URL", nowhere);
    let by_supabase = Call::new(args).env("SUPABASE_DB_URL", &url);
    let socket = db.psql("show unix_socket_directories").await;
    let by_variables = Call::new(args)
        .env("PGHOST", socket.trim_matches('"'))
        .env("PGUSER", "postgres")
        .env("PGDATABASE", db.name());
    for call in [by_option, by_url, by_supabase, by_variables] {
        let ended = call.run().code(0);
        assert_eq!(ended.err(), "");
        assert_eq!(ended.out().lines().count(), 1668);
    }
}
