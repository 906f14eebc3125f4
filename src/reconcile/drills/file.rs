//! Seals the report of a run that is over, keeps it in the ledger beside the run, and writes it where people find it.
//!
//! The ledger has the report before it has the end of the run: so whoever sees the end finds the report, every region can
//! write the same files, and a leader that dies in between loses nothing, because the next one ends the run and seals anew.

use std::{collections::BTreeMap, sync::Arc};

use tracing::{info, warn};

use super::{
    DRILL_LOOK,
    report::{Sources, moves_of},
    schedule::moment,
};
use crate::{
    domain::{DrillPhase, DrillRun, RunId, Timestamp},
    ports::{Event, EventKind, Expect, LedgerError, ObjectRef, Reports, ReportsError},
    reconcile::{agent::Agent, book::Entry, catalog::Catalog},
    report::{CanonicalError, DrillReport, Finding, Lang, Sealed, Severity, SigningKey, html, markdown},
};

/// How reports are sealed and written.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// Signs them; `None`: nobody does.
    pub key: Option<Arc<SigningKey>>,
    /// Language of the pages.
    pub language: Lang,
}

impl Default for Sealing {
    fn default() -> Self {
        Self { key: None, language: Lang::En }
    }
}

/// Largest report. A record of the ledger has at most 1,048,576 letters, and etcd takes 1.5 MB: with the backslashes that
/// JSON within JSON needs, a report grows by less than a fifth.
const REPORT_MAX: usize = 1_000_000;

/// Moments that are left in a report that would be larger: the last.
const TIMELINE_LEFT: usize = 1_000;

/// Looks at which a report that the ledger does not take keeps the run from ending: ten seconds. A drill that is over and
/// does not look so would keep the next one waiting.
const REPORT_TRIES: u32 = 10;

/// Reports that are written at one look: a process that starts looks at all of them once, and the ledger must not feel it.
const FILED_A_LOOK: usize = 16;

