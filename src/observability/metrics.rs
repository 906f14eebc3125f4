//! Every metric of Bongsu: one struct, one registration.
//!
//! Label values are bounded: by enums of this code, or by objects that people wrote into the cluster. Series of an
//! object go when the object goes, by the `forget_*` methods; call them after its probes have ended, because a late
//! sample would bring its series back.

use std::time::Duration;

use prometheus::{Registry, process_collector::ProcessCollector};

use super::{
    CallResult, DecisionOutcome, Exposition, LedgerOperation, NextMoveOutcome, PassOutcome, Phase,
    SkipReason, StepResult, family::families, http::encode,
};
use crate::domain::{
    DrillVerdict, Epoch, MemberHealth, Outcome, Ready, RegionName, ServiceKey, Stage, Stretch, Verdict,
};

/// Within a data center a good answer takes 1 to 20 ms, between data centers 5 to 60 ms; latency limits and timeouts
/// are mostly 0.5, 1 or 2 s. Eight bounds, because there are three histograms for each service with three members.
const PROBE_SECONDS: &[f64] = &[0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0];

/// An update of one record takes 2 to 30 ms with the store's quorum in one city and up to 100 ms across the country;
/// a renewal that needs more than 5 s of a 15 s lease is as good as lost.
const LEDGER_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// A timer is late by a millisecond; a sample that begins half an interval late is none, and the shortest interval is 500 ms.
const LAG_SECONDS: &[f64] = &[0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0];

/// A pass over one service is some map look-ups when nothing changed, and some ledger calls when something did.
const PASS_SECONDS: &[f64] = &[0.000_1, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0];

/// Detection takes 3 to 15 s with usual windows, a lease 15 s, a resolver 5 to 60 s; objectives are minutes to hours.
const PHASE_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

families! {
    /// Every metric. Made once in a process, shared by reference.
    Metrics {
        /// 1 for what this vantage says of a member, 0 for the other verdicts.
        verdict: IntGaugeVec = "bongsu_verdict" [namespace, service, member, verdict];
        /// Samples taken by this vantage, by what they saw.
        samples: IntCounterVec = "bongsu_samples_total" [namespace, service, member, check, outcome];
        /// Samples that do not count, because this vantage was late or busy.
        samples_skipped: IntCounterVec = "bongsu_samples_skipped_total" [reason];
        /// Time by which samples began later than they were due: what this vantage cannot keep up with.
        probe_lag: HistogramVec = "bongsu_probe_lag_seconds" [] in LAG_SECONDS;
        /// Samples of a grade of which this vantage takes one: 1 while it can keep up, else 2 or 4.
        probe_stride: IntGaugeVec = "bongsu_probe_stride" [grade];
        /// Time from the first packet of a sample to its judgement.
        probe_duration: HistogramVec = "bongsu_probe_duration_seconds" [namespace, service, member] in PROBE_SECONDS;
        /// Time that samples of this vantage spent in each stage of their way, all services of a region together.
        stage_time: CounterVec = "bongsu_probe_stage_seconds_total" [member, stage];
        /// 1 for the health of what serves now, by the quorum of vantages, 0 for the other words.
        service_health: IntGaugeVec = "bongsu_service_health" [namespace, service, health];
        /// 1 if clients are led to the member, 0 if not.
        serving: IntGaugeVec = "bongsu_serving" [namespace, service, member];
        /// Fencing epoch of the service: grows by one at each change of who serves.
        epoch: IntGaugeVec = "bongsu_epoch" [namespace, service];
        /// 1 for what would happen if the serving region were lost now, 0 for the other outcomes.
        next_move: IntGaugeVec = "bongsu_next_move" [namespace, service, outcome];
        /// Condition of the service: 1 true, 0 false, -1 unknown.
        service_condition: IntGaugeVec = "bongsu_service_condition" [namespace, service, condition];
        /// Whether the service could be switched to the region: 1 yes, 0 no, -1 nobody knows; no series where it would not go.
        ready_to_switch: IntGaugeVec = "bongsu_ready_to_switch" [namespace, service, region];
        /// 1 while a Failover of the service waits for a person, 0 otherwise.
        failover_paused: IntGaugeVec = "bongsu_failover_paused" [namespace, service];
        /// Time since the last live drill of the service away from the region passed; no series if none ever did.
        drill_age: IntGaugeVec = "bongsu_drill_age_seconds" [namespace, service, region];
        /// 1 if no live drill of the service passed within its maxDrillAge, 0 if one did; no series without maxDrillAge.
        drill_overdue: IntGaugeVec = "bongsu_drill_overdue" [namespace, service];
        /// Share of the automatic services whose drill is fresh, 0 to 1; without maxDrillAge, of which one ever passed.
        drill_coverage: GaugeVec = "bongsu_drill_coverage_ratio" [];
        /// Runs of drills that this process saw to their end as the leader, by verdict.
        drill_runs: IntCounterVec = "bongsu_drill_runs_total" [namespace, drill, verdict];
        /// Decisions, by outcome.
        decisions: IntCounterVec = "bongsu_decisions_total" [outcome];
        /// Evaluations of rules that did not let a move pass, by rule and outcome.
        rule_blocks: IntCounterVec = "bongsu_rule_blocks_total" [rule, outcome];
        /// Tries of steps, by kind and result.
        steps: IntCounterVec = "bongsu_steps_total" [kind, result];
        /// Time that each phase of a completed failover took.
        phase_duration: HistogramVec = "bongsu_failover_phase_duration_seconds" [phase] in PHASE_SECONDS;
        /// Time of ledger calls, by operation and result.
        ledger_duration: HistogramVec = "bongsu_ledger_call_duration_seconds" [operation, result] in LEDGER_SECONDS;
        /// Reconcile passes, by outcome.
        passes: IntCounterVec = "bongsu_reconcile_passes_total" [outcome];
        /// Time of reconcile passes.
        pass_duration: HistogramVec = "bongsu_reconcile_pass_duration_seconds" [] in PASS_SECONDS;
        /// 1 while this process holds the leader lease, 0 otherwise.
        leader: IntGaugeVec = "bongsu_leader" [];
        /// 1 for where this process has the specs from: `cluster`, or `ledger` while its own API server has not answered since the start.
        spec_source: IntGaugeVec = "bongsu_spec_source" [source];
        /// 1 while two installations call themselves by this region's name, 0 otherwise.
        identity_conflict: IntGaugeVec = "bongsu_identity_conflict" [];
        /// Promises that gates without the ledger asked this process for, by result.
        promises: IntCounterVec = "bongsu_promises_total" [result];
        /// 1 if the region's Bongsu renews its lease, as this process sees it, 0 if not.
        vantage_alive: IntGaugeVec = "bongsu_vantage_alive" [region];
        /// Always 1; the labels say which build runs, and in which region.
        build_info: IntGaugeVec = "bongsu_build_info" [version, commit, region];
    }
}

