//! Where in an object a value stands, such as `spec.members[1].region`.

use std::fmt;

use jsonschema::paths::{Location, LocationSegment};

/// One step down.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Segment {
    /// A field of a mapping.
    Field(String),
    /// An item of a list, counted from 0.
    Index(usize),
}

/// The way from the root of an object to a value.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The root of an object.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Reads the form that [`fmt::Display`] prints, such as `spec.members[1].region`. A bracket that holds no number is
    /// a field, such as `metadata.labels[example.org/team]`.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            if let Some((inner, after)) = rest.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
                segments.push(match inner.parse() {
                    Ok(index) => Segment::Index(index),
                    Err(_) => Segment::Field(inner.trim_matches('"').to_owned()),
                });
                rest = after;
                continue;
            }
            // A lone `[` is part of a name, so that every round takes at least one letter away.
            let end = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '[')).map(|(at, _)| at);
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            segments.push(Segment::Field(name.to_owned()));
            rest = after;
        }
        Self(segments)
    }

    /// This path and one field more.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.with(Segment::Field(name.to_owned()))
    }

    /// This path and one item more.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// This path followed by another.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// Whether this is another path, or a field somewhere in it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The steps from the root.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl From<&Location> for FieldPath {
    fn from(location: &Location) -> Self {
        let segments = location.into_iter().map(|segment| match segment {
            LocationSegment::Property(name) => Segment::Field(name.into_owned()),
            LocationSegment::Index(index) => Segment::Index(index),
        });
        Self(segments.collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Field(name) if name.contains(['.', '/', '[', ' ']) => write!(f, "[{name}]")?,
                Segment::Field(name) if position == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_it_is_printed() {
        for text in ["", "spec", "spec.members[1].region", "metadata.labels[example.org/team]", "a[0][2].b"] {
            assert_eq!(FieldPath::read(text).to_string(), text);
        }
    }

    #[test]
    fn any_text_is_a_path() {
        for text in [".", "..", "[", "a[", "]", "[]", "a.[0", "한.글"] {
            let _ = FieldPath::read(text).to_string();
        }
    }
}
