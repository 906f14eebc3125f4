//! What people want of drills.

use std::sync::Arc;

use serde_json::json;

use super::DrillWish;
use crate::{
    api::{Approval, ApprovalSpec, DrillRun, DrillRunSpec, SwitchoverDrill},
    ports::Snapshot,
    sim::{moment::Moment, network::Site, setup::Setup, world::State},
};

impl DrillWish {
    /// Applies the drill in every site whose API server answers, as a pipeline does, and creates a run of it in one.
    pub(super) fn apply(&self, state: &mut State, setup: &Setup, site: Site, number: usize, now: Moment) {
        let Some(drill) = self.drill(setup, number) else { return };
        let name = (self.service.namespace.to_string(), format!("drill-{number}"));
        let drill = Arc::new(drill);
        for cluster in state.clusters.list.iter_mut().filter(|cluster| cluster.answers()) {
            cluster.change(|snapshot| {
                snapshot.drills.insert(name.clone(), drill.clone());
            });
        }
        let mut run = DrillRun::new(
            &format!("drill-{number}-1"),
            DrillRunSpec {
                drill_name: name.1,
                starts_at: None,
                reason: "a person wants it".to_owned(),
                requested_by: Some("coordinator".to_owned()),
                abort: false,
            },
        );
        run.metadata.namespace = Some(name.0);
        if let Some(cluster) = state.clusters.at_mut(site).filter(|cluster| cluster.answers()) {
            cluster.create_drill_run(run, now);
        }
    }

    /// `None`: the service has no group to drill.
    fn drill(&self, setup: &Setup, number: usize) -> Option<SwitchoverDrill> {
        let services = match self.group {
            true => json!({"partOf": setup.service(&self.service)?.part_of.as_ref()?}),
            false => json!({"names": [self.service.name]}),
        };
        let drill = json!({
            "apiVersion": "bongsu.io/v1alpha1",
            "kind": "SwitchoverDrill",
            "metadata": {
                "name": format!("drill-{number}"), "namespace": self.service.namespace, "generation": 1
            },
            "spec": {
                "services": services,
                "direction": {"alternate": true},
                "kind": if self.dry_run { "DryRun" } else { "Live" },
                "hold": format!("{}s", self.hold.as_secs()),
                "guardrails": {"maxDuration": format!("{}s", self.max_duration.as_secs())},
                "approvals": self.approvals,
            },
        });
        serde_json::from_value(drill).ok()
    }
}

/// A person says yes to every run that is there.
pub(super) fn approve(state: &mut State, site: Site, who: &str) {
    change(state, site, |snapshot| {
        for (namespace, run) in snapshot.drill_runs.keys() {
            let spec = ApprovalSpec {
                drill_run_name: run.clone(),
                approver: who.to_owned(),
                comment: None,
                expires_at: None,
            };
            let name = format!("{run}-{who}");
            let mut approval = Approval::new(&name, spec);
            approval.metadata.namespace = Some(namespace.clone());
            snapshot.approvals.insert((namespace.clone(), name), Arc::new(approval));
        }
    });
}

/// A person stops every run that is there.
pub(super) fn abort(state: &mut State, site: Site) {
    change(state, site, |snapshot| {
        for run in snapshot.drill_runs.values_mut().filter(|run| !run.spec.abort) {
            let run = Arc::make_mut(run);
            run.spec.abort = true;
            run.metadata.generation = run.metadata.generation.map(|generation| generation + 1);
        }
    });
}

fn change(state: &mut State, site: Site, change: impl FnOnce(&mut Snapshot)) {
    if let Some(cluster) = state.clusters.at_mut(site).filter(|cluster| cluster.answers()) {
        cluster.change(change);
    }
}
