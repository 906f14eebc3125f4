//! Whether a service could be switched: what a switch needs, asked while all is well, in every direction in which it could
//! go. The judgements are those of a decision and of a drill before it starts.
//!
//! Absent: how far Bongsu may go by itself. Mode, cooldown and budgets are not asked: a person could switch in spite of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Agreement, Decision, Evaluation, Judged, MemberHealth, Observation, Record, RegionName, Request, Rule,
    RuleOutcome, RunId, SpecWord, TargetRefusal, Topology, Trigger, decide, noticed, return_capacity,
    serving_healthy, suppose_lost,
};

/// How ready a service is to be switched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readiness {
    /// What concerns every direction.
    pub common: Inspected,
    /// Every direction. Of an `ActiveStandby` service one to each member that stands by, of an `ActiveActive` one for each
    /// member that serves, away from it.
    pub directions: Vec<Direction>,
}

/// One direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// The region that would be left.
    pub from: RegionName,
    /// Who would serve then; empty: nobody.
    pub to: BTreeSet<RegionName>,
    /// What concerns this direction alone.
    pub inspected: Inspected,
}

/// What was asked, and what was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspected {
    /// Questions to which there is nothing to say.
    pub passed: u32,
    /// The others, in the order in which they were asked.
    pub findings: Vec<Finding>,
    /// Questions that nobody could ask yet.
    pub unasked: Vec<&'static str>,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was asked.
    pub check: &'static str,
    /// How bad it is.
    pub gravity: Gravity,
    /// What is wrong.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Gravity {
    /// A switch would work today, with a person or with less certainty.
    Warning,
    /// Whether a switch would work is not known. Neither ready nor not ready.
    Unknown,
    /// A switch would be refused, or not do what was promised.
    Problem,
}

impl Gravity {
    /// The word in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "Warning",
            Self::Unknown => "Unknown",
            Self::Problem => "Problem",
        }
    }
}

/// Whether a service could be switched. Of several the last in this order counts: no beats not knowing, and that beats yes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Ready {
    /// It could.
    Yes,
    /// Nobody knows.
    Unknown,
    /// It could not, or would not do what was promised.
    No,
}

impl Ready {
    /// The word in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "Ready",
            Self::Unknown => "Unknown",
            Self::No => "NotReady",
        }
    }
}

/// What is known besides what a decision looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// What the vantages say against members, in words, by region.
    pub complaints: BTreeMap<RegionName, String>,
    /// What the name servers show.
    pub traffic: Looked,
    /// Whether the name servers take an update that changes nothing.
    pub writable: Looked,
    /// The way from the service through what it needs back to itself; empty: there is none.
    pub cycle: Vec<String>,
    /// What is wrong with a service that it needs.
    pub needed: Option<String>,
}

/// What came of a look.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Looked {
    /// There is nothing to look at.
    #[default]
    Nothing,
    /// Nobody has looked yet.
    NotYet,
    /// All is well.
    Fine,
    /// Something is wrong.
    Wrong(String),
}

impl Readiness {
    /// Whether the service could be switched in every direction.
    #[must_use]
    pub fn ready(&self) -> Ready {
        let each = self.directions.iter().map(|direction| direction.inspected.ready());
        each.fold(self.common.ready(), Ready::max)
    }

    /// Whether it could be switched in one of them.
    #[must_use]
    pub fn ready_in(&self, direction: &Direction) -> Ready {
        self.common.ready().max(direction.inspected.ready())
    }

    /// Whether it could be switched in every direction that leads to a region; `None`: none does.
    #[must_use]
    pub fn ready_to(&self, region: &RegionName) -> Option<Ready> {
        let leading = self.directions.iter().filter(|direction| direction.to.contains(region));
        leading.map(|direction| self.ready_in(direction)).max()
    }

    /// Every finding, those of all directions first, with the direction that it is about.
    pub fn findings(&self) -> impl Iterator<Item = (Option<&Direction>, &Finding)> {
        let common = self.common.findings.iter().map(|finding| (None, finding));
        let each = self.directions.iter().flat_map(|direction| {
            direction.inspected.findings.iter().map(move |finding| (Some(direction), finding))
        });
        common.chain(each)
    }
}

