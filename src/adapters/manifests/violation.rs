//! One broken rule of one object, before it has a file and a line.

use super::path::FieldPath;

/// One broken rule of one object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The field.
    pub path: FieldPath,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Violation {
    /// A violation without a remedy, where the message says it all.
    #[must_use]
    pub fn new(path: FieldPath, message: impl Into<String>) -> Self {
        Self { path, message: message.into(), remedy: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// The option that was probably meant: at most a third of its letters differ.
#[must_use]
pub fn closest<'a>(text: &str, options: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |option: &str| strsim::damerau_levenshtein(&text.to_lowercase(), &option.to_lowercase());
    options
        .into_iter()
        .map(|option| (distance(option), option))
        .filter(|(distance, option)| distance * 3 <= option.chars().count().max(3))
        .min()
        .map(|(_, option)| option)
}
