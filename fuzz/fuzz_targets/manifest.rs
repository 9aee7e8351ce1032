//! Foreign bytes into `opskit_core::testing::fuzz::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opskit_core::testing::fuzz::manifest(data));
