//! What the configuration takes, and where it says that something is wrong.

use super::*;

const FULL: &str = r#"
default_target = "shop"
default_repository = "main"

[target.shop]
class = "production"
url_env = "SHOP_DATABASE_URL"
repository = "main"
ignore_schemas = ["scratchpad"]
exclude = ["audit.*", '"Odd.Name"']
accept_loss = ["event trigger watch"]
schedule = "24h"

[target.shop.retention]
keep_daily = 7
keep_verified = 2
group_by = ["release"]

[target.copy]
class = "scratch"
url_env = "COPY_URL"

[repository.main]
url = "backups"

[retention.scratch]
keep_last = 1

[env.PROJECT_REF]
class = "frozen"
required = true
pattern = '[a-z]{20}'

[limits]
jobs = 4
memory = "512MiB"
part_size = "64MiB"
lock_timeout = "30s"

[hooks]
on_success = ["notify", "--ok"]
on_failure = { url_env = "ALERT_URL" }
timeout = "20s"
"#;

#[test]
fn every_key_is_read() {
    let config = Config::parse(FULL).unwrap();
    assert_eq!(config.default_target.as_deref(), Some("shop"));
    let shop = config.target("shop").unwrap();
    assert_eq!(shop.schedule, Some(Duration::from_secs(86_400)));
    assert_eq!(shop.exclude.len(), 2);
    assert_eq!(shop.ignore_schemas, ["scratchpad"]);
    assert_eq!(config.repository("main").unwrap().url, "backups");
    assert_eq!(config.limits.memory, Some(512 << 20));
    let variable = &config.variables["PROJECT_REF"];
    assert_eq!(
        (variable.class, variable.required),
        (VariableClass::Frozen, true)
    );
    let pattern = variable.pattern.as_ref().unwrap();
    assert!(pattern.fits(&"a".repeat(20)) && !pattern.fits(&"a".repeat(21)));
    let rules = config.retention_of(Some("main"), Some("shop")).unwrap();
    assert_eq!((rules.keep_daily, rules.keep_verified), (Some(7), Some(2)));
    assert_eq!(rules.group_by, ["release"]);
    let rules = config.retention_of(None, Some("copy")).unwrap();
    assert_eq!(rules.keep_last, Some(1));
    assert_eq!(config.retention_of(None, Some("other")), None);
    let notify = ["notify", "--ok"].map(str::to_owned).to_vec();
    let notify = HookSetting::Given(Hook::Command(notify));
    assert_eq!(config.hooks.on_success, Some(notify));
    let variable = HookSetting::UrlEnv("ALERT_URL".to_owned());
    assert_eq!(config.hooks.on_failure, Some(variable));
    assert_eq!(config.hooks.timeout, Some(Duration::from_secs(20)));
    assert_eq!(Config::parse("").unwrap(), Config::default());
}

