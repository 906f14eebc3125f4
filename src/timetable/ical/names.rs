//! Names of spans: a Calendar may have each only once.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::BlockedSpan;

/// Adds its first day to each name that comes more than once, and a number where that is not enough.
pub(super) fn distinguish(spans: &mut [BlockedSpan]) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for span in spans.iter() {
        *counts.entry(span.name.clone()).or_default() += 1;
    }
    let mut taken: BTreeSet<String> = counts.keys().cloned().collect();
    for span in spans.iter_mut().filter(|span| counts.get(&span.name).is_some_and(|count| *count > 1)) {
        let day = span.from.split('T').next().unwrap_or_default();
        let dated = format!("{} {day}", span.name);
        let numbered = (2_u32..).map(|number| format!("{dated} {number}"));
        let mut free = std::iter::once(dated.clone()).chain(numbered).filter(|name| !taken.contains(name));
        if let Some(name) = free.next() {
            taken.insert(name.clone());
            span.name = name;
        }
    }
}
