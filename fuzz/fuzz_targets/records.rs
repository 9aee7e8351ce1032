//! Foreign bytes into `opskit_core::testing::fuzz::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opskit_core::testing::fuzz::records(data));
