//! One pass: observe, parse, decide, execute, report.

pub mod vantage;