impl Inspected {
    fn ready(&self) -> Ready {
        match self.findings.iter().map(|finding| finding.gravity).max() {
            Some(Gravity::Problem) => Ready::No,
            Some(Gravity::Unknown) => Ready::Unknown,
            Some(Gravity::Warning) | None => Ready::Yes,
        }
    }

    fn find(&mut self, check: &'static str, gravity: Gravity, message: String) {
        self.findings.push(Finding { check, gravity, message });
    }

    /// `blocked`: how bad it is if the judgement blocks.
    fn take(&mut self, judged: Judged, blocked: Gravity) {
        match judged.outcome {
            RuleOutcome::NotApplicable => {}
            RuleOutcome::Pass => self.passed += 1,
            RuleOutcome::Recommend => self.find(judged.name, Gravity::Warning, judged.message),
            RuleOutcome::Block => self.find(judged.name, blocked, judged.message),
        }
    }

    fn take_looked(&mut self, check: &'static str, looked: &Looked, not_yet: Option<Gravity>) {
        match (looked, not_yet) {
            (Looked::Nothing, _) => {}
            (Looked::Fine, _) => self.passed += 1,
            (Looked::NotYet, Some(gravity)) => self.find(check, gravity, "nobody has looked yet".to_owned()),
            (Looked::NotYet, None) => self.unasked.push(check),
            (Looked::Wrong(text), _) => self.find(check, Gravity::Problem, text.clone()),
        }
    }
}

/// How ready a service is; `None`: the ledger does not know yet who serves.
#[must_use]
pub fn readiness(seen: &Observation, around: &Surroundings) -> Option<Readiness> {
    let record = seen.record.as_ref()?;
    let ways: Vec<(&RegionName, Option<RegionName>)> = record
        .serving
        .iter()
        .flat_map(|from| ways(seen, record, from).into_iter().map(move |to| (from, to)))
        .collect();
    let wishes: Vec<(&RegionName, Decision)> =
        ways.iter().map(|(from, to)| (*from, wish(seen, from, to.clone()))).collect();
    let (first, decision) = wishes.first()?;
    let common = common(seen, around, first, decision);
    let directions = wishes.iter().map(|(from, decision)| direction(seen, around, from, decision));
    Some(Readiness { common, directions: directions.collect() })
}

/// Where the service could go from a region that serves; `None`: to whoever else serves.
fn ways(seen: &Observation, record: &Record, from: &RegionName) -> Vec<Option<RegionName>> {
    match seen.service.topology {
        Topology::ActiveActive => vec![spare(seen, from)],
        Topology::ActiveStandby => {
            let members = seen.members.iter().map(|member| &member.region);
            let standby = members.filter(|region| !record.serving.contains(*region));
            let ways: Vec<_> = standby.cloned().map(Some).collect();
            if ways.is_empty() { vec![None] } else { ways }
        }
    }
}

/// A spare that would have to join if this region were lost.
fn spare(seen: &Observation, from: &RegionName) -> Option<RegionName> {
    let lost = decide(&suppose_lost(seen, from, seen.wall));
    lost.wanted.and_then(|change| change.joining().next().cloned())
}

/// What would be decided if a drill wanted to leave a region now.
fn wish(seen: &Observation, from: &RegionName, to: Option<RegionName>) -> Decision {
    let request = Request {
        run: RunId::new("readiness"),
        from: Some(from.clone()),
        to,
        dry_run: true,
        trigger: Trigger::Drill,
    };
    decide(&Observation { request: Some(request), ..seen.clone() })
}

fn direction(seen: &Observation, around: &Surroundings, from: &RegionName, decision: &Decision) -> Direction {
    let to = decision.wanted.as_ref().map(|change| change.to.clone()).unwrap_or_default();
    let mut inspected = Inspected::default();
    let some = inspected.ask_targets(seen, around, &to);
    for evaluation in &decision.rules {
        let asked = match evaluation.rule {
            Rule::MoveNeeded => evaluation.outcome == RuleOutcome::Block && !to.is_empty(),
            // Without anybody who takes over they say the same once more.
            Rule::NeverEmpty | Rule::Capacity => some,
            _ => false,
        };
        if asked {
            inspected.take(evaluation.into(), Gravity::Problem);
        }
    }
    Direction { from: from.clone(), to, inspected }
}

