//! Encrypted backups, as users have them made and read.

use super::{Call, Ended, sample};
use opskit_tests::database;
use opskit_tests::secrets::PASSPHRASE;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Reads a part with the key, by the recipe of `docs/encryption.md`, and without; prints the rows that each program saw.
const READ: &str = r#"
import sys, base64, duckdb, pyarrow.parquet as pq, pyarrow.parquet.encryption as pe
part, key = sys.argv[1], bytes.fromhex(sys.argv[2])
print(pq.read_table(part, decryption_properties=pe.create_decryption_properties(footer_key=key)).num_rows)
duckdb.sql(f"pragma add_parquet_key('backup', '{base64.b64encode(key).decode()}')")
print(duckdb.sql(f"select count(*) from read_parquet('{part}', encryption_config = {{footer_key: 'backup'}})").fetchone()[0])
for blind in (lambda: pq.read_table(part), lambda: duckdb.sql(f"select count(*) from read_parquet('{part}')").fetchone()):
    try:
        blind()
        print("read")
    except Exception:
        print("refused")
"#;

fn call(args: &[&str], place: &Path, url: &str) -> Ended {
    Call::new(args).within(place).env("DATABASE_URL", url).run()
}

fn new_key(place: &Path, file: &str) -> String {
    let made = call(&["keys", "new", file], place, "").code(0);
    made.out().trim().to_owned()
}

