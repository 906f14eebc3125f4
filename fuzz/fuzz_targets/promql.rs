#![no_main]

libfuzzer_sys::fuzz_target!(|answer: &[u8]| {
    let _judged = bongsu::adapters::fuzzed::promql(answer);
});
