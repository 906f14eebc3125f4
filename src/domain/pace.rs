//! Which samples a vantage leaves out that cannot take them all: none of a service more than of another of its grade, and
//! those of grade 1 last.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The least important grade.
const GRADES: u8 = 4;

/// Times that the interval of a grade is doubled at most. Twice, to every fourth sample: a vantage that cannot even take those is no use for
/// judging, and says so by verdicts that are Unknown.
const DOUBLINGS: u8 = 2;

/// Percent of the samples of a period that may be lost. 2: one slow moment in a period loses fewer.
const LOST_PERCENT: u64 = 2;

/// Periods in which samples were lost before more are left out. 2: a host that stood still once is not overloaded.
const BAD_PERIODS: u8 = 2;

/// Periods without a loss after which fewer are left out. 12, a minute: what comes and goes within it would be tried each time anew.
const GOOD_PERIODS: u8 = 12;

/// How far samples are left out, and what the last periods were like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pace {
    stretch: Stretch,
    bad: u8,
    good: u8,
}

/// How far samples are left out. With each step the time between the samples of one more grade is doubled, of grade 4 first and of grade
/// 1 last; then once more.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Stretch(u8);

impl Stretch {
    const MOST: u8 = GRADES * DOUBLINGS;

    /// Whether every sample is taken.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// The samples of a grade of which one is taken: 1, 2 or 4.
    #[must_use]
    pub fn stride(self, grade: u8) -> u64 {
        let grade = grade.clamp(1, GRADES);
        1 << ((self.0.min(Self::MOST) + grade - 1) / GRADES)
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("every sample is taken");
        }
        f.write_str("samples are left out:")?;
        let slowed = (1..=GRADES).filter(|grade| self.stride(*grade) > 1);
        for (index, grade) in slowed.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} of grade {grade} all but one in {}", self.stride(grade))?;
        }
        Ok(())
    }
}

impl Pace {
    /// How far samples are left out now.
    #[must_use]
    pub const fn stretch(&self) -> Stretch {
        self.stretch
    }

    /// The pace after a period in which so many samples were due, of those that are not left out, and so many of these were lost by the
    /// vantage's own fault.
    #[must_use]
    pub fn after(self, due: u64, lost: u64) -> Self {
        let Stretch(level) = self.stretch;
        if lost * 100 > due * LOST_PERCENT {
            let bad = self.bad.saturating_add(1);
            let more = bad >= BAD_PERIODS && level < Stretch::MOST;
            return Self { stretch: Stretch(level + u8::from(more)), bad, good: 0 };
        }
        let good = self.good.saturating_add(1);
        match good >= GOOD_PERIODS && level > 0 {
            true => Self { stretch: Stretch(level - 1), bad: 0, good: 0 },
            false => Self { bad: 0, good, ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pace after periods: `x` one with losses, `.` one without.
    fn after(pace: Pace, periods: &str) -> Pace {
        periods.chars().fold(pace, |pace, period| pace.after(1_000, if period == 'x' { 21 } else { 20 }))
    }

    #[test]
    fn grade_4_is_slowed_first_and_grade_1_last_and_each_by_as_much() {
        let strides = |level| [1, 2, 3, 4].map(|grade| Stretch(level).stride(grade));
        assert_eq!(strides(0), [1, 1, 1, 1]);
        assert_eq!(strides(1), [1, 1, 1, 2]);
        assert_eq!(strides(3), [1, 2, 2, 2]);
        assert_eq!(strides(4), [2, 2, 2, 2]);
        assert_eq!(strides(5), [2, 2, 2, 4]);
        assert_eq!(strides(8), [4, 4, 4, 4]);
        assert_eq!(strides(200), strides(8), "as a newer version may say");
    }

    #[test]
    fn one_bad_moment_slows_nothing_and_what_lasts_slows_more_and_more() {
        let stretch = |periods| after(Pace::default(), periods).stretch();
        assert!(stretch("x.x.x.x").is_none());
        assert_eq!(stretch("xx"), Stretch(1));
        assert_eq!(stretch("xxxx"), Stretch(3));
        assert_eq!(stretch("xxxxxxxxxxxxxxxx"), Stretch(8));
    }

    #[test]
    fn a_minute_without_a_loss_takes_one_step_back() {
        let slow = after(Pace::default(), "xxxx");
        assert_eq!(after(slow, "...........").stretch(), Stretch(3));
        assert_eq!(after(slow, "............").stretch(), Stretch(2));
        assert_eq!(
            after(slow, "...........x............").stretch(),
            Stretch(2),
            "counted anew after a loss"
        );
        assert_eq!(after(slow, &".".repeat(36)).stretch(), Stretch(0));
    }

    #[test]
    fn nothing_that_is_due_is_no_loss() {
        assert!(Pace::default().after(0, 0).after(0, 0).after(0, 0).stretch().is_none());
    }

    #[test]
    fn what_is_left_out_is_said_by_grade() {
        assert_eq!(Stretch(0).to_string(), "every sample is taken");
        let text = "samples are left out: of grade 1 all but one in 2, of grade 2 all but one in 2, of grade 3 all but one in 2, of grade 4 all but one in 4";
        assert_eq!(Stretch(5).to_string(), text);
    }
}