#[tokio::test]
async fn a_backup_for_a_key() {
    let (db, target) = (sample().await, database().await);
    let place = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| call(args, place.path(), &db.url());
    let recipient = new_key(place.path(), "backup.key");
    assert!(recipient.starts_with("age1"));
    let mode = fs::metadata(place.path().join("backup.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    run(&["keys", "new", "backup.key"]).code(74).says("lost");
    let made = run(&["backup", "--recipient", &recipient, "--json"])
        .code(0)
        .json();
    let id = made["id"].as_str().unwrap();
    let listed = run(&["list", "--json"]).code(0).json();
    assert_eq!(listed["backups"][0]["encrypted"], json!(true));
    assert_eq!(listed["backups"][0]["database"], json!(db.name()));
    run(&["verify", "latest", "--level", "hash"]).code(0);
    for args in [
        &["verify", "latest", "--level", "decode"][..],
        &["show", "latest"],
    ] {
        run(args).code(77).says("--identity");
        run(&[args, &["--identity", "backup.key"]].concat()).code(0);
    }
    new_key(place.path(), "other.key");
    run(&["show", id, "--identity", "other.key"])
        .code(77)
        .says("does not open");
    run(&["keys", "check", "--identity", "other.key"]).code(1);
    run(&["keys", "check", "--identity", "backup.key"]).code(0);
    run(&[
        "restore",
        "latest",
        "--to",
        &target.url(),
        "--identity",
        "backup.key",
    ])
    .code(0);
    run(&["drill", "latest", "--identity", "backup.key"]).code(0);
    run(&["keys", "parquet", id]).code(77);
    let key = run(&["keys", "parquet", id, "--identity", "backup.key", "--json"])
        .code(0)
        .json();
    read_elsewhere(&place.path().join("backups/backups").join(id), &key);
}

fn read_elsewhere(backup: &Path, key: &Value) {
    let Some(python) = std::env::var_os("OPSKIT_TEST_PYTHON") else {
        println!("OPSKIT_TEST_PYTHON is not set: nobody else read the part");
        return;
    };
    let table = fs::read_dir(backup.join("data"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let part = table.path().join("part-00000.parquet");
    let output = Command::new(python)
        .args(["-c", READ])
        .arg(part)
        .arg(key["key_hex"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines.len(),
        4,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(lines[0] == lines[1] && lines[0] != "0", "{said}");
    assert_eq!(lines[2..], ["refused", "refused"]);
}

/// `opskit.toml` says whom for; a key is changed without touching a byte of data.
#[tokio::test]
async fn keys_are_changed_by_the_settings() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| call(args, place.path(), &db.url());
    let (old, new) = (
        new_key(place.path(), "old.key"),
        new_key(place.path(), "new.key"),
    );
    let settle = |recipient: &str| {
        let toml = format!("[repository.main]\nurl = \"kept\"\nrecipients = [\"{recipient}\"]\n");
        fs::write(place.path().join("opskit.toml"), toml).unwrap();
    };
    settle("age1nobody");
    run(&["config", "check"]).code(64).says("public key of age");
    settle(&old);
    run(&["backup", "--init"]).code(0);
    run(&["backup", "--recipient", &new])
        .code(64)
        .says("opskit.toml says");
    settle(&new);
    run(&["backup"]).code(64).says("opskit keys rekey");
    run(&["keys", "rekey", "--identity", "new.key"]).code(77);
    run(&["keys", "rekey", "--identity", "old.key"]).code(0);
    run(&["keys", "check", "--identity", "new.key"]).code(0);
    run(&["keys", "check", "--identity", "old.key"]).code(1);
    run(&["backup"]).code(0);
    run(&["keys", "add", &old, "--identity", "new.key"]).code(0);
    let decode = ["verify", "latest", "--level", "decode", "--identity"];
    let seen = run(&[&decode[..], &["old.key"]].concat()).code(65);
    assert!(seen.out().contains("do not name"), "{}", seen.out());
    run(&["keys", "remove", &old, "--identity", "new.key"]).code(0);
    run(&[&decode[..], &["new.key"]].concat()).code(0);
    run(&["keys", "remove", &new, "--identity", "new.key"]).code(77);
}

#[tokio::test]
async fn a_passphrase_comes_from_a_file_and_is_told_nowhere() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("words"), format!("{PASSPHRASE}\n")).unwrap();
    let run = |args: &[&str], file: &str| {
        let call = Call::new(args)
            .within(place.path())
            .env("DATABASE_URL", &db.url());
        call.env("OPSKIT_PASSPHRASE_FILE", file).run()
    };
    run(&["backup", "--recipient", "passphrase"], "nothing-there").code(66);
    run(&["backup", "--recipient", "passphrase"], "words").code(0);
    run(&["verify", "latest", "--level", "decode"], "words").code(0);
    fs::write(place.path().join("others"), "andere\n").unwrap();
    run(&["show", "latest"], "others").code(77);
}

/// `opskit.toml` says whose signatures count; the key that signs is somewhere else.
#[tokio::test]
async fn backups_are_signed_as_the_settings_say() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| call(args, place.path(), &db.url());
    let new = |file: &str| {
        let made = run(&["keys", "new", "--signing", file]).code(0);
        made.out().trim().to_owned()
    };
    let (signer, other) = (new("sign.pem"), new("other.pem"));
    assert!(signer.starts_with("ed25519:"), "{signer}");
    let file = fs::metadata(place.path().join("sign.pem")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let settle = |signers: &str| {
        let toml = format!("[repository.main]\nurl = \"kept\"\nsigners = [{signers}]\n");
        fs::write(place.path().join("opskit.toml"), toml).unwrap();
    };
    settle("");
    run(&["backup", "--init"]).code(0);
    settle("\"ed25519:AAAA\"");
    run(&["config", "check"]).code(64).says("base64");
    settle(&format!("{signer:?}"));
    run(&["show", "latest"]).code(65).says("--accept-unsigned");
    run(&["show", "latest", "--accept-unsigned"]).code(0);
    run(&["backup"]).code(64).says("--signing-key");
    run(&["backup", "--signing-key", "other.pem"])
        .code(64)
        .says("do not name");
    run(&["backup", "--signing-key", "opskit.toml"])
        .code(64)
        .says("no signing key");
    run(&["backup", "--signing-key", "nothing.pem"]).code(66);
    let by_variable = Call::new(["backup"])
        .within(place.path())
        .env("DATABASE_URL", &db.url())
        .env("OPSKIT_SIGNING_KEY", "sign.pem");
    by_variable.run().code(0);
    let shown = run(&["show", "latest", "--json"]).code(0).json();
    assert_eq!(shown["signers"], json!([signer]));
    run(&["drill", "latest"]).code(0);
    let seen = run(&["verify", "latest", "--require-signature", &other]).code(65);
    assert!(seen.out().contains("do not name"), "{}", seen.out());
    let sign = ["keys", "sign", "--all", "--signing-key", "sign.pem"];
    run(&sign).code(65).says("--accept-unsigned");
    let signed = run(&[&sign[..], &["--accept-unsigned", "--json"]].concat());
    let signed = signed.code(0).json();
    assert_eq!(signed["signed"].as_array().unwrap().len(), 1);
    assert_eq!(signed["already"], json!(1));
    let listed = run(&["list", "--json"]).code(0).json();
    for backup in listed["backups"].as_array().unwrap() {
        run(&["verify", backup["id"].as_str().unwrap()]).code(0);
    }
}
