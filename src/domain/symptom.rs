//! Where on its way a sample breaks, and what that looks like from all the places that probe: the difference between a member
//! that is down, a path that loses large messages, and one place that sees badly itself.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{RegionName, Verdict};

/// A part of the way of a sample, in its order. That a request was sent is no part of its own: it is in a buffer of this host as
/// soon as it is written, and only the answer shows that it arrived.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Stage {
    /// From the name to addresses.
    #[default]
    Resolve,
    /// The connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the request to the first byte of the answer.
    Answer,
    /// The rest of the answer.
    Body,
    /// What the answer says. Also what a newer version calls by a name that this one does not know.
    #[serde(other)]
    Judgement,
}

impl Stage {
    /// Every stage, in the order of the way.
    pub const ALL: [Self; 6] =
        [Self::Resolve, Self::Connect, Self::Tls, Self::Answer, Self::Body, Self::Judgement];

    /// The word in metrics and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "Resolve",
            Self::Connect => "Connect",
            Self::Tls => "TLS",
            Self::Answer => "Answer",
            Self::Body => "Body",
            Self::Judgement => "Judgement",
        }
    }
}

/// What kind of fault it is, where the sample shows that.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Sign {
    /// Small messages pass and large ones are lost.
    LargeMessages,
    /// The answer is right and late.
    Slow,
    /// The answer is right in itself and old.
    Stale,
    /// The answer is right, and what it rests on runs out soon.
    Expiring,
    /// The stage says all that is known.
    #[default]
    #[serde(other)]
    Plain,
}

/// What is wrong with a sample.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Symptom {
    /// How far the sample came; of a slow one, what took the most time.
    pub stage: Stage,
    /// What kind of fault.
    #[serde(default)]
    pub sign: Sign,
    /// Bytes of the smallest message that is lost, with [`Sign::LargeMessages`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_bytes: Option<u32>,
}

/// What a place whose word counts says of a member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sighting {
    /// Region of the place.
    pub vantage: RegionName,
    /// Its word.
    pub verdict: Verdict,
    /// What it sees, if that is known.
    pub symptom: Option<Symptom>,
}

/// Which of the usual pictures it is. The first that fits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pattern {
    /// One place sees it and others do not: the fault is on its path, or its own.
    OneVantage,
    /// Only large messages are lost.
    LargeMessages,
    /// Answers are right and late.
    Slow,
    /// Answers are old.
    Stale,
    /// Every member of the service shows a fault.
    All,
    /// This member alone shows one.
    OneRegion,
}

impl Pattern {
    /// The word in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneVantage => "OneVantage",
            Self::LargeMessages => "LargeMessages",
            Self::Slow => "Slow",
            Self::Stale => "Stale",
            Self::All => "All",
            Self::OneRegion => "OneRegion",
        }
    }
}

/// What all places together see of the fault of one member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnosis {
    /// The member.
    pub member: RegionName,
    /// The picture.
    pub pattern: Pattern,
    /// What most of those who see it see.
    pub symptom: Symptom,
    /// Who sees it.
    pub seen_by: Vec<RegionName>,
    /// Places whose word counts and that say anything.
    pub of: usize,
}

/// What is wrong with each member of a service, as far as it is seen. Each comes with what the places say whose word counts.
#[must_use]
pub fn diagnose<'a>(
    members: impl IntoIterator<Item = (&'a RegionName, Vec<Sighting>)>,
) -> BTreeMap<RegionName, Diagnosis> {
    let mut all = 0;
    let mut found = BTreeMap::new();
    for (member, sightings) in members {
        all += 1;
        if let Some(diagnosis) = of_member(member, sightings) {
            found.insert(member.clone(), diagnosis);
        }
    }
    let everywhere = all > 1 && found.len() == all;
    for diagnosis in found.values_mut().filter(|_| everywhere) {
        if diagnosis.pattern == Pattern::OneRegion {
            diagnosis.pattern = Pattern::All;
        }
    }
    found
}

fn of_member(member: &RegionName, mut sightings: Vec<Sighting>) -> Option<Diagnosis> {
    sightings.retain(|sighting| sighting.verdict != Verdict::Unknown);
    let of = sightings.len();
    // An early sign is no part of the picture of a failure.
    let worst = sightings.iter().map(|sighting| sighting.verdict).max()?;
    sightings.retain(|sighting| sighting.verdict == worst && worst != Verdict::Healthy);
    let symptom = most_common(sightings.iter().filter_map(|sighting| sighting.symptom))?;
    let pattern = match symptom.sign {
        _ if sightings.len() == 1 && of > 1 => Pattern::OneVantage,
        Sign::LargeMessages => Pattern::LargeMessages,
        Sign::Slow => Pattern::Slow,
        Sign::Stale => Pattern::Stale,
        Sign::Expiring | Sign::Plain => Pattern::OneRegion,
    };
    let seen_by = sightings.into_iter().map(|sighting| sighting.vantage).collect();
    Some(Diagnosis { member: member.clone(), pattern, symptom, seen_by, of })
}