/// Which build runs, and where.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// Version of the package.
    pub version: &'a str,
    /// Commit that it was built from.
    pub commit: &'a str,
    /// This process's region.
    pub region: &'a RegionName,
}

impl Exposition for Metrics {
    fn render(&self) -> Result<String, prometheus::Error> {
        Self::render(self)
    }
}

impl Metrics {
    /// All metrics in a registry of their own, with those of the process (CPU, memory, open files, start time).
    ///
    /// # Errors
    /// Two metrics share a name, or a name is not a valid one. Only a change of this file can cause it.
    pub fn new(build: Build<'_>) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let metrics = Self::register(registry)?;
        let Build { version, commit, region } = build;
        metrics.build_info.with([version, commit, region.as_str()]).set(1);
        metrics.show_zeros();
        Ok(metrics)
    }

    /// Everything in the Prometheus text format.
    ///
    /// # Errors
    /// A metric cannot be written as text; the others cannot be shown either.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        encode(&self.registry)
    }

    /// What this vantage says of a member now.
    pub fn set_verdict(&self, service: &ServiceKey, member: &RegionName, verdict: Verdict) {
        for other in Verdict::ALL {
            let labels = [&*service.namespace, &*service.name, member.as_str(), other.as_str()];
            self.verdict.with(labels).set(i64::from(other == verdict));
        }
    }

    /// One sample was taken.
    pub fn count_sample(
        &self,
        service: &ServiceKey,
        member: &RegionName,
        check: &str,
        outcome: Outcome,
        latency: Duration,
    ) {
        let (namespace, name, member) = (&*service.namespace, &*service.name, member.as_str());
        self.samples.with([namespace, name, member, check, outcome.as_str()]).inc();
        self.probe_duration.with([namespace, name, member]).observe(latency.as_secs_f64());
    }

    /// A sample began later than it was due.
    pub fn observe_probe_lag(&self, lag: Duration) {
        self.probe_lag.with([]).observe(lag.as_secs_f64());
    }

    /// A sample of a member spent time in a stage.
    pub fn add_stage_time(&self, member: &RegionName, stage: Stage, time: Duration) {
        self.stage_time.with([member.as_str(), stage.as_str()]).inc_by(time.as_secs_f64());
    }

    /// One sample does not count.
    pub fn count_skipped_sample(&self, reason: SkipReason) {
        self.samples_skipped.with([reason.as_str()]).inc();
    }

    /// How many samples are left out.
    pub fn set_probe_stride(&self, stretch: Stretch) {
        for grade in 1..=4_u8 {
            let stride = i64::try_from(stretch.stride(grade)).unwrap_or(i64::MAX);
            self.probe_stride.with([grade.to_string().as_str()]).set(stride);
        }
    }

    /// Health of what serves now.
    pub fn set_service_health(&self, service: &ServiceKey, health: MemberHealth) {
        for other in MemberHealth::ALL {
            let labels = [&*service.namespace, &*service.name, other.as_str()];
            self.service_health.with(labels).set(i64::from(other == health));
        }
    }

    /// Whether clients are led to a member.
    pub fn set_serving(&self, service: &ServiceKey, member: &RegionName, serving: bool) {
        self.serving.with([&service.namespace, &service.name, member.as_str()]).set(i64::from(serving));
    }

    /// Fencing epoch of a service.
    pub fn set_epoch(&self, service: &ServiceKey, epoch: Epoch) {
        let epoch = i64::try_from(epoch.0).unwrap_or(i64::MAX);
        self.epoch.with([&service.namespace, &service.name]).set(epoch);
    }

    /// What would happen if the serving region were lost now.
    pub fn set_next_move(&self, service: &ServiceKey, outcome: NextMoveOutcome) {
        for &other in NextMoveOutcome::ALL {
            let labels = [&*service.namespace, &*service.name, other.as_str()];
            self.next_move.with(labels).set(i64::from(other == outcome));
        }
    }

    /// One condition of a service; `None` is unknown. `condition` is a word of `api::ConditionType`.
    pub fn set_service_condition(&self, service: &ServiceKey, condition: &'static str, status: Option<bool>) {
        let value = status.map_or(-1, i64::from);
        self.service_condition.with([&service.namespace, &service.name, condition]).set(value);
    }

    /// Whether a service could be switched to a region; `None`: it would not go there.
    pub fn set_ready_to_switch(&self, service: &ServiceKey, region: &RegionName, ready: Option<Ready>) {
        let labels = [&*service.namespace, &*service.name, region.as_str()];
        let value = match ready {
            Some(Ready::Yes) => 1,
            Some(Ready::No) => 0,
            Some(Ready::Unknown) => -1,
            None => return self.ready_to_switch.forget_one(labels),
        };
        self.ready_to_switch.with(labels).set(value);
    }

    /// Whether a Failover of a service waits for a person.
    pub fn set_failover_paused(&self, service: &ServiceKey, paused: bool) {
        self.failover_paused.with([&service.namespace, &service.name]).set(i64::from(paused));
    }

    /// Age of the last drill of a service away from a region; `None`: none passed.
    pub fn set_drill_age(&self, service: &ServiceKey, region: &RegionName, age: Option<Duration>) {
        let labels = [&*service.namespace, &*service.name, region.as_str()];
        match age {
            Some(age) => self.drill_age.with(labels).set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX)),
            None => self.drill_age.forget_one(labels),
        }
    }

    /// Whether a service has gone without a drill for too long; `None`: it states no limit.
    pub fn set_drill_overdue(&self, service: &ServiceKey, overdue: Option<bool>) {
        let labels = [&*service.namespace, &*service.name];
        match overdue {
            Some(overdue) => self.drill_overdue.with(labels).set(i64::from(overdue)),
            None => self.drill_overdue.forget_one(labels),
        }
    }

    /// Share of the automatic services whose drill is fresh; `None`: there is no such service.
    pub fn set_drill_coverage(&self, share: Option<f64>) {
        match share {
            Some(share) => self.drill_coverage.with([]).set(share),
            None => self.drill_coverage.forget_all(),
        }
    }

    /// A drill is there: its counts begin at 0, because `increase()` does not see a first count.
    pub fn show_drill(&self, namespace: &str, drill: &str) {
        DrillVerdict::ALL.iter().for_each(|verdict| {
            drop(self.drill_runs.with([namespace, drill, verdict.as_str()]));
        });
    }

    /// A run of a drill is over.
    pub fn count_drill_run(&self, namespace: &str, drill: &str, verdict: DrillVerdict) {
        self.drill_runs.with([namespace, drill, verdict.as_str()]).inc();
    }

    /// One decision was made.
    pub fn count_decision(&self, outcome: DecisionOutcome) {
        self.decisions.with([outcome.as_str()]).inc();
    }

    /// One rule did not let a move pass. Both are words of the domain's enums.
    pub fn count_rule_block(&self, rule: &'static str, outcome: &'static str) {
        self.rule_blocks.with([rule, outcome]).inc();
    }

    /// One try of a step ended. `kind` is a word of the domain's enum of steps.
    pub fn count_step(&self, kind: &'static str, result: StepResult) {
        self.steps.with([kind, result.as_str()]).inc();
    }

    /// One phase of a completed failover.
    pub fn observe_phase(&self, phase: Phase, time: Duration) {
        self.phase_duration.with([phase.as_str()]).observe(time.as_secs_f64());
    }

    /// One call of the ledger.
    pub fn observe_ledger_call(&self, operation: LedgerOperation, result: CallResult, time: Duration) {
        self.ledger_duration.with([operation.as_str(), result.as_str()]).observe(time.as_secs_f64());
    }

    /// One reconcile pass.
    pub fn observe_pass(&self, outcome: PassOutcome, time: Duration) {
        self.passes.with([outcome.as_str()]).inc();
        self.pass_duration.with([]).observe(time.as_secs_f64());
    }

    /// A gate that does not reach the ledger was promised not to lose its lease, or was not.
    pub fn count_promise(&self, given: bool) {
        self.promises.with([if given { "given" } else { "refused" }]).inc();
    }

    /// Whether this process holds the leader lease.
    pub fn set_leader(&self, leader: bool) {
        self.leader.with([]).set(i64::from(leader));
    }

    /// Where the specs are from: the ledger, or the cluster; `None`: they were not read yet.
    pub fn set_spec_source(&self, from_ledger: Option<bool>) {
        for (source, is) in [("cluster", Some(false)), ("ledger", Some(true))] {
            self.spec_source.with([source]).set(i64::from(from_ledger == is));
        }
    }

    /// Whether another installation calls itself by this region's name.
    pub fn set_identity_conflict(&self, conflict: bool) {
        self.identity_conflict.with([]).set(i64::from(conflict));
    }

    /// Whether a region's Bongsu renews its lease.
    pub fn set_vantage_alive(&self, region: &RegionName, alive: bool) {
        self.vantage_alive.with([region.as_str()]).set(i64::from(alive));
    }

    /// The service is gone: so are all of its series.
    pub fn forget_service(&self, service: &ServiceKey) {
        self.forget(&[("namespace", &service.namespace), ("service", &service.name)]);
    }

    /// Another process shows the statuses of all services now; what this one's vantage sees stays.
    pub fn forget_statuses(&self) {
        self.service_health.forget_all();
        self.serving.forget_all();
        self.epoch.forget_all();
        self.next_move.forget_all();
        self.service_condition.forget_all();
        self.ready_to_switch.forget_all();
        self.failover_paused.forget_all();
        self.drill_age.forget_all();
        self.drill_overdue.forget_all();
        self.drill_coverage.forget_all();
    }

    /// The SwitchoverDrill is gone.
    pub fn forget_drill(&self, namespace: &str, drill: &str) {
        self.drill_runs.forget(&[("namespace", namespace), ("drill", drill)]);
    }

    /// The member is gone from the service's spec.
    pub fn forget_member(&self, service: &ServiceKey, member: &RegionName) {
        let Self { verdict, samples, probe_duration, serving, drill_age, ready_to_switch, .. } = self;
        let wanted =
            [("namespace", &*service.namespace), ("service", &*service.name), ("member", member.as_str())];
        verdict.forget(&wanted);
        samples.forget(&wanted);
        probe_duration.forget(&wanted);
        serving.forget(&wanted);
        let [namespace, service, _] = wanted;
        drill_age.forget(&[namespace, service, ("region", member.as_str())]);
        ready_to_switch.forget(&[namespace, service, ("region", member.as_str())]);
    }

    /// The check is gone from the service's spec.
    pub fn forget_check(&self, service: &ServiceKey, check: &str) {
        self.samples.forget(&[
            ("namespace", &service.namespace),
            ("service", &service.name),
            ("check", check),
        ]);
    }

    /// The Region is gone.
    pub fn forget_vantage(&self, region: &RegionName) {
        self.vantage_alive.forget(&[("region", region.as_str())]);
    }

    /// Counters whose labels are known start at 0: a counter that appears with its first count loses that count in
    /// `rate()`.
    fn show_zeros(&self) {
        ["given", "refused"].iter().for_each(|result| drop(self.promises.with([result])));
        self.leader.with([]).set(0);
        self.set_spec_source(None);
        self.set_identity_conflict(false);
        SkipReason::ALL.iter().for_each(|reason| drop(self.samples_skipped.with([reason.as_str()])));
        DecisionOutcome::ALL.iter().for_each(|outcome| drop(self.decisions.with([outcome.as_str()])));
        PassOutcome::ALL.iter().for_each(|outcome| drop(self.passes.with([outcome.as_str()])));
        Phase::ALL.iter().for_each(|phase| drop(self.phase_duration.with([phase.as_str()])));
    }
}
