//! Numbers that somebody else measures, and where they must lie.

use std::fmt;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Nobody has asked yet.
    NotAsked,
    /// The values of all series that were found.
    Values(Vec<f64>),
    /// There is no answer, and why.
    Unknown(String),
}

/// What the values say that were found, with the words for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It lies where it must.
    Kept(String),
    /// It does not.
    Broken(String),
    /// Nothing is known of it.
    Unknown(String),
}

/// Where a number must lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The smallest good value.
    pub min: Option<f64>,
    /// The largest good value.
    pub max: Option<f64>,
}

impl Limits {
    /// Every value must lie within the limits. No value at all, and one that is no number, say nothing (I9).
    #[must_use]
    pub fn judge(&self, values: &[f64]) -> Standing {
        let Some(first) = values.first() else {
            return Standing::Unknown("the query finds no series".to_owned());
        };
        if values.iter().any(|value| value.is_nan()) {
            return Standing::Unknown("the query yields NaN".to_owned());
        }
        let out = |value: &&f64| {
            self.min.is_some_and(|min| **value < min) || self.max.is_some_and(|max| **value > max)
        };
        match values.iter().find(out) {
            Some(value) => Standing::Broken(format!("it is {value}, {self}")),
            None => Standing::Kept(format!("it is {first}, {self}")),
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) => write!(f, "and must be {min} to {max}"),
            (Some(min), None) => write!(f, "and must be at least {min}"),
            (None, Some(max)) => write!(f, "and must be at most {max}"),
            (None, None) => f.write_str("and may be anything"),
        }
    }
}
