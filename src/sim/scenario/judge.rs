//! Compares what was seen with what was expected.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use super::{
    clocks::{Phase, Seen, Span},
    file::{self, Expectation},
    read::{Expected, Never, Scenario, regions},
    stage::Rto,
    witness::{Glimpse, Shown},
};
use crate::{
    api,
    domain::{RegionName, ServiceKey},
    sim::{Invariant, Moment},
};

/// One thing that was checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// Line in the file; `None`: it is checked in every scenario.
    pub line: Option<usize>,
    /// What was expected.
    pub expected: String,
    /// What was seen instead; `None`: it held.
    pub difference: Option<String>,
}

/// What an expectation came to: in words, and what was seen instead.
type Verdict = (String, Option<String>);

impl Scenario {
    /// All checks, the invariants first, and the recovery time that is worst for its target.
    pub(super) fn judge(&self, seen: &Seen) -> (Vec<Check>, Option<Rto>) {
        let mut checks = vec![invariants(seen)];
        checks.extend(self.began(seen));
        let mut worst: Option<Rto> = None;
        for expected in &self.expect {
            let verdicts = self.verdicts(seen, expected);
            checks.extend(verdicts.into_iter().map(|(what, difference)| Check {
                line: Some(expected.line),
                expected: what,
                difference,
            }));
            let rto = self.rto(seen, expected);
            worst = worst.into_iter().chain(rto).max_by_key(Rto::share);
        }
        checks.extend(self.never.iter().map(|never| never_held(never, seen)));
        (checks, worst)
    }

    /// What waits for a step of a run must begin, or the scenario has not happened.
    fn began(&self, seen: &Seen) -> impl Iterator<Item = Check> {
        seen.never_began.iter().map(|(line, service, step)| Check {
            line: Some(*line),
            expected: format!("a run of {service} comes to {}", step.as_str()),
            difference: Some("none did".to_owned()),
        })
    }

    fn verdicts(&self, seen: &Seen, expected: &Expected) -> Vec<Verdict> {
        let Expected { what, service, .. } = expected;
        let mut all = Vec::new();
        if let Some(service) = service {
            all.extend(self.at_a_moment(seen, what, service));
            all.extend(over_time(seen, what, service));
        }
        all.extend(what.leads.as_ref().map(|region| self.leads(seen, what, region)));
        if let Some(event) = &what.event {
            all.push(event_seen(seen, event, what, service.as_ref()));
        }
        all
    }

    fn leads(&self, seen: &Seen, what: &Expectation, region: &str) -> Verdict {
        let at = self.moment(what);
        let difference = match seen.glimpses.get(&at) {
            None => Some("the run ended before".to_owned()),
            Some(glimpse) => match &glimpse.leads {
                Some(leads) if leads.as_str() == region => None,
                Some(other) => Some(format!("{other} leads")),
                None => Some("nobody leads".to_owned()),
            },
        };
        (format!("at {at} {region} leads"), difference)
    }

    /// The moment that an expectation is about.
    fn moment(&self, what: &Expectation) -> Moment {
        Moment::after(what.at.map_or(self.duration, |at| at.0))
    }

    fn at_a_moment(&self, seen: &Seen, what: &Expectation, service: &ServiceKey) -> Vec<Verdict> {
        let at = self.moment(what);
        let glimpse = seen.glimpses.get(&at);
        let judge = |text: String, difference: &dyn Fn(&Glimpse) -> Option<String>| {
            let difference = match glimpse {
                Some(glimpse) => difference(glimpse),
                None => Some("the run ended before".to_owned()),
            };
            (format!("at {at} {text}"), difference)
        };
        let mut all = Vec::new();
        if let Some(wanted) = &what.serves {
            let wanted = regions(wanted);
            let text = format!("{service} is served by {}", joined(&wanted));
            all.push(judge(text, &|glimpse| {
                let serving = glimpse.serving.get(service).cloned().unwrap_or_default();
                (serving != wanted).then(|| format!("it is served by {}", joined(&serving)))
            }));
        }
        if let Some(wanted) = &what.writes {
            let wanted = regions(wanted);
            let text = match wanted.len() {
                0 => format!("nobody writes for {service}"),
                _ => format!("{} writes for {service}", joined(&wanted)),
            };
            all.push(judge(text, &|glimpse| {
                let writing = glimpse.writing.get(service).cloned().unwrap_or_default();
                (writing != wanted).then(|| format!("{} writes", joined(&writing)))
            }));
        }
        if let Some(wanted) = &what.answers {
            let wanted = regions(wanted);
            let text = format!("name servers lead {service} to {}", joined(&wanted));
            all.push(judge(text, &|glimpse| self.answers_differ(glimpse, service, &wanted)));
        }
        if let Some(wanted) = &what.health {
            let text = format!("{service} is {wanted}");
            all.push(judge(text, &|glimpse| {
                shown(glimpse, what, service, |shown| {
                    let health = shown.health.as_deref().unwrap_or("without health");
                    (health != wanted).then(|| format!("is {health}"))
                })
            }));
        }
        if let Some(wanted) = &what.condition {
            let text = format!("{service} has {}", told(wanted));
            all.push(judge(text, &|glimpse| shown(glimpse, what, service, |shown| condition(shown, wanted))));
        }
        all
    }

