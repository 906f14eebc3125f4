//! From a file to a scenario that can be played, or to everything that is wrong with it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{
    deed::Deed,
    file::{Entry, Expectation, File, Later},
    names::{Names, Wrong},
    paths,
};
use crate::{
    adapters::manifests::{Admission, FieldPath, Finding, Origin, Source, Violation, closest, read_document},
    domain::{RegionName, ServiceKey, StepKind},
    sim::{Moment, Setup, Site},
};

/// Length of the leases as `bongsu run` has it.
const LEASE_TTL: Duration = Duration::from_secs(15);

/// A day: longer than any scenario that somebody waits for.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// A scenario that can be played.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Where its facts are from.
    pub sources: Vec<String>,
    /// The file that it is from.
    pub file: String,
    /// What chance is drawn from.
    pub seed: u64,
    /// Its length.
    pub duration: Duration,
    /// What cannot be checked yet.
    pub later: Vec<Later>,
    pub(super) setup: Arc<Setup>,
    pub(super) timeline: Vec<Planned>,
    pub(super) expect: Vec<Expected>,
    pub(super) never: Vec<Never>,
}

/// An entry of the time line.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub begins: Begins,
    pub lasts: Lasts,
    pub deeds: Vec<Deed>,
    pub line: usize,
}

/// When something begins.
#[derive(Clone, Debug)]
pub(super) enum Begins {
    At(Moment),
    /// When a run of a service comes to a step, after a moment.
    When(ServiceKey, StepKind, Moment),
}

/// How long something lasts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lasts {
    ToTheEnd,
    For(Duration),
    Until(Moment),
}

impl Lasts {
    /// When it ends if it begins at a moment.
    pub(super) fn until(self, from: Moment) -> Option<Moment> {
        match self {
            Self::ToTheEnd => None,
            Self::For(time) => Some(from.plus(time)),
            Self::Until(end) => Some(end),
        }
    }
}

/// An expectation, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub line: usize,
    pub what: Expectation,
    pub service: Option<ServiceKey>,
}

/// What must never be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Never {
    TwoWriters,
    AnswerEmpty,
    Moved(ServiceKey),
}

/// Reads a scenario and the manifests that it names.
///
/// # Errors
/// Everything that is wrong, each with file, line and key.
pub fn read(admission: &Admission, source: &Source) -> Result<Scenario, Vec<Finding>> {
    let (value, origin) = read_document(source)?;
    let file: File = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = FieldPath::read(&error.path().to_string());
        vec![origin.finding(None, explained(path, error.inner()))]
    })?;
    let setup = setup(admission, &file, &origin)?;
    let mut reader = Reader { file: &file, origin: &origin, setup: &setup, wrong: Vec::new() };
    let (timeline, expect, never) = (reader.timeline(), reader.expectations(), reader.never());
    reader.lengths();
    if !reader.wrong.is_empty() {
        return Err(reader.wrong.into_iter().map(|wrong| origin.finding(None, wrong)).collect());
    }
    let File { name, about, sources, seed, duration, not_yet_checked, .. } = file;
    Ok(Scenario {
        name,
        about: about.trim().to_owned(),
        sources,
        file: source.name.clone(),
        seed,
        duration: duration.0,
        later: not_yet_checked,
        setup: Arc::new(setup),
        timeline,
        expect,
        never,
    })
}

/// The words of serde, with what was probably meant.
fn explained(path: FieldPath, error: &serde_json::Error) -> Violation {
    let text = error.to_string();
    let names: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let meant = match names.as_slice() {
        [wrong, known @ ..] if text.starts_with("unknown ") => closest(wrong, known.iter().copied()),
        _ => None,
    };
    let violation = Violation::new(path, text.clone());
    match meant {
        Some(meant) => violation.with_remedy(format!("did you mean {meant}?")),
        None => violation,
    }
}

