//! "What would happen now?", asked from outside: looks once at resources and ledger, decides, touches nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use serde::Serialize;

use super::{
    agent::Agent,
    book::{self, Entry, VerdictEntry},
    catalog::Catalog,
    mirror::REGION_LEASE,
    parse::Violation,
    report::{
        failover::detail,
        service::{BLOCKED, READY, RECOMMEND, rule},
    },
    vantage::MemberVerdict,
};
use crate::{
    api::RuleStatus,
    domain::{
        Action, Identity, MemberHealth, Observation, Record, RegionName, ServiceKey, Term, Verdict, decide,
        predict, suppose_lost,
    },
    ports::{Expect, LedgerError},
};

/// How long a supposed vantage counts as alive: longer than any look takes.
const SUPPOSED_LEASE: Duration = Duration::from_secs(3600);

/// What would happen to one service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// The service.
    pub service: String,
    /// Epoch now.
    pub epoch: Option<u64>,
    /// Who serves now.
    pub serving: Vec<String>,
    /// The region whose loss is supposed; `None`: it is down, or nothing serves.
    pub supposed: Option<String>,
    /// `Ready`, `Recommend` or `Blocked`.
    pub outcome: &'static str,
    /// Why a move would be made.
    pub trigger: Option<&'static str>,
    /// Who would serve.
    pub to: Vec<String>,
    /// What would be done.
    pub steps: Vec<String>,
    /// Predicted time from the fault to verified service, in milliseconds.
    pub predicted_rto_millis: u64,
    /// The arithmetic behind it.
    pub arithmetic: String,
    /// What every rule says.
    pub rules: Vec<RuleStatus>,
}

/// Why there is no preview.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PreviewError {
    /// The ledger could not be read.
    #[error("read the ledger: {0}")]
    Ledger(LedgerError),
    /// The resources could not be read.
    #[error("read the resources: no full read yet")]
    Resources,
    /// There is no such service.
    #[error("there is no SharedService {wanted}; there are: {known}")]
    NoService {
        /// What was asked for.
        wanted: String,
        /// What is there.
        known: String,
    },
    /// The service cannot be understood.
    #[error("SharedService {service} is not valid: {}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// The service.
        service: String,
        /// What is wrong with it.
        violations: Vec<Violation>,
    },
    /// The region does not serve.
    #[error("{region} does not serve {service}; {serving} does")]
    NotServing {
        /// The region whose loss was supposed.
        region: RegionName,
        /// The service.
        service: String,
        /// Who serves.
        serving: String,
    },
}

impl Agent {
    /// Reads resources and ledger once. The process takes no lease and starts no check.
    ///
    /// # Errors
    /// One of the two could not be read.
    pub async fn look_once(&self) -> Result<(), PreviewError> {
        let snapshot = self.ports.resources.snapshot().ok_or(PreviewError::Resources)?;
        self.shared().catalog = Arc::new(Catalog::new(snapshot, &Catalog::default()));
        let ledger = &self.ports.ledger;
        if let Some(change) = ledger.watch("").next().await {
            self.mirror.apply(change);
        }
        self.mirror.set_leases(ledger.leases().await.map_err(PreviewError::Ledger)?);
        self.forget_survey();
        Ok(())
    }

    /// Writes into the ledger that every region watches, that all members are healthy, and who serves by the spec: for
    /// a look at manifests that no Bongsu runs yet. Only for a ledger of one's own.
    ///
    /// # Errors
    /// The ledger could not be written.
    pub async fn suppose_all_well(&self) -> Result<(), PreviewError> {
        let catalog = self.catalog();
        let incarnation = Identity::new("supposed");
        let ledger = self.ports.ledger.as_ref();
        let mut term = Term::default();
        for region in catalog.regions.keys() {
            let lease = format!("{REGION_LEASE}{region}");
            let taken = ledger.acquire(&lease, &incarnation, SUPPOSED_LEASE).await;
            term = term.max(taken.map_err(PreviewError::Ledger)?.unwrap_or_default());
        }
        for (key, entry) in &catalog.services {
            let Ok(parsed) = &entry.parsed else { continue };
            let well = MemberVerdict {
                verdict: Verdict::Healthy,
                onset: None,
                since: self.ports.clock.wall(),
                reason: String::new(),
                symptom: None,
                beyond: None,
            };
            let members: BTreeMap<RegionName, MemberVerdict> =
                parsed.service.members.keys().map(|region| (region.clone(), well.clone())).collect();
            let said = VerdictEntry { incarnation: incarnation.clone(), term, members };
            for vantage in catalog.regions.keys() {
                let entry = Entry::Verdict(vantage.clone(), key.clone());
                book::put(ledger, &entry, &said, Expect::Absent, None).await.map_err(PreviewError::Ledger)?;
            }
            self.forget_survey();
            let seen = self.observe(parsed, &catalog);
            let Some(change) = decide(&seen).wanted else { continue };
            let record = Record {
                epoch: crate::domain::Epoch(1),
                serving: change.to,
                away: BTreeMap::new(),
                changed_at: self.ports.clock.wall(),
                last_automatic: None,
                run: None,
                fenced: false,
            };
            let entry = Entry::Record(key.clone());
            book::put(ledger, &entry, &record, Expect::Absent, None).await.map_err(PreviewError::Ledger)?;
        }
        self.look_once().await
    }

