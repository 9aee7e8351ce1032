//! Foreign bytes into `opskit_core::testing::fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opskit_core::testing::fuzz::frames(data));
