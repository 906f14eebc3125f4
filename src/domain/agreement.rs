//! Whether the regions hold the same spec of a service: who acts on another one than most would undo what they do.

use std::collections::BTreeMap;

use super::RegionName;

/// What one reachable region says of the spec that another one holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpecWord {
    /// It holds the same.
    Same,
    /// It holds another one.
    Other,
    /// It holds none: the object is not there, or cannot be read there.
    Missing,
    /// It has not said yet what it holds: its Bongsu has just started, or is of a version that does not say it.
    Unsaid,
}

/// What the other reachable regions say of the spec that the own region holds. Who is silent or lost is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreement {
    others: BTreeMap<RegionName, SpecWord>,
}

impl Agreement {
    /// From the words of the others.
    pub fn new(others: impl IntoIterator<Item = (RegionName, SpecWord)>) -> Self {
        Self { others: others.into_iter().collect() }
    }

    /// Whether most of those that have said it hold the own spec, the own region among them. Half is not most: of two
    /// regions that differ, neither is right.
    #[must_use]
    pub fn is_most(&self) -> bool {
        2 * self.same() > self.said()
    }

    /// Regions that hold the own spec, and the own one.
    #[must_use]
    pub fn same(&self) -> u32 {
        1 + self.count(|word| word == SpecWord::Same)
    }

    /// Regions that have said what they hold, and the own one.
    #[must_use]
    pub fn said(&self) -> u32 {
        1 + self.count(|word| word != SpecWord::Unsaid)
    }

    /// Regions that say this.
    pub fn saying(&self, wanted: SpecWord) -> impl Iterator<Item = &RegionName> {
        self.others.iter().filter(move |(_, word)| **word == wanted).map(|(region, _)| region)
    }

    /// No other region is reachable.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.others.is_empty()
    }

    fn count(&self, test: impl Fn(SpecWord) -> bool) -> u32 {
        u32::try_from(self.others.values().filter(|word| test(**word)).count()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the others in one letter each: same, other, missing, unsaid.
    #[track_caller]
    fn check(others: &str, is_most: bool) {
        let word = |(place, letter): (usize, char)| {
            let word = match letter {
                's' => SpecWord::Same,
                'o' => SpecWord::Other,
                'm' => SpecWord::Missing,
                _ => SpecWord::Unsaid,
            };
            (RegionName::new(format!("r{place}")), word)
        };
        assert_eq!(Agreement::new(others.chars().enumerate().map(word)).is_most(), is_most, "{others}");
    }

    #[test]
    fn who_is_alone_and_who_nobody_contradicts_holds_what_most_hold() {
        ["", "u", "uu", "s", "su"].into_iter().for_each(|others| check(others, true));
    }

    #[test]
    fn more_than_half_of_those_that_said_it_must_hold_the_same() {
        ["so", "sm", "sou", "ssoo"].into_iter().for_each(|others| check(others, true));
        ["o", "m", "ou", "oo", "om", "soo", "som"].into_iter().for_each(|others| check(others, false));
    }
}