/// What most see; where as many see something else, what is more particular, then what breaks earlier.
fn most_common(symptoms: impl Iterator<Item = Symptom>) -> Option<Symptom> {
    let mut votes: BTreeMap<(Sign, Stage), (usize, Option<u32>)> = BTreeMap::new();
    for symptom in symptoms {
        let (count, from) = votes.entry((symptom.sign, symptom.stage)).or_default();
        *count += 1;
        *from = [*from, symptom.from_bytes].into_iter().flatten().min();
    }
    let most = votes.values().map(|(count, _)| *count).max()?;
    let first = votes.into_iter().find(|(_, (count, _))| *count == most);
    first.map(|((sign, stage), (_, from_bytes))| Symptom { stage, sign, from_bytes })
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what(f)?;
        self.seen_from(f)?;
        match self.pattern {
            Pattern::All => f.write_str("; every member is like that: look at what they share"),
            _ => Ok(()),
        }
    }
}

impl Diagnosis {
    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member = &self.member;
        let Symptom { stage, sign, from_bytes } = self.symptom;
        match (sign, from_bytes, stage) {
            (Sign::LargeMessages, Some(bytes), _) => {
                write!(f, "messages of {bytes} bytes and more are lost on the path to {member}")
            }
            (Sign::LargeMessages, None, _) => {
                write!(f, "messages of some sizes are lost on the path to {member}")
            }
            (Sign::Slow, ..) => {
                write!(f, "{member} is slow, most of the time goes into {}", in_words(stage))
            }
            (Sign::Stale, ..) => write!(f, "what {member} says is stale"),
            (Sign::Expiring, ..) => write!(f, "what {member} rests on runs out soon"),
            (Sign::Plain, _, Stage::Resolve) => write!(f, "the name of {member} leads to no address"),
            (Sign::Plain, _, Stage::Connect) => write!(f, "no connection to {member}"),
            (Sign::Plain, _, Stage::Tls) => write!(f, "the TLS handshake with {member} fails"),
            (Sign::Plain, _, Stage::Answer) => {
                write!(f, "{member} takes connections and does not answer")
            }
            (Sign::Plain, _, Stage::Body) => write!(f, "answers of {member} break off"),
            (Sign::Plain, _, Stage::Judgement) => write!(f, "{member} answers wrongly"),
        }
    }

    fn seen_from(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seen_by.as_slice() {
            [only] if self.of == 1 => write!(f, ", seen from {only}, the only vantage that says anything"),
            [only] if *only == self.member => write!(f, ", seen only from {only} itself"),
            [only] => write!(
                f,
                ", seen only from {only}, and not from {} other{}: suspect the path from there",
                self.of - 1,
                if self.of == 2 { "" } else { "s" }
            ),
            [_, _] if self.of == 2 => f.write_str(", seen from both vantages"),
            all if all.len() == self.of => write!(f, ", seen from all {} vantages", self.of),
            some => write!(f, ", seen from {} of {} vantages", some.len(), self.of),
        }
    }
}