    fn answers_differ(
        &self,
        glimpse: &Glimpse,
        service: &ServiceKey,
        wanted: &BTreeSet<RegionName>,
    ) -> Option<String> {
        let parsed = self.setup.services.get(service)?;
        let addresses: BTreeSet<IpAddr> =
            wanted.iter().filter_map(|region| parsed.addresses.get(region)).flatten().copied().collect();
        let answers = glimpse.answers.get(service).map(Vec::as_slice).unwrap_or_default();
        if answers.is_empty() {
            return Some("no name server can be reached".to_owned());
        }
        let other = answers.iter().find(|(_, answer)| *answer != addresses);
        other.map(|(server, answer)| format!("{server} answers {}", joined(answer)))
    }

    fn rto(&self, seen: &Seen, expected: &Expected) -> Option<Rto> {
        let (service, target) = (expected.service.as_ref()?, expected.what.rto?);
        Some(Rto { measured: seen.rto(service, span(seen, &expected.what)), target: target.0 })
    }
}

impl Rto {
    /// Measured in thousandths of the target; what is not over is above all others.
    fn share(&self) -> u128 {
        let target = self.target.as_millis().max(1);
        self.measured.map_or(u128::MAX, |measured| measured.as_millis() * 1_000 / target)
    }
}

fn invariants(seen: &Seen) -> Check {
    let broken = seen.broken.as_ref();
    Check {
        line: None,
        expected: "every invariant is kept".to_owned(),
        difference: broken.map(|broken| format!("{} at {}: {}", broken.invariant, broken.at, broken.what)),
    }
}

/// The part of the run that an expectation is about.
fn span(seen: &Seen, what: &Expectation) -> Span {
    match what.between {
        Some([from, to]) => Span { from: Moment::after(from.0), to: Moment::after(to.0) },
        None => Span { from: Moment::START, to: seen.end },
    }
}

fn over_time(seen: &Seen, what: &Expectation, service: &ServiceKey) -> Vec<Verdict> {
    let span = span(seen, what);
    let never_served = !seen.moves.contains_key(service);
    let mut all = Vec::new();
    if let Some(limit) = what.rto {
        let difference = match seen.rto(service, span) {
            _ if never_served => Some("it never was served".to_owned()),
            None => Some("citizens are not served at the end".to_owned()),
            Some(time) => longer(time, limit),
        };
        all.push((format!("{service}: rto <= {limit}"), difference));
    }
    if let Some(limit) = what.unserved {
        let (time, why) = seen.unserved(service, span);
        let difference = match never_served {
            true => Some("it never was served".to_owned()),
            false => longer(time, limit).map(|text| format!("{text}; {}", why.unwrap_or_default())),
        };
        all.push((format!("{service}: unserved <= {limit}"), difference));
    }
    let phases = [
        ("detect", Phase::Detect, what.detect),
        ("decide", Phase::Decide, what.decide),
        ("shift", Phase::Shift, what.shift),
        ("verify", Phase::Verify, what.verify),
    ];
    for (name, phase, limit) in phases {
        let Some(limit) = limit else { continue };
        let difference = seen.phase(service, span, phase).map_or_else(Some, |time| longer(time, limit));
        all.push((format!("{service}: {name} <= {limit}"), difference));
    }
    if let Some(wanted) = what.moves {
        let moves: Vec<String> = seen
            .moves(service, span)
            .map(|moved| format!("to {} at {}", joined(&moved.serving), moved.at))
            .collect();
        let told = if moves.is_empty() { String::new() } else { format!(": {}", moves.join(", ")) };
        let difference = (moves.len() != wanted).then(|| format!("there are {}{told}", moves.len()));
        all.push((format!("{service}: moves = {wanted}"), difference));
    }
    all
}