/// Which report of which run was written, by its digest.
type Filed = BTreeMap<(Arc<str>, RunId), String>;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum NoReport {
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    #[error("it has {0} bytes, and the ledger takes {REPORT_MAX}: drill fewer services at a time")]
    TooLarge(usize),
    #[error("it is no text")]
    NoText(#[from] std::string::FromUtf8Error),
}

impl Agent {
    /// Seals the report of a run that is over, and writes it to the ledger. The run itself is to be written afterwards.
    pub(super) async fn report_on(&self, run: &mut DrillRun, catalog: &Catalog) -> Result<(), LedgerError> {
        let (digest, text) = match self.sealed(run, catalog) {
            Ok(sealed) => sealed,
            Err(error) => {
                warn!(drill_run = %run.id, %error, "the drill ends without a report");
                return Ok(());
            }
        };
        let entry = Entry::Report(run.namespace.clone(), run.id.clone());
        let expect = self.mirror.report(&run.namespace, &run.id).map_or(Expect::Absent, Expect::Version);
        let place = (run.namespace.clone(), run.id.clone());
        match self.write_as_leader(&entry.key(), &text, expect).await {
            Ok(version) => {
                self.mirror.reported(&run.namespace, &run.id, Some(version));
                self.shared().unreported.remove(&place);
                run.report_digest = Some(digest);
                Ok(())
            }
            Err(error) => {
                let tries =
                    *self.shared().unreported.entry(place).and_modify(|tries| *tries += 1).or_insert(1);
                if tries < REPORT_TRIES {
                    return Err(error);
                }
                warn!(drill_run = %run.id, %error, "the drill ends without a report");
                Ok(())
            }
        }
    }

    /// Digest and text of the sealed report.
    fn sealed(&self, run: &DrillRun, catalog: &Catalog) -> Result<(String, String), NoReport> {
        let ids = run
            .services
            .iter()
            .flat_map(|drilled| moves_of(run, drilled).into_iter().map(|id| (drilled.service.clone(), id)));
        let moves = ids.filter_map(|(service, id)| Some((id.clone(), self.mirror.run(&service, &id)?.1)));
        let sources = Sources {
            moves: moves.collect(),
            samples: self.samples_of(run),
            next: self.next_run_of(run, catalog),
            previous: self.reported_before(run),
            due_by: self.drill_due_by(run, catalog),
            region: &self.settings.region,
            now: self.ports.clock.wall(),
            run,
            catalog,
        };
        let mut report = sources.report()?;
        let shorter: [fn(&mut DrillReport); 2] = [without_samples, with_less_of_the_timeline];
        let mut shorter = shorter.into_iter();
        loop {
            let sealed = Sealed::seal(report.clone(), self.settings.sealing.key.as_deref())?;
            let bytes = sealed.to_bytes()?;
            match (bytes.len() <= REPORT_MAX, shorter.next()) {
                (true, _) => return Ok((sealed.digest, String::from_utf8(bytes)?)),
                (false, Some(shorten)) => shorten(&mut report),
                (false, None) => return Err(NoReport::TooLarge(bytes.len())),
            }
        }
    }

    /// The run of the same drill whose report was sealed last. Runs are not written after their end, so of two that
    /// ended in the same millisecond the version tells.
    fn reported_before(&self, run: &DrillRun) -> Option<Arc<DrillRun>> {
        let mut runs = self.mirror.drills_of(&run.namespace, &run.drill);
        runs.retain(|(_, other)| {
            other.id != run.id && other.phase == DrillPhase::Over && other.report_digest.is_some()
        });
        runs.into_iter().max_by_key(|(version, other)| (other.ended_at, *version)).map(|(_, other)| other)
    }

    fn next_run_of(&self, run: &DrillRun, catalog: &Catalog) -> Option<Timestamp> {
        let key = (run.namespace.to_string(), run.drill.to_string());
        let table = catalog.timetables.get(&key)?.as_ref().as_ref().ok()?;
        let slot = table.next_free(moment(self.ports.clock.wall()))?;
        Some(Timestamp(slot.at.as_millisecond()))
    }

    /// Until when the first of its services had to be drilled.
    fn drill_due_by(&self, run: &DrillRun, catalog: &Catalog) -> Option<Timestamp> {
        let due = run.services.iter().filter_map(|drilled| {
            let age = catalog.parsed(&drilled.service)?.service.failover.max_drill_age?;
            let age = i64::try_from(age.as_millis()).ok()?;
            let last = self.mirror.with_passed(|passed| passed.last(&drilled.service))?;
            Some(Timestamp(last.0.saturating_add(age)))
        });
        due.min()
    }

    /// Removes the report of a run that is forgotten.
    pub(super) async fn forget_report(&self, run: &DrillRun) -> Result<(), LedgerError> {
        let Some(version) = self.mirror.report(&run.namespace, &run.id) else { return Ok(()) };
        let entry = Entry::Report(run.namespace.clone(), run.id.clone());
        self.ports.ledger.delete(&entry.key(), version).await?;
        self.mirror.reported(&run.namespace, &run.id, None);
        Ok(())
    }

    /// Writes every report where people find it, until the process ends. A task of its own: a directory that hangs keeps
    /// no drill waiting.
    pub(in crate::reconcile) async fn file_reports(self: Arc<Self>, reports: Arc<dyn Reports>) {
        let mut filed = Filed::new();
        let mut in_trouble = false;
        loop {
            self.ports.clock.sleep(DRILL_LOOK).await;
            if !self.mirror.is_ready() || !self.speaks() {
                continue;
            }
            let runs: Vec<Arc<DrillRun>> = self.mirror.drills().into_iter().map(|(_, run)| run).collect();
            filed.retain(|key, _| runs.iter().any(|run| run.namespace == key.0 && run.id == key.1));
            let due = |run: &&Arc<DrillRun>| {
                let written = filed.get(&(run.namespace.clone(), run.id.clone()));
                run.report_digest.is_some() && written != run.report_digest.as_ref()
            };
            let due: Vec<Arc<DrillRun>> = runs.iter().filter(due).take(FILED_A_LOOK).cloned().collect();
            for run in due {
                match self.file(reports.as_ref(), &run).await {
                    Ok(()) => in_trouble = false,
                    Err(error @ ReportsError::Differs { .. }) => self.tell_unfiled(&run, &error).await,
                    Err(error) => {
                        if !std::mem::replace(&mut in_trouble, true) {
                            self.tell_unfiled(&run, &error).await;
                        }
                        // What one report met the others would meet, too.
                        break;
                    }
                }
                let digest = run.report_digest.clone().unwrap_or_default();
                filed.insert((run.namespace.clone(), run.id.clone()), digest);
            }
        }
    }

    async fn file(&self, reports: &dyn Reports, run: &DrillRun) -> Result<(), ReportsError> {
        let name = format!("{}_{}", run.namespace, run.id);
        let key = Entry::Report(run.namespace.clone(), run.id.clone()).key();
        let unavailable = |cause: String| ReportsError::Unavailable { name: name.clone(), cause };
        let found = self.ports.ledger.get(&key).await.map_err(|error| unavailable(error.to_string()))?;
        let sealed = match found.as_ref().map(|found| Sealed::parse(found.value.as_bytes())) {
            Some(Ok(sealed)) if Some(&sealed.digest) == run.report_digest.as_ref() => sealed,
            Some(Err(error)) => {
                warn!(drill_run = %run.id, %error, "the report in the ledger cannot be read: it is not written");
                return Ok(());
            }
            Some(Ok(_)) | None => {
                warn!(drill_run = %run.id, "the ledger does not have the report any more: it is not written");
                return Ok(());
            }
        };
        let text = found.map(|found| found.value).unwrap_or_default();
        reports.store(&format!("{name}.json"), text.as_bytes()).await?;
        let language = self.settings.sealing.language;
        for (ending, page) in [("md", markdown(&sealed, language)), ("html", html(&sealed, language))] {
            match reports.store(&format!("{name}.{ending}"), page.as_bytes()).await {
                // Written in another language, or by another version: it says the same.
                Ok(()) | Err(ReportsError::Differs { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        info!(drill_run = %run.id, file = name, "the report of a drill is written");
        Ok(())
    }

    async fn tell_unfiled(&self, run: &DrillRun, error: &ReportsError) {
        let event = Event {
            object: ObjectRef {
                kind: "DrillRun",
                namespace: run.namespace.to_string(),
                name: run.id.to_string(),
            },
            kind: EventKind::Warning,
            reason: "ReportNotWritten".to_owned(),
            action: "Drill".to_owned(),
            note: format!("{error}; the ledger keeps the report"),
        };
        self.tell(event).await;
    }
}

fn without_samples(report: &mut DrillReport) {
    report.services.iter_mut().for_each(|service| service.samples.clear());
}

fn with_less_of_the_timeline(report: &mut DrillReport) {
    let left_out = report.timeline.len().saturating_sub(TIMELINE_LEFT);
    report.timeline.drain(..left_out);
    report.findings.push(Finding {
        id: format!("F{}", report.findings.len() + 1),
        severity: Severity::Low,
        service: None,
        text: format!("the first {left_out} moments were left out, because the report would be too large"),
    });
}
