//! The SQL of `fixtures/every-class` and `fixtures/managed`, in pieces that say where they run.

use super::{Cluster, DATABASE};
use std::path::Path;

/// Whose objects are wanted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Objects {
    /// Those that every owner of a database may make.
    Owners,
    /// Those that only a superuser may make too.
    Superusers,
}

/// Makes the roles of the fixture.
pub(super) async fn make_roles(cluster: &Cluster) {
    run_files(cluster, "every-class", Objects::Superusers, |file| {
        file.starts_with("00").then_some("postgres")
    })
    .await;
}

/// Makes the objects of the fixture: all of them as a superuser, those of owners as their owner.
pub(super) async fn make_objects(cluster: &Cluster, objects: Objects) {
    let who: fn(&str) -> Option<&'static str> = match objects {
        Objects::Superusers => |file| (!file.starts_with("00")).then_some("postgres"),
        Objects::Owners => |file| (!file.starts_with("00")).then_some("owner"),
    };
    run_files(cluster, "every-class", objects, who).await;
}

/// Runs the files of a folder in their order, each as the role that `who` names for it.
pub(super) async fn run_files(
    cluster: &Cluster,
    folder: &str,
    objects: Objects,
    who: fn(&str) -> Option<&'static str>,
) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = std::fs::read_dir(fixtures.join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut made = 0;
    for file in files {
        let Some(role) = who(file.file_name().unwrap().to_str().unwrap()) else {
            continue;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for (words, sql) in sections(&text) {
            if words.iter().all(|word| holds(word, cluster, objects)) {
                cluster.run(role, DATABASE, sql).await;
                made += 1;
            }
        }
    }
    assert!(made > 0, "nothing was made");
}

/// The sections of a file: what their headings say of where they run, and their SQL.
fn sections(text: &str) -> Vec<(Vec<&str>, &str)> {
    let sections = text.split("\n-- == ").skip(1);
    let section = |section| {
        let (heading, sql) = str::split_once(section, '\n').unwrap();
        let (words, _) = heading.split_once(':').unwrap();
        (words.split_whitespace().collect(), sql)
    };
    sections.map(section).collect()
}

fn holds(word: &str, cluster: &Cluster, objects: Objects) -> bool {
    let number = |text: &str| text.parse::<u32>().unwrap();
    match (word, word.strip_suffix('+'), word.strip_prefix('-')) {
        ("superuser", _, _) => objects == Objects::Superusers,
        (_, Some(since), _) => cluster.major() >= number(since),
        (_, _, Some(before)) => cluster.major() < number(before),
        _ => panic!("a heading says {word}"),
    }
}