impl Inspected {
    /// Whether those who would serve could take over; `true` if one of them could.
    fn ask_targets(&mut self, seen: &Observation, around: &Surroundings, to: &BTreeSet<RegionName>) -> bool {
        const NAME: &str = Rule::TargetAvailable.as_str();
        let refusal = |region: &RegionName| seen.member(region).and_then(|member| seen.target(member).err());
        let refused: Vec<(&RegionName, TargetRefusal)> =
            to.iter().filter_map(|region| Some((region, refusal(region)?))).collect();
        if to.is_empty() {
            self.find(NAME, Gravity::Problem, "there is no other member".to_owned());
            return false;
        }
        if refused.is_empty() {
            self.passed += 1;
            return true;
        }
        let some = refused.len() < to.len();
        let is_unknown = |refusal| refusal == TargetRefusal::Health(MemberHealth::Unknown);
        // Whoever would have to join is needed.
        let stays = |region| seen.record.as_ref().is_some_and(|record| record.serving.contains(region));
        for (region, refusal) in refused {
            let gravity = match some && stays(region) {
                true => Gravity::Warning,
                false if is_unknown(refusal) => Gravity::Unknown,
                false => Gravity::Problem,
            };
            let said = around.complaints.get(region).map(|said| format!(" ({said})")).unwrap_or_default();
            self.find(NAME, gravity, format!("{region} cannot take over: {refusal}{said}"));
        }
        some
    }
}

fn common(seen: &Observation, around: &Surroundings, from: &RegionName, wish: &Decision) -> Inspected {
    let mut found = Inspected::default();
    for evaluation in &wish.rules {
        let blocked = match evaluation.rule {
            // It changes who serves: what was asked here may be of yesterday a second later.
            Rule::NoOtherRun => Gravity::Unknown,
            // A person has pulled the lever, and a person can still switch.
            Rule::GlobalStop => Gravity::Warning,
            Rule::NameUnclaimed | Rule::SpecInSync | Rule::VantagesTrusted | Rule::DependencyHealthy => {
                Gravity::Problem
            }
            _ => continue,
        };
        if evaluation.rule == Rule::SpecInSync && evaluation.outcome == RuleOutcome::Pass {
            found.take_specs(&seen.specs, evaluation);
        } else {
            found.take(evaluation.into(), blocked);
        }
    }
    let lost = decide(&suppose_lost(seen, from, seen.wall));
    let by_itself = |rule| matches!(rule, Rule::WriterFenced | Rule::DrillFresh);
    for evaluation in lost.rules.iter().filter(|evaluation| by_itself(evaluation.rule)) {
        found.take(evaluation.into(), Gravity::Warning);
    }
    let all_trusted = seen.vantages.iter().all(super::VantageView::trusted);
    for judged in noticed(seen, from) {
        // A vantage that is there and has no word yet will have one.
        let silent = judged.name != "VantagesSpeak" || !all_trusted;
        found.take(judged, if silent { Gravity::Problem } else { Gravity::Unknown });
    }
    found.take(serving_healthy(seen), Gravity::Warning);
    found.take(return_capacity(seen), Gravity::Warning);
    found.take_looked("TrafficInSync", &around.traffic, Some(Gravity::Unknown));
    found.take_looked("TrafficWritable", &around.writable, None);
    if !seen.service.depends_on.is_empty() {
        found.take_dependencies(around);
    }
    found
}

impl Inspected {
    /// Most hold the spec. That a few do not keeps nobody from switching, and the next leader may be one of them.
    fn take_specs(&mut self, specs: &Agreement, evaluation: &Evaluation) {
        let judged = Judged::from(evaluation);
        if specs.same() < specs.said() {
            self.find(judged.name, Gravity::Warning, judged.message);
        } else if let Some(silent) = specs.saying(SpecWord::Unsaid).next() {
            let text = format!("{silent} has not said yet which spec it holds");
            self.find(judged.name, Gravity::Unknown, text);
        } else {
            self.take(judged, Gravity::Problem);
        }
    }

    fn take_dependencies(&mut self, around: &Surroundings) {
        let cycle =
            (!around.cycle.is_empty()).then(|| format!("waits for itself: {}", around.cycle.join(" → ")));
        self.take(Judged::unless("DependencyChain", cycle), Gravity::Problem);
        self.take(Judged::unless("DependencyReady", around.needed.clone()), Gravity::Warning);
    }
}
