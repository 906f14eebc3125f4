//! The results for other programs: one object on each line.

use serde_json::{Value, json};

use super::Done;

/// One object for each scenario, and a last one with the numbers. A file that cannot be played counts as failed.
pub(super) fn lines(all: &[Done]) -> Result<String, serde_json::Error> {
    let passed = all.iter().filter(|done| done.passed()).count();
    let numbers = json!({
        "scenarios": all.len(),
        "passed": passed,
        "failed": all.len() - passed,
        "notYetChecked": all.iter().map(Done::not_yet_checked).sum::<usize>(),
    });
    let mut text = String::new();
    for value in all.iter().map(object).chain([numbers]) {
        text.push_str(&serde_json::to_string(&value)?);
        text.push('\n');
    }
    Ok(text)
}

fn object(done: &Done) -> Value {
    let Done::Played(_, played) = done else {
        let Done::Broken(file, findings) = done else { return Value::Null };
        return json!({"file": file, "result": "broken", "findings": findings});
    };
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let checks: Vec<Value> = played
        .checks
        .iter()
        .map(|check| json!({"line": check.line, "expected": check.expected, "difference": check.difference}))
        .collect();
    json!({
        "scenario": played.name,
        "file": played.file,
        "seed": played.seed,
        "result": if played.passed() { "passed" } else { "failed" },
        "rtoMillis": played.rto.and_then(|rto| rto.measured).map(millis),
        "rtoTargetMillis": played.rto.map(|rto| millis(rto.target)),
        "firstDifference": played.difference().map(|check| super::table::differs(&played.file, check)),
        "checks": checks,
        "notYetChecked": played.later,
    })
}