/// A stage in a sentence.
const fn in_words(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "the name look-up",
        Stage::Connect => "the connection",
        Stage::Tls => "the TLS handshake",
        Stage::Answer => "waiting for the answer",
        Stage::Body => "the answer's body",
        Stage::Judgement => "the judgement",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: [&str; 2] = ["daejeon", "gwangju"];
    const VANTAGES: [&str; 3] = ["seoul", "daejeon", "gwangju"];

    /// One letter for each vantage: `+` healthy, `?` unknown, `c` no connection, `t` TLS, `a` no answer, `b` body, `w` wrong, `L` large
    /// messages lost, `z` stale, `s` slow (degraded), `e` expiring (degraded), `f` failed and nothing known.
    fn sightings(letters: &str) -> Vec<Sighting> {
        let plain = |stage| Some(Symptom { stage, ..Symptom::default() });
        let sign = |sign, stage| Some(Symptom { stage, sign, from_bytes: None });
        let one = |(vantage, letter): (&str, char)| {
            let (verdict, symptom) = match letter {
                '+' => (Verdict::Healthy, None),
                '?' => (Verdict::Unknown, plain(Stage::Connect)),
                's' => (Verdict::Degraded, sign(Sign::Slow, Stage::Tls)),
                'e' => (Verdict::Degraded, sign(Sign::Expiring, Stage::Judgement)),
                'c' => (Verdict::Failed, plain(Stage::Connect)),
                't' => (Verdict::Failed, plain(Stage::Tls)),
                'a' => (Verdict::Failed, plain(Stage::Answer)),
                'b' => (Verdict::Failed, plain(Stage::Body)),
                'w' => (Verdict::Failed, plain(Stage::Judgement)),
                'z' => (Verdict::Failed, sign(Sign::Stale, Stage::Judgement)),
                'L' => {
                    let lost = sign(Sign::LargeMessages, Stage::Answer);
                    let from = if vantage == "seoul" { 1_400 } else { 1_500 };
                    (Verdict::Failed, lost.map(|lost| Symptom { from_bytes: Some(from), ..lost }))
                }
                _ => (Verdict::Failed, None),
            };
            Sighting { vantage: vantage.into(), verdict, symptom }
        };
        VANTAGES.into_iter().zip(letters.chars()).map(one).collect()
    }

    /// The picture of the first of two members, in words.
    fn check(seen: [&str; 2], pattern: Option<Pattern>, words: &str) {
        let regions = MEMBERS.map(RegionName::from);
        let all = diagnose(regions.iter().zip(seen.map(sightings)));
        let found = all.get(&regions[0]);
        assert_eq!(found.map(|found| found.pattern), pattern, "{seen:?}");
        assert_eq!(found.map(ToString::to_string).unwrap_or_default(), words, "{seen:?}");
    }

    #[test]
    fn a_fault_is_named_by_its_stage_its_sign_and_by_who_sees_it() {
        use Pattern::{All, LargeMessages, OneRegion, OneVantage, Slow, Stale};
        check(["+++", "+++"], None, "");
        check(["???", "+++"], None, "");
        check(["ccc", "+++"], Some(OneRegion), "no connection to daejeon, seen from all 3 vantages");
        check(["c?c", "+++"], Some(OneRegion), "no connection to daejeon, seen from both vantages");
        check(
            ["t+t", "+++"],
            Some(OneRegion),
            "the TLS handshake with daejeon fails, seen from 2 of 3 vantages",
        );
        check(
            ["aaa", "+++"],
            Some(OneRegion),
            "daejeon takes connections and does not answer, seen from all 3 vantages",
        );
        check(["bbb", "+++"], Some(OneRegion), "answers of daejeon break off, seen from all 3 vantages");
        check(
            ["L+L", "+++"],
            Some(LargeMessages),
            "messages of 1400 bytes and more are lost on the path to daejeon, seen from 2 of 3 vantages",
        );
        check(["zzz", "+++"], Some(Stale), "what daejeon says is stale, seen from all 3 vantages");
        check(
            ["ss+", "+++"],
            Some(Slow),
            "daejeon is slow, most of the time goes into the TLS handshake, seen from 2 of 3 vantages",
        );
        check(
            ["eee", "+++"],
            Some(OneRegion),
            "what daejeon rests on runs out soon, seen from all 3 vantages",
        );
        check(
            ["www", "ccc"],
            Some(All),
            "daejeon answers wrongly, seen from all 3 vantages; every member is like that: look at what they share",
        );
        check(
            ["++c", "+++"],
            Some(OneVantage),
            "no connection to daejeon, seen only from gwangju, and not from 2 others: suspect the path from there",
        );
        check(
            ["+L+", "+++"],
            Some(OneVantage),
            "messages of 1500 bytes and more are lost on the path to daejeon, seen only from daejeon itself",
        );
        check(
            ["??c", "+++"],
            Some(OneRegion),
            "no connection to daejeon, seen from gwangju, the only vantage that says anything",
        );
    }

    #[test]
    fn most_decide_what_it_is_and_an_early_sign_is_no_part_of_a_failure() {
        check(["cca", "+++"], Some(Pattern::OneRegion), "no connection to daejeon, seen from all 3 vantages");
        check(
            ["ssc", "+++"],
            Some(Pattern::OneVantage),
            "no connection to daejeon, seen only from gwangju, and not from 2 others: suspect the path from there",
        );
        check(["fff", "+++"], None, "");
    }

    #[test]
    fn words_of_a_newer_version_are_read_as_what_is_known_here() {
        let newer = r#"{"stage":"Quic","sign":"Reordered","fromBytes":7}"#;
        let read: Symptom = serde_json::from_str(newer).unwrap();
        assert_eq!((read.stage, read.sign), (Stage::Judgement, Sign::Plain));
    }
}
