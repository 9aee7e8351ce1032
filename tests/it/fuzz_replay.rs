//! The fuzz targets run over their checked-in corpus, on any compiler.

use opskit_core::testing::fuzz;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "the corpus of {target} is empty");
}

#[test]
fn fuzz_replay_frames() {
    replay("frames", fuzz::frames);
}

#[test]
fn fuzz_replay_decode() {
    replay("decode", fuzz::decode);
}

#[test]
fn fuzz_replay_manifest() {
    replay("manifest", fuzz::manifest);
}

#[test]
fn fuzz_replay_records() {
    replay("records", fuzz::records);
}