    /// Services that can be asked about.
    #[must_use]
    pub fn known_services(&self) -> Vec<ServiceKey> {
        self.catalog().services.keys().cloned().collect()
    }

    /// What would happen to a service if `lost`, or else the first member that serves, were lost now.
    ///
    /// # Errors
    /// The service does not exist or is not valid, or the region does not serve.
    pub async fn preview(
        &self,
        key: &ServiceKey,
        lost: Option<&RegionName>,
    ) -> Result<Preview, PreviewError> {
        let catalog = self.catalog();
        let entry = catalog.services.get(key).ok_or_else(|| PreviewError::NoService {
            wanted: key.to_string(),
            known: catalog.services.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        })?;
        let parsed = entry.parsed.as_ref().map_err(|violations| PreviewError::Invalid {
            service: key.to_string(),
            violations: violations.clone(),
        })?;
        let seen = self.look(parsed, &catalog).await;
        let supposed = supposed(&seen, lost)?;
        let asked = supposed.as_ref().map_or_else(|| seen.clone(), |r| suppose_lost(&seen, r, seen.wall));
        Ok(preview(key, &asked, supposed))
    }
}

/// The region whose loss is supposed; none if one that serves is down already.
fn supposed(seen: &Observation, lost: Option<&RegionName>) -> Result<Option<RegionName>, PreviewError> {
    let Some(record) = &seen.record else { return Ok(None) };
    if let Some(region) = lost {
        return match record.serving.contains(region) {
            true => Ok(Some(region.clone())),
            false => Err(PreviewError::NotServing {
                region: region.clone(),
                service: seen.service.key.to_string(),
                serving: record.serving.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            }),
        };
    }
    let down = |r: &RegionName| seen.member(r).is_some_and(|m| seen.health(m) == MemberHealth::Down);
    Ok(match record.serving.iter().any(down) {
        true => None,
        false => record.serving.first().cloned(),
    })
}

fn preview(key: &ServiceKey, seen: &Observation, supposed: Option<RegionName>) -> Preview {
    let decision = decide(seen);
    let prediction = predict(&seen.service, &seen.timings);
    let plan = decision.plan(seen);
    let steps = plan.iter().flat_map(|plan| &plan.steps);
    Preview {
        service: key.to_string(),
        epoch: seen.record.as_ref().map(|record| record.epoch.0),
        serving: seen.record.iter().flat_map(|r| &r.serving).map(ToString::to_string).collect(),
        supposed: supposed.map(|region| region.to_string()),
        outcome: match decision.action {
            Action::Start(_) => READY,
            Action::Recommend(_) => RECOMMEND,
            Action::Hold => BLOCKED,
        },
        trigger: decision.wanted.as_ref().map(|change| change.trigger.as_str()),
        to: decision.wanted.iter().flat_map(|change| &change.to).map(ToString::to_string).collect(),
        steps: steps
            .map(|step| match detail(step) {
                Some(detail) => format!("{} ({detail})", step.kind().as_str()),
                None => step.kind().as_str().to_owned(),
            })
            .collect(),
        predicted_rto_millis: u64::try_from(prediction.total().as_millis()).unwrap_or(u64::MAX),
        arithmetic: prediction.to_string(),
        rules: decision.rules.iter().map(rule).collect(),
    }
}