fn setup(admission: &Admission, file: &File, origin: &Origin) -> Result<Setup, Vec<Finding>> {
    let key = FieldPath::root().field("manifests");
    let finding = |path, message: String| origin.finding(None, Violation::new(path, message));
    let (mut sources, mut wrong) = (Vec::new(), Vec::new());
    for (index, pattern) in file.manifests.iter().enumerate() {
        match paths::manifests(&origin.file, pattern) {
            Ok(read) => sources.extend(read),
            Err(message) => wrong.push(finding(key.index(index), message)),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut setup = Setup::read(admission, &sources).map_err(|findings| {
        // What is wrong with all manifests together has no file of its own.
        let placed =
            |found: Finding| if found.line.is_none() { finding(key.clone(), found.message) } else { found };
        findings.into_iter().map(placed).collect::<Vec<_>>()
    })?;
    setup.lease_ttl = file.lease_ttl.map_or(LEASE_TTL, |ttl| ttl.0);
    place(&mut setup, file).map_err(|wrong| vec![origin.finding(None, wrong)])?;
    Ok(setup)
}

/// Puts name servers where the file says.
fn place(setup: &mut Setup, file: &File) -> Result<(), Violation> {
    for (index, server) in file.name_servers.iter().enumerate() {
        let path = FieldPath::root().field("nameServers").index(index);
        let names = Names { setup, leader: Site(0) };
        let placed = server
            .address
            .parse::<SocketAddr>()
            .map_err(|_| Wrong::new("address", "is no address with a port, such as 192.0.2.53:53"))
            .and_then(|address| names.server("address", &address.to_string()))
            .and_then(|found| Ok((found, names.region("region", &server.region)?)));
        let (found, site) = placed.map_err(|wrong| wrong.at(&path))?;
        if let Some(known) = setup.name_servers.get_mut(found) {
            known.1 = site;
        }
    }
    Ok(())
}

struct Reader<'a> {
    file: &'a File,
    origin: &'a Origin,
    setup: &'a Setup,
    wrong: Vec<Violation>,
}

impl Reader<'_> {
    fn names(&self) -> Names<'_> {
        Names { setup: self.setup, leader: Site(0) }
    }

    /// Notes what is wrong.
    fn take<T>(&mut self, path: &FieldPath, result: Result<T, Wrong>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.wrong.push(wrong.at(path));
                None
            }
        }
    }

    fn lengths(&mut self) {
        let root = FieldPath::root();
        let duration = self.file.duration.0;
        if duration.is_zero() || duration > LONGEST {
            let _noted = self.take::<()>(&root, Err(Wrong::new("duration", "must be between 1ms and 24h")));
        }
        if self.setup.lease_ttl < Duration::from_secs(3) {
            let _noted = self.take::<()>(&root, Err(Wrong::new("leaseTtl", "must be at least 3s")));
        }
        if self.file.expect.is_empty() && self.file.never.is_empty() {
            let message = "nothing is expected: a scenario without expectations proves nothing";
            let _noted = self.take::<()>(&root, Err(Wrong::new("expect", message)));
        }
    }

    fn timeline(&mut self) -> Vec<Planned> {
        let root = FieldPath::root().field("timeline");
        let file = self.file;
        let entries = file.timeline.iter().enumerate();
        entries.filter_map(|(index, entry)| self.entry(&root.index(index), entry)).collect()
    }

    fn entry(&mut self, path: &FieldPath, entry: &Entry) -> Option<Planned> {
        let begins = self.begins(entry);
        let begins = self.take(path, begins);
        let lasts = self.lasts(entry);
        let lasts = self.take(path, lasts);
        let root = path.field("do");
        if entry.deeds.is_empty() {
            let _noted = self.take::<()>(path, Err(Wrong::new("do", "nothing happens here")));
        }
        for (index, deed) in entry.deeds.iter().enumerate() {
            let result = deed.fault(&self.names());
            let _checked = self.take(&root.index(index), result);
        }
        let line = self.origin.place(path).line;
        Some(Planned { begins: begins?, lasts: lasts?, deeds: entry.deeds.clone(), line })
    }

    fn begins(&self, entry: &Entry) -> Result<Begins, Wrong> {
        match (&entry.at, &entry.when) {
            (Some(at), None) if at.0 >= self.file.duration.0 => {
                Err(Wrong::new("at", format!("is not before the end, {}", self.file.duration)))
            }
            (Some(at), None) => Ok(Begins::At(Moment::after(at.0))),
            (None, Some(when)) => {
                let service = self.names().service("when.service", &when.service)?;
                let step = step(&when.step).ok_or_else(|| Wrong::new("when.step", "is no step of a run"))?;
                Ok(Begins::When(service, step, Moment::after(when.after.0)))
            }
            _ => Err(Wrong::new("", "write either at or when")),
        }
    }

    fn lasts(&self, entry: &Entry) -> Result<Lasts, Wrong> {
        match (entry.lasts, entry.until) {
            (None, None) => Ok(Lasts::ToTheEnd),
            (Some(time), None) => Ok(Lasts::For(time.0)),
            (None, Some(end)) if entry.at.is_some_and(|at| at >= end) => {
                Err(Wrong::new("until", "is not after at"))
            }
            (None, Some(end)) => Ok(Lasts::Until(Moment::after(end.0))),
            (Some(_), Some(_)) => Err(Wrong::new("until", "stands beside for: write one of them")),
        }
    }

    fn expectations(&mut self) -> Vec<Expected> {
        let root = FieldPath::root().field("expect");
        let file = self.file;
        let mut all = Vec::new();
        for (index, what) in file.expect.iter().enumerate() {
            let path = root.index(index);
            let result = self.expected(what);
            let service = self.take(&path, result);
            let line = self.origin.place(&path).line;
            all.extend(service.map(|service| Expected { line, what: what.clone(), service }));
        }
        all
    }

    /// The service that an expectation is about.
    fn expected(&self, what: &Expectation) -> Result<Option<ServiceKey>, Wrong> {
        let (names, end) = (self.names(), self.file.duration);
        let service = what.service.as_ref().map(|name| names.service("service", name)).transpose()?;
        for (field, regions) in
            [("serves", &what.serves), ("writes", &what.writes), ("answers", &what.answers)]
        {
            for (index, region) in regions.iter().flatten().enumerate() {
                names.region_name(&format!("{field}[{index}]"), region)?;
            }
        }
        for (field, region) in [("in", &what.region), ("leads", &what.leads)] {
            region.as_ref().map(|region| names.region(field, region)).transpose()?;
        }
        if let (Some(_), Some(key)) = (&what.writes, &service)
            && self.setup.service(key).is_some_and(|service| service.fence.is_none())
        {
            return Err(Wrong::new("writes", format!("{key} has no fence")));
        }
        if what.at.is_some_and(|at| at > end) {
            return Err(Wrong::new("at", format!("is after the end, {end}")));
        }
        if what.between.is_some_and(|[from, to]| from >= to || to > end) {
            return Err(Wrong::new(
                "between",
                format!("must be two times, one after the other, up to {end}"),
            ));
        }
        let without_service = usize::from(what.event.is_some()) + usize::from(what.leads.is_some());
        match (what.checks(), &service) {
            (0, _) => Err(Wrong::new("", "expects nothing")),
            (checks, None) if checks > without_service => Err(Wrong::new("service", "is required here")),
            _ => Ok(service),
        }
    }

    fn never(&mut self) -> Vec<Never> {
        let root = FieldPath::root().field("never");
        let file = self.file;
        let mut all = Vec::new();
        for (index, text) in file.never.iter().enumerate() {
            let result = never(&self.names(), text);
            all.extend(self.take(&root.index(index), result));
        }
        all
    }
}

