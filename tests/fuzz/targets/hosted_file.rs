#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| connector::testing::fuzz::hosted_file(data));
