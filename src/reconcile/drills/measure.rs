//! Numbers for the conditions of drills, and limits for the samples that are taken here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;

use crate::{
    api::PrometheusServer,
    domain::{
        Condition, DrillPhase, DrillRun, Measured, RegionName, RunId, SampleLimits, ServiceKey, Timestamp,
        VantageView,
    },
    ports::{Meter, Metering, MeteringError},
    reconcile::{agent::Agent, catalog::Catalog, parse::Parsed},
};

/// Time between two questions about the same number. Most Prometheus servers scrape every 15 to 60 s, so this is more
/// often than the numbers change.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two looks at what is to be asked: a run that a person has just created waits for its first answers.
const MEASURE_LOOK: Duration = Duration::from_secs(1);

/// Time before its start from which on a run's numbers are asked for.
pub(super) const AHEAD: Duration = Duration::from_secs(15);

/// Age from which on an answer says nothing any more: two questions that got none.
pub(super) const STALE: Duration = Duration::from_secs(15);

type Question = (Arc<str>, RunId, usize);

impl Agent {
    /// Asks for the numbers of all runs that are about to start or going on, until the process ends. A task of its own: a
    /// Prometheus that hangs keeps no drill from being looked at.
    pub(in crate::reconcile) async fn measure_conditions(self: Arc<Self>, metering: Arc<dyn Metering>) {
        loop {
            self.ports.clock.sleep(MEASURE_LOOK).await;
            if !self.mirror.is_ready() || !self.is_leader() {
                continue;
            }
            let catalog = self.catalog();
            let now = self.ports.clock.wall();
            let runs: Vec<Arc<DrillRun>> = self
                .mirror
                .drills()
                .into_iter()
                .map(|(_, run)| run)
                .filter(|run| is_near(run, now))
                .collect();
            let open = |(namespace, id, _): &Question| {
                runs.iter().any(|run| run.namespace == *namespace && run.id == *id)
            };
            self.shared().measured.retain(|question, _| open(question));
            let questions = runs.iter().flat_map(|run| {
                let all = run.conditions.iter().enumerate();
                all.filter(|(_, asked)| asked.is_asked_in(run.phase))
                    .map(|(index, asked)| (run.clone(), index, asked.clone()))
            });
            let due: Vec<_> = questions.filter(|(run, index, _)| self.is_due(run, *index)).collect();
            join_all(due.into_iter().map(|(run, index, asked)| {
                let (agent, metering, catalog) = (&self, metering.as_ref(), &catalog);
                async move {
                    let measured = agent.measured_now(metering, &run, &asked, catalog).await;
                    let at = agent.ports.clock.tick();
                    let question = (run.namespace.clone(), run.id.clone(), index);
                    agent.shared().measured.insert(question, (at, measured));
                }
            }))
            .await;
        }
    }

    fn is_due(&self, run: &DrillRun, index: usize) -> bool {
        let now = self.ports.clock.tick();
        let known = self.shared().measured.get(&(run.namespace.clone(), run.id.clone(), index)).cloned();
        known.is_none_or(|(at, _)| now.since(at) >= MEASURE_INTERVAL)
    }

    async fn measured_now(
        &self,
        metering: &dyn Metering,
        run: &DrillRun,
        asked: &Condition,
        catalog: &Catalog,
    ) -> Measured {
        let drill = catalog.snapshot.drills.get(&(run.namespace.to_string(), run.drill.to_string()));
        let Some(server) = drill.and_then(|drill| drill.spec.prometheus.as_ref()) else {
            return Measured::Unknown(format!("SwitchoverDrill {} names no prometheus any more", run.drill));
        };
        let answer = self.ask_prometheus(metering, &run.namespace, server, &asked.query).await;
        answer.map_or_else(Measured::Unknown, Measured::Values)
    }

