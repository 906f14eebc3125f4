//! The place of a report in the chain of its drill.

use super::Facts;

/// Where a report stands among those given, or why the chain is broken there.
pub(super) fn place(this: &Facts, all: &[&Facts]) -> Result<String, String> {
    let Some(previous) = &this.previous else {
        return begins(this, all, "the first of its drill");
    };
    if let Some(twin) = twin(this, all) {
        return Err(format!(
            "{} says that it follows the same report: one of the two does not belong",
            twin.number
        ));
    }
    match all.iter().find(|other| other.digest == *previous && other.drill == this.drill) {
        Some(before) => Ok(format!("follows {}", before.number)),
        None => begins(this, all, "the one before it was not given"),
    }
}

/// A chain may begin anywhere, since old reports are removed, but only once.
fn begins(this: &Facts, all: &[&Facts], said: &str) -> Result<String, String> {
    let earlier = |other: &&&Facts| {
        other.drill == this.drill && other.digest != this.digest && other.sealed_at <= this.sealed_at
    };
    match all.iter().filter(earlier).min_by_key(|other| other.sealed_at) {
        None => Ok(said.to_owned()),
        Some(other) => Err(format!(
            "it does not follow {} or a later one: a report is missing or was changed",
            other.number
        )),
    }
}

/// Another report that follows the same one. A copy of this one is none.
fn twin<'a>(this: &Facts, all: &[&'a Facts]) -> Option<&'a Facts> {
    let same = |other: &&&Facts| other.previous == this.previous && other.digest != this.digest;
    all.iter().filter(|other| other.drill == this.drill).find(same).copied()
}
