//! Two policies for one grade: only the older one would count.

use std::collections::BTreeMap;

use crate::{adapters::manifests::Finding, api::GradePolicy};

use super::set::{At, Set, at};

pub(super) fn check(set: &Set<'_>) -> Vec<Finding> {
    let mut policies: BTreeMap<i32, At<'_, GradePolicy>> = BTreeMap::new();
    let mut found = Vec::new();
    for (entry, policy) in &set.policies {
        match policies.get(&policy.spec.grade) {
            Some((_, first)) => {
                let message = format!("GradePolicy {} is for grade {}, too", name(first), policy.spec.grade);
                found.push(at(entry, "spec.grade", message).with_remedy("keep one policy a grade"));
            }
            None => drop(policies.insert(policy.spec.grade, (*entry, *policy))),
        }
    }
    found
}

fn name(policy: &GradePolicy) -> &str {
    policy.metadata.name.as_deref().unwrap_or_default()
}