    /// Asks, and once more with another token if the Secret has one by now and the first was refused.
    async fn ask_prometheus(
        &self,
        metering: &dyn Metering,
        namespace: &str,
        server: &PrometheusServer,
        query: &str,
    ) -> Result<Vec<f64>, String> {
        let meter = self.meter(namespace, server).await?;
        let refused = match metering.ask(&meter, query).await {
            Err(refused @ MeteringError::Unauthorized { .. }) => refused,
            answer => return answer.map_err(|error| error.to_string()),
        };
        let Some(at) = &server.token_secret_ref else { return Err(refused.to_string()) };
        self.ports.resources.doubt_secret(namespace, &at.name);
        let renewed = self.meter(namespace, server).await?;
        if renewed == meter {
            return Err(refused.to_string());
        }
        metering.ask(&renewed, query).await.map_err(|error| error.to_string())
    }

    async fn meter(&self, namespace: &str, server: &PrometheusServer) -> Result<Meter, String> {
        let token = match &server.token_secret_ref {
            None => None,
            Some(at) => {
                let read = self.ports.resources.secret(namespace, &at.name, &at.key).await;
                let bytes = read.map_err(|error| format!("prometheus.tokenSecretRef: {error}"))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| format!("key {} of Secret {namespace}/{} is no text", at.key, at.name))?;
                Some(Arc::from(text.trim()))
            }
        };
        Ok(Meter {
            url: Arc::from(server.url.as_str()),
            token,
            ca_bundle: server.ca_bundle.as_deref().map(Arc::from),
        })
    }

    /// What was measured for each condition of a run.
    pub(super) fn measured(&self, run: &DrillRun) -> Vec<Measured> {
        let now = self.ports.clock.tick();
        let shared = self.shared();
        let of = |index: usize| match shared.measured.get(&(run.namespace.clone(), run.id.clone(), index)) {
            _ if self.ports.metering.is_none() => {
                Measured::Unknown("this Bongsu cannot ask for numbers".to_owned())
            }
            None => Measured::NotAsked,
            Some((at, _)) if now.since(*at) > STALE => {
                Measured::Unknown(format!("the last answer is older than {STALE:?}"))
            }
            Some((_, measured)) => measured.clone(),
        };
        (0..run.conditions.len()).map(of).collect()
    }

    /// Judges the samples of this vantage by the limits of the drill that has a service in hand, or will have next.
    pub(super) fn limit_samples(&self) {
        let mut runs: Vec<Arc<DrillRun>> = self.mirror.drills().into_iter().map(|(_, run)| run).collect();
        runs.retain(|run| run.phase != DrillPhase::Over && run.limits.samples.is_some());
        runs.sort_by_key(|run| (!run.phase.is_going_on(), run.starts_at));
        let mut limits: BTreeMap<ServiceKey, SampleLimits> = BTreeMap::new();
        for run in &runs {
            let Some(own) = run.limits.samples else { continue };
            for drilled in &run.services {
                limits.entry(drilled.service.clone()).or_insert(own);
            }
        }
        self.vantage.limit(&limits);
    }

    /// What the vantages whose word counts say of the samples of each member: the first that is beyond its limits. One is
    /// enough: a drill loses nothing by returning.
    pub(super) fn beyond(&self, parsed: &Parsed, vantages: &[VantageView]) -> BTreeMap<RegionName, String> {
        self.mirror.with_verdicts(|said| {
            let said = said.of(&parsed.service.key, vantages);
            let mut beyond = BTreeMap::new();
            for (vantage, entry) in vantages.iter().zip(said).filter(|(vantage, _)| vantage.trusted()) {
                for (member, verdict) in entry.iter().flat_map(|entry| &entry.members) {
                    if let Some(found) = &verdict.beyond {
                        let text = || format!("{found} (seen from {})", vantage.region);
                        beyond.entry(member.clone()).or_insert_with(text);
                    }
                }
            }
            beyond
        })
    }
}

/// Going on, or about to start.
fn is_near(run: &DrillRun, now: Timestamp) -> bool {
    match run.phase {
        DrillPhase::Announced => run.starts_at.since(now) <= AHEAD,
        DrillPhase::Leaving | DrillPhase::Holding => true,
        DrillPhase::Returning | DrillPhase::Over => false,
    }
}
