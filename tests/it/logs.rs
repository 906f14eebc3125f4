//! Log lines, as collectors read them.

use std::{
    io,
    sync::{Arc, Mutex},
};

use bongsu::observability::{LogFormat, subscriber};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::Error::other("a writer panicked"))?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written when something happens under this format and filter.
fn written(format: LogFormat, filter: &str, happens: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = subscriber(format, filter, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, happens);
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_json_line_has_its_fields_at_the_top_and_a_utc_time_with_milliseconds() {
    let line =
        written(LogFormat::Json, "info", || tracing::info!(service = "gpki/ocsp", epoch = 7, "fenced"));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["message"], "fenced");
    assert_eq!(line["service"], "gpki/ocsp");
    assert_eq!(line["epoch"], 7);
    assert_eq!(line["level"], "INFO");
    let time = line["timestamp"].as_str().unwrap();
    assert_eq!(time.len(), "2026-01-02T03:04:05.678Z".len(), "{time}");
    assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
}

#[test]
fn a_text_line_is_one_line_without_colours() {
    let line = written(LogFormat::Text, "info", || tracing::warn!(region = "daejeon", "lease lost"));
    assert_eq!(line.lines().count(), 1);
    assert!(line.contains("WARN") && line.contains(r#"lease lost region="daejeon""#), "{line}");
    assert!(!line.contains('\u{1b}'), "{line}");
}

#[test]
fn a_filter_keeps_lines_out() {
    assert_eq!(written(LogFormat::Json, "warn", || tracing::info!("fenced")), "");
}

#[test]
fn a_wrong_filter_is_named_with_an_example_of_a_good_one() {
    let error = subscriber(LogFormat::Json, "bongsu=loud", io::sink).err().unwrap().to_string();
    assert!(error.contains(r#""bongsu=loud""#) && error.contains("info,bongsu=debug"), "{error}");
}
