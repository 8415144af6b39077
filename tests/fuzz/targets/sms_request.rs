#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| connector_testing::fuzz::sms_request(data));