fn mistake(text: &str) -> Error {
    let error = Config::parse(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    error
}

#[track_caller]
fn assert_told(text: &str, line: usize, said: &str) {
    let error = mistake(text).to_string();
    assert!(error.contains(&format!("line {line}:")), "{text}: {error}");
    assert!(error.contains(said), "{text}: {error}");
}

#[test]
fn mistakes_name_their_line() {
    let target = "[target.a]\nclass = \"production\"\nurl_env = \"A\"\n";
    for (text, line, said) in [
        ("x = 1".to_owned(), 1, "unknown field `x`"),
        (format!("{target}clas = 1"), 4, "unknown field `clas`"),
        (target.replace("production", "prod"), 2, "unknown variant"),
        (format!("{target}schedule = \"daily\""), 4, "cannot be read"),
        (format!("{target}exclude = [\"a.b.c\"]"), 4, "pattern"),
        (format!("{target}repository = \"b\""), 4, "[repository.b]"),
        (format!("default_target = \"b\"\n{target}"), 1, "[target.b]"),
        ("\n[limits]\njobs = 0".to_owned(), 3, "from 1 to 256"),
        (
            "[target.\"a b\"]\nclass = \"scratch\"\nurl_env = \"A\"".to_owned(),
            1,
            "letters",
        ),
        ("a = [".to_owned(), 1, ""),
        ("[hooks]\non_success = 7".to_owned(), 2, "a hook is a list"),
        (
            "[hooks]\non_success = { url = \"https://a.b/c\" }".to_owned(),
            2,
            "a hook is a list",
        ),
        (
            "[hooks]\non_success = \"notify\"".to_owned(),
            2,
            "URL of a hook",
        ),
        (
            "[hooks]\non_success = { url_env = \"a b\" }".to_owned(),
            2,
            "url_env",
        ),
        (
            "[hooks]\n\ntimeout = \"20\"".to_owned(),
            3,
            "cannot be read",
        ),
    ] {
        assert_told(&text, line, said);
    }
}

#[test]
fn mistakes_in_rules_and_variables_name_their_line() {
    let target = "[target.a]\nclass = \"production\"\nurl_env = \"A\"\n";
    for (text, line, said) in [
        (
            "[retention.production]\n\nkeep_daily = 0".to_owned(),
            3,
            "keep_daily is a number from 1",
        ),
        (
            "[retention.staging]\nkeep_within = \"30\"".to_owned(),
            2,
            "cannot be read",
        ),
        (
            "\n[retention.staging]\nkeep_verified = 3".to_owned(),
            2,
            "do not say what to keep",
        ),
        (
            format!("{target}retention = {{ keep = 1 }}"),
            4,
            "unknown field `keep`",
        ),
        (
            "[env.A]\npattern = '('".to_owned(),
            2,
            "no regular expression",
        ),
        (
            "[env.A]\npattern = 'a)(?:b'".to_owned(),
            2,
            "no regular expression",
        ),
        (
            "[env.A]\nclass = \"fixed\"".to_owned(),
            2,
            "unknown variant",
        ),
        (
            "[env.A]\nvalue = \"x\"".to_owned(),
            2,
            "unknown field `value`",
        ),
        ("[env.\"A B\"]".to_owned(), 1, "environment variable"),
        ("[retention.live]".to_owned(), 1, "unknown field `live`"),
    ] {
        assert_told(&text, line, said);
    }
}

#[test]
fn a_url_in_the_file_is_refused_and_not_repeated() {
    for text in [
        "[target.a]\nclass = \"production\"\nurl = \"postgres://ann:hunter2@host/db\"",
        "[target.a]\nclass = \"production\"\nurl_env = \"postgres://ann:hunter2@host/db\"",
        "[target]\na = \"postgres://ann:hunter2@host/db\"",
        "[limits]\njobs = \"postgres://ann:hunter2@host/db\"",
        "default_target = \"hunter2",
        "[hooks]\non_success = \"ftp://host/hunter2\"",
        "[hooks]\non_success = { url = \"https://host/hunter2\" }",
        "[hooks]\non_success = { url_env = \"https://host/hunter2\" }",
        "default_target = \"postgres://ann:hunter2@host/db\"",
    ] {
        let error = mistake(text);
        let told = format!("{error} {error:?} {:?}", error.hint());
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// Each kind of message that the parser has: none repeats a value, all keep what would be right.
#[test]
fn no_message_repeats_a_value() {
    let target = "[target.a]\nurl_env = \"A\"\n";
    for (text, said) in [
        (format!("{target}class = \"s3cretpw\""), "production"),
        (
            format!("{target}class = \"expected s3cretpw\""),
            "production",
        ),
        (format!("{target}class = 7331"), "string or table"),
        ("[limits]\njobs = \"s3cretpw\"".to_owned(), "u16"),
        (
            "[limits]\njobs = \"a, expected s3cretpw\"".to_owned(),
            "u16",
        ),
        ("[limits]\njobs = -7331".to_owned(), "u16"),
        ("[limits]\njobs = 7331733173317331".to_owned(), "u16"),
        ("[limits]\njobs = 7331.5".to_owned(), "u16"),
        ("[limits]\njobs = 7331-01-01".to_owned(), "u16"),
        ("[limits]\njobs = 7331-99-99".to_owned(), ""),
        ("[limits]\nmemory = 7331".to_owned(), "string"),
        ("[env.A]\nrequired = \"s3cretpw\"".to_owned(), "boolean"),
        ("[env.A]\nclass = \"s3cretpw\"".to_owned(), "frozen"),
        ("[env.A]\npattern = \"(s3cretpw\"".to_owned(), "regular"),
        ("[env]\nA = \"s3cretpw\"".to_owned(), "expected"),
        (
            "[retention.staging]\nkeep_last = \"s3cretpw\"".to_owned(),
            "u32",
        ),
        (format!("{target}exclude = \"s3cretpw\""), "sequence"),
        (format!("{target}exclude = [7331]"), "string"),
        ("limits = [\"s3cretpw\"]".to_owned(), "expected"),
        ("limits = \"s3cretpw\"".to_owned(), "expected"),
        (
            "default_target = \"s3cretpw\"\ndefault_target = \"s3cretpw\"".to_owned(),
            "duplicate key",
        ),
        ("\"s3cretpw \" = 1".to_owned(), "unknown field"),
        ("s3cretpw".to_owned(), ""),
        ("default_target = s3cretpw".to_owned(), ""),
        ("default_target = \"s3cretpw".to_owned(), ""),
        ("default_target = \"\\s3cretpw\"".to_owned(), ""),
        ("default_target = 's3cretpw' s3cretpw".to_owned(), ""),
        (
            "default_target.s3cretpw = 1\ndefault_target = 1".to_owned(),
            "",
        ),
        ("[hooks]\non_success = 7331".to_owned(), "a hook is a list"),
        (target.to_owned(), "missing field `class`"),
    ] {
        let error = mistake(&text);
        let told = format!("{error} {error:?} {:?}", error.hint());
        assert!(
            !told.contains("s3cretpw") && !told.contains("7331"),
            "{told}"
        );
        assert!(told.contains(said), "{text}: {told}");
        assert!(told.contains("line "), "{text}: {told}");
    }
}

#[test]
fn the_url_of_a_hook_is_not_shown() {
    let config = Config::parse("[hooks]\non_success = \"https://host/hunter2?token=hunter2\"");
    let config = config.unwrap();
    assert!(matches!(
        config.hooks.on_success,
        Some(HookSetting::Given(Hook::Web(_)))
    ));
    assert!(!format!("{config:?}").contains("hunter2"));
    let resolved = Config::parse(FULL).unwrap().hooks;
    let told = format!("{:?}", resolved.resolve(|_| Some("hunter2")));
    assert!(
        told.contains("ALERT_URL") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of mistakes")]
fn mistakes_in_probes_and_limits_name_their_line() {
    let probe = "[[probe]]\nid = \"a.b\"\n";
    let limit = "[[health.limit]]\nprobe = \"a.b\"\n";
    let accept = "[[health.accept]]\nprobe = \"a.b\"\n";
    let mistakes = [
        (format!("{limit}warn = 2\nfail = 1"), 2, "not above fail"),
        (
            format!("{limit}warn = 1\nfail = 2\ntarget = \"x\""),
            5,
            "[target.x]",
        ),
        (
            format!("{accept}reason = \" \"\nuntil = \"2027-01-31\""),
            3,
            "empty",
        ),
        (
            format!("{accept}reason = \"r\"\nuntil = \"31.1.2027\""),
            4,
            "a day such as",
        ),
        (
            format!("{accept}until = \"2027-01-31\""),
            1,
            "missing field `reason`",
        ),
        (probe.replace("a.b", "b"), 2, "a group and a name"),
        (probe.to_owned(), 2, "a query, a url or a url_env"),
        (
            format!("{probe}query = \"select 1\"\nstatus = 200"),
            2,
            "a query, or a url",
        ),
        (
            format!("{probe}query = \"select 1\"\nfail = \"10\""),
            4,
            "cannot be read",
        ),
        (
            format!("{probe}query = \"select 1\"\nfail = \"> ten\""),
            4,
            "cannot be read",
        ),
        (
            format!("{probe}url = \"https://u:p@x.y\""),
            3,
            "without a password",
        ),
        (
            format!("{probe}url = \"https://x.y\"\nheaders = {{ a = \"s3cret value\" }}"),
            4,
            "environment variable",
        ),
        (
            format!("{probe}url = \"https://x.y\"\njson = {{ \"a\" = \"== 1\" }}"),
            4,
            "slash",
        ),
        (
            format!("{probe}query = \"select 1\"\n{probe}query = \"select 2\""),
            5,
            "two probes",
        ),
    ];
    for (text, line, said) in mistakes {
        assert_told(&text, line, said);
    }
}

#[test]
fn mistakes_in_rules_name_their_line() {
    let rule = "[[rule]]\nid = \"a\"\n";
    for (text, line, said) in [
        (format!("{rule}table = \"public.t\""), 2, "one of not_null"),
        (format!("{rule}rows = {{ min = 1 }}"), 2, "names it"),
        (
            format!("{rule}table = \"t\"\nrows = {{ min = 1 }}"),
            3,
            "with its schema",
        ),
        (
            format!("{rule}table = \"a.t\"\nrows = {{}}"),
            2,
            "a min, a max",
        ),
        (
            format!("{rule}table = \"a.t\"\nnot_null = {{ column = \"c\", ratio = 2.0 }}"),
            2,
            "from 0 to 1",
        ),
        (
            format!("{rule}table = \"a.t\"\nquery = \"select 1\""),
            2,
            "names no table",
        ),
        (
            format!("{rule}query = \"select 1\"\n{rule}query = \"select 1\""),
            5,
            "two rules",
        ),
    ] {
        assert_told(&text, line, said);
    }
}

/// The keys that the parser knows, as it tells them itself.
fn keys_of(table: &str) -> Vec<String> {
    let text = format!("{table}\nno_such_key = 1");
    let error = Config::parse(&text).unwrap_err().to_string();
    let (_, keys) = error.split_once("expected").unwrap();
    keys.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_key_is_documented() {
    let page = include_str!("../../../docs/configuration.md");
    let tables = [
        "",
        "[target.x]",
        "[repository.x]",
        "[retention]",
        "[target.x.retention]",
        "[env.X]",
        "[limits]",
        "[hooks]",
        "[health]",
        "[[health.limit]]",
        "[[health.accept]]",
        "[[probe]]",
        "[[rule]]",
    ];
    for table in tables {
        let keys = keys_of(table);
        assert!(!keys.is_empty(), "{table}");
        for key in keys {
            let row = format!("| `{key}` |");
            let named = [
                format!("`[{key}]`"),
                format!("`[{key}.NAME]`"),
                format!("`[{key}.CLASS]`"),
                format!("`[[{key}]]`"),
                format!("`[[health.{key}]]`"),
            ];
            let tables = named.iter().any(|table| page.contains(table));
            assert!(page.contains(&row) || tables, "{table} {key}");
        }
    }
}
