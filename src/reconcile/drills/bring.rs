//! What people wrote about drills, brought from this cluster into the ledger.

use std::collections::BTreeMap;

use k8s_openapi::jiff;
use tracing::{info, warn};

use crate::{
    api,
    domain::{DrillPhase, DrillRun, RunId, Timestamp, Words, Yes},
    ports::{Expect, LedgerError},
    reconcile::{
        agent::Agent,
        book::{self, Entry},
        catalog::Catalog,
    },
};

impl Agent {
    /// Puts every new DrillRun, and every new word on one, into the ledger. Which region's Bongsu does it makes no
    /// difference: the key is the same, and of the words each region writes only its own.
    pub(super) async fn bring_drills(&self, catalog: &Catalog) {
        for ((namespace, name), object) in &catalog.snapshot.drill_runs {
            let id = RunId::new(name);
            let written = match self.mirror.drill(namespace, &id) {
                Some((version, run)) => {
                    let words = self.words_on(&run, object, catalog);
                    let known = run.words.get(&self.settings.region).cloned().unwrap_or_default();
                    if run.phase == DrillPhase::Over || words == known {
                        continue;
                    }
                    let mut next = (*run).clone();
                    next.words.insert(self.settings.region.clone(), words);
                    self.bring_drill(&next, Expect::Version(version)).await
                }
                None if is_over(object) => continue,
                None => match self.drill_run_of(namespace, id, object, catalog) {
                    Ok(run) => {
                        info!(drill_run = name, drill = object.spec.drill_name, "a drill is in the ledger");
                        self.bring_drill(&run, Expect::Absent).await
                    }
                    // Said on the object.
                    Err(_) => continue,
                },
            };
            if let Err(error) = written {
                warn!(drill_run = name, %error, "a drill is not in the ledger yet, trying again");
            }
        }
    }

    /// Under no lease: what people say is written by every region.
    async fn bring_drill(&self, run: &DrillRun, expect: Expect) -> Result<(), LedgerError> {
        let entry = Entry::Drill(run.namespace.clone(), run.id.clone());
        let version = book::put(self.ports.ledger.as_ref(), &entry, run, expect, None).await?;
        self.mirror.wrote(&entry, version, run);
        Ok(())
    }

    fn words_on(&self, run: &DrillRun, object: &api::DrillRun, catalog: &Catalog) -> Words {
        let said = catalog.snapshot.approvals.iter().filter(|((namespace, _), approval)| {
            **namespace == *run.namespace && approval.spec.drill_run_name == run.id.as_str()
        });
        let now = self.ports.clock.wall();
        let approvals: BTreeMap<String, Yes> = said
            .filter_map(|(_, approval)| {
                let until = match &approval.spec.expires_at {
                    // One that cannot be read counts for nobody: said on the object.
                    Some(text) => Some(instant(text)?),
                    None => None,
                };
                // Files have no such time; what was said in them is new when it is seen first.
                let known = run.words.get(&self.settings.region);
                let known = known.and_then(|words| words.approvals.get(&approval.spec.approver));
                let created = approval.metadata.creation_timestamp.as_ref();
                let created = created.map(|time| Timestamp(time.0.as_millisecond()));
                let at = created.unwrap_or_else(|| known.map_or(now, |yes| yes.at));
                Some((approval.spec.approver.clone(), Yes { at, until }))
            })
            .collect();
        Words { abort: object.spec.abort, approvals }
    }
}

/// A DrillRun that ended long ago is no wish, even if the ledger has forgotten it.
fn is_over(object: &api::DrillRun) -> bool {
    object.status.as_ref().is_some_and(|status| status.verdict.is_some())
}

/// A moment as users write it.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}