impl Expectation {
    /// How many checks it makes.
    fn checks(&self) -> usize {
        let times = [self.rto, self.unserved, self.detect, self.decide, self.shift, self.verify];
        let others = [
            self.serves.is_some(),
            self.writes.is_some(),
            self.leads.is_some(),
            self.answers.is_some(),
            self.health.is_some(),
            self.condition.is_some(),
            self.moves.is_some(),
            self.event.is_some(),
        ];
        times.iter().flatten().count() + others.into_iter().filter(|is| *is).count()
    }
}

fn never(names: &Names<'_>, text: &str) -> Result<Never, Wrong> {
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["two", "writers"] => Ok(Never::TwoWriters),
        ["answer", "empty"] => Ok(Never::AnswerEmpty),
        ["service", service, "moved"] => Ok(Never::Moved(names.service("", service)?)),
        _ => Err(Wrong::new("", "is none of: two writers, answer empty, service NAME moved")),
    }
}

fn step(name: &str) -> Option<StepKind> {
    use StepKind::{AwaitFence, Fence, Precheck, RaiseEpoch, Settle, ShiftTraffic, Verify};
    let all = [Precheck, Fence, AwaitFence, RaiseEpoch, ShiftTraffic, Verify, Settle];
    all.into_iter().find(|kind| kind.as_str() == name)
}

/// The region names of a list.
pub(super) fn regions(names: &[String]) -> std::collections::BTreeSet<RegionName> {
    names.iter().map(|name| RegionName::new(name.as_str())).collect()
}
