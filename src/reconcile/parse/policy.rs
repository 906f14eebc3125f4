//! Defaults and limits per grade.

use std::collections::BTreeMap;

use super::Violation;
use crate::api::{GradePolicy, GradePolicySpec, SharedServiceSpec};

/// The policy in force for each grade.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    by_grade: BTreeMap<i32, (String, GradePolicySpec)>,
}

impl Policies {
    /// Picks one policy for each grade: the oldest, and by name between equally old ones.
    pub fn new<'a>(all: impl IntoIterator<Item = &'a GradePolicy>) -> Self {
        let mut sorted: Vec<&GradePolicy> = all.into_iter().collect();
        sorted.sort_by_key(|p| (p.metadata.creation_timestamp.clone().map(|t| t.0), p.metadata.name.clone()));
        let mut by_grade = BTreeMap::new();
        for policy in sorted {
            let name = policy.metadata.name.clone().unwrap_or_default();
            by_grade.entry(policy.spec.grade).or_insert_with(|| (name, policy.spec.clone()));
        }
        Self { by_grade }
    }

    /// The policy of a grade.
    #[must_use]
    pub fn of_grade(&self, grade: i32) -> Option<&GradePolicySpec> {
        self.by_grade.get(&grade).map(|(_, spec)| spec)
    }

    /// The policies in force, by grade.
    pub fn in_force(&self) -> impl Iterator<Item = (i32, &GradePolicySpec)> {
        self.by_grade.iter().map(|(grade, (_, spec))| (*grade, spec))
    }

    /// Name of the policy in force for a grade.
    #[must_use]
    pub fn name_of(&self, grade: i32) -> Option<&str> {
        self.by_grade.get(&grade).map(|(name, _)| name.as_str())
    }
}

/// Where a service goes beyond the policy of its grade, if there is one.
pub(super) fn beyond_of(spec: &SharedServiceSpec, policies: &Policies) -> Vec<Violation> {
    let found = policies.by_grade.get(&spec.grade);
    found.map(|(name, policy)| beyond(spec, name, policy)).unwrap_or_default()
}

/// Where a service goes beyond what its grade allows. It is operated all the same: a stricter policy must not switch a
/// running service off.
fn beyond(spec: &SharedServiceSpec, name: &str, policy: &GradePolicySpec) -> Vec<Violation> {
    let objectives = spec.objectives.clone().unwrap_or_default();
    let mut found = Vec::new();
    let mut longer =
        |path: &str, stated: Option<crate::api::Duration>, limit: Option<crate::api::Duration>| {
            if let (Some(stated), Some(limit)) = (stated, limit)
                && stated > limit
            {
                found.push(Violation::new(
                    path,
                    format!("{stated} is too long: GradePolicy {name} allows at most {limit}"),
                ));
            }
        };
    longer("spec.objectives.rto", objectives.rto, policy.rto);
    longer("spec.objectives.rpo", objectives.rpo, policy.rpo);
    longer("spec.health.interval", Some(spec.health.interval), policy.max_interval);
    let mut fewer = |path: &str, stated: Option<i32>, limit: Option<i32>| {
        if let (Some(stated), Some(limit)) = (stated, limit)
            && stated < limit
        {
            found.push(Violation::new(
                path,
                format!("{stated} is too few: GradePolicy {name} allows no fewer than {limit}"),
            ));
        }
    };
    fewer("spec.health.vantages.quorum", Some(spec.health.vantages.quorum), policy.min_vantage_quorum);
    fewer("spec.failover.approvals", spec.failover.approvals, policy.approvals);
    found
}