fn longer(time: Duration, limit: api::Duration) -> Option<String> {
    (time > limit.0).then(|| format!("it is {time:?}"))
}

fn event_seen(
    seen: &Seen,
    wanted: &file::Event,
    what: &Expectation,
    service: Option<&ServiceKey>,
) -> Verdict {
    let span = span(seen, what);
    let of_service = |event: &crate::ports::Event| {
        service.is_none_or(|service| {
            let named = *event.object.namespace == *service.namespace
                && event.object.name.starts_with(&*service.name);
            named || event.note.contains(&*service.name)
        })
    };
    let count = seen.events.iter().filter(|(at, _, event)| {
        let says = wanted.says.as_ref().is_none_or(|text| event.note.contains(text));
        span.holds(*at) && event.reason == wanted.reason && says && of_service(event)
    });
    let count = count.count();
    let about = service.map_or_else(String::new, |service| format!(" of {service}"));
    let difference = match wanted.times {
        Some(times) if times != count => Some(format!("it is seen {count} times")),
        None if count == 0 => Some("it is not seen".to_owned()),
        _ => None,
    };
    let times = wanted.times.map_or_else(String::new, |times| format!(" {times} times"));
    (format!("event {}{about}{times} between {} and {}", wanted.reason, span.from, span.to), difference)
}

/// The first region whose API server shows something else.
fn shown(
    glimpse: &Glimpse,
    what: &Expectation,
    service: &ServiceKey,
    differs: impl Fn(&Shown) -> Option<String>,
) -> Option<String> {
    let wanted = |region: &RegionName| what.region.as_ref().is_none_or(|named| named == region.as_str());
    let mut looked = glimpse.statuses.iter().filter(|(region, _)| wanted(region)).peekable();
    if looked.peek().is_none() {
        return Some("no API server answers".to_owned());
    }
    looked.find_map(|(region, statuses)| {
        let empty = Shown::default();
        differs(statuses.get(service).unwrap_or(&empty)).map(|text| format!("in {region} it {text}"))
    })
}

fn condition(shown: &Shown, wanted: &file::Condition) -> Option<String> {
    let Some(found) = shown.conditions.iter().find(|condition| condition.type_ == wanted.kind) else {
        return Some(format!("has no condition {}", wanted.kind));
    };
    let same =
        found.status == wanted.status && wanted.reason.as_ref().is_none_or(|reason| *reason == found.reason);
    (!same).then(|| format!("has {}={} ({}: {})", found.type_, found.status, found.reason, found.message))
}

fn told(condition: &file::Condition) -> String {
    let reason = condition.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    format!("{}={}{reason}", condition.kind, condition.status)
}

fn never_held(never: &Never, seen: &Seen) -> Check {
    let broke = |invariant: Invariant| {
        let broken = seen.broken.as_ref().filter(|broken| broken.invariant == invariant);
        broken.map(|broken| format!("{}: {}", broken.at, broken.what))
    };
    let (expected, difference) = match never {
        Never::TwoWriters => ("never: two writers".to_owned(), broke(Invariant::OneWriter)),
        Never::AnswerEmpty => ("never: answer empty".to_owned(), broke(Invariant::NeverEmpty)),
        Never::Moved(service) => {
            let all = Span { from: Moment::START, to: seen.end };
            let moved = seen.moves(service, all).next();
            let difference =
                moved.map(|moved| format!("it is moved to {} at {}", joined(&moved.serving), moved.at));
            (format!("never: service {service} moved"), difference)
        }
    };
    Check { line: None, expected, difference }
}

fn joined<T: ToString>(all: &BTreeSet<T>) -> String {
    if all.is_empty() {
        return "nobody".to_owned();
    }
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
}
