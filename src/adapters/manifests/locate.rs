//! Which line a field stands on. Built beside the value by a second parser, because the first one forgets the places.

use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::Value;

use super::path::{FieldPath, Segment};

/// 128 levels: as deep as the parser of the values goes. The deepest field of our kinds is at 9.
pub const MAX_DEPTH: usize = 128;

/// Line and column, counted from 1.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// Why a text has no places.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoPlaces {
    /// The text is not YAML.
    Unreadable,
    /// The text nests deeper than any value can.
    TooDeep(Place),
}

/// A value with the place of each part.
#[derive(Clone, Debug)]
pub struct Node {
    place: Place,
    kind: NodeKind,
}

#[derive(Clone, Debug)]
enum NodeKind {
    /// Holds whether it stands without quotes.
    Scalar {
        plain: bool,
    },
    /// Keys with their own places, in the order of the text. A key can stand here twice.
    Mapping(Vec<(String, Place, Node)>),
    List(Vec<Node>),
}

impl Node {
    /// The places of one document whose first line is `first_line` of the file.
    ///
    /// # Errors
    /// `TooDeep` must not be given to the parser of the values, which takes minutes for it.
    pub fn parse(text: &str, first_line: usize) -> Result<Self, NoPlaces> {
        let mut builder = Builder { first_line, ..Builder::default() };
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| no_places(&error))?;
            builder.take(&event, span)?;
        }
        builder.root.ok_or(NoPlaces::Unreadable)
    }

    /// Place of a field, or of the nearest thing above it that stands in the text.
    #[must_use]
    pub fn place(&self, path: &FieldPath) -> Place {
        let mut node = self;
        let mut place = self.place;
        for segment in path.segments() {
            let found = match (&node.kind, segment) {
                (NodeKind::Mapping(entries), Segment::Field(name)) => {
                    entries.iter().find(|(key, ..)| key == name).map(|(_, at, child)| (*at, child))
                }
                (NodeKind::List(items), Segment::Index(index)) => {
                    items.get(*index).map(|child| (child.place, child))
                }
                _ => None,
            };
            let Some((at, child)) = found else { break };
            (place, node) = (at, child);
        }
        place
    }

    /// Every key that stands twice in one mapping: its path, where it stands again, and where it stood first.
    #[must_use]
    pub fn duplicate_keys(&self) -> Vec<(FieldPath, Place, Place)> {
        let mut found = Vec::new();
        self.collect_duplicates(&FieldPath::root(), &mut found);
        found
    }

    fn collect_duplicates(&self, path: &FieldPath, found: &mut Vec<(FieldPath, Place, Place)>) {
        match &self.kind {
            NodeKind::Scalar { .. } => {}
            NodeKind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect_duplicates(&path.index(index), found);
                }
            }
            NodeKind::Mapping(entries) => {
                let mut first = BTreeMap::new();
                for (key, place, child) in entries {
                    let path = path.field(key);
                    if let Some(before) = first.insert(key.as_str(), *place) {
                        found.push((path.clone(), *place, before));
                    }
                    child.collect_duplicates(&path, found);
                }
            }
        }
    }

    /// `yes`, `no`, `on` and `off` without quotes are booleans to kubectl, which reads YAML 1.1, and text to YAML 1.2.
    /// What kubectl sends to the API server counts.
    pub fn read_as_kubectl_does(&self, value: &mut Value) {
        match (&self.kind, value) {
            (NodeKind::Mapping(entries), Value::Object(fields)) => {
                for (key, _, child) in entries {
                    if let Some(field) = fields.get_mut(key) {
                        child.read_as_kubectl_does(field);
                    }
                }
            }
            (NodeKind::List(nodes), Value::Array(items)) => {
                for (node, item) in nodes.iter().zip(items) {
                    node.read_as_kubectl_does(item);
                }
            }
            (NodeKind::Scalar { plain: true }, value @ Value::String(_)) => {
                if let Some(flag) = value.as_str().and_then(old_boolean) {
                    *value = Value::Bool(flag);
                }
            }
            _ => {}
        }
    }
}

/// The parser looks ahead and may meet its own limit, 255, before ours.
fn no_places(error: &ScanError) -> NoPlaces {
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            NoPlaces::TooDeep(Place { line: error.marker().line(), column: error.marker().col() + 1 })
        }
        _ => NoPlaces::Unreadable,
    }
}

fn old_boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

#[derive(Default)]
struct Builder {
    first_line: usize,
    open: Vec<Open>,
    root: Option<Node>,
}

/// A collection whose end was not seen yet.
struct Open {
    node: Node,
    /// Key that waits for its value.
    key: Option<(String, Place)>,
}

impl Builder {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), NoPlaces> {
        let place = Place { line: span.start.line() + self.first_line - 1, column: span.start.col() + 1 };
        match event {
            Event::Scalar(text, style, ..) => {
                let plain = *style == ScalarStyle::Plain;
                self.attach(text, Node { place, kind: NodeKind::Scalar { plain } });
            }
            Event::Alias(_) => self.attach("", Node { place, kind: NodeKind::Scalar { plain: false } }),
            Event::MappingStart(..) => self.begin(Node { place, kind: NodeKind::Mapping(Vec::new()) })?,
            Event::SequenceStart(..) => self.begin(Node { place, kind: NodeKind::List(Vec::new()) })?,
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(ended) = self.open.pop() {
                    self.attach("", ended.node);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, node: Node) -> Result<(), NoPlaces> {
        let place = node.place;
        self.open.push(Open { node, key: None });
        if self.open.len() > MAX_DEPTH { Err(NoPlaces::TooDeep(place)) } else { Ok(()) }
    }

    /// Puts a finished node where it belongs; in a mapping every first one is a key.
    fn attach(&mut self, text: &str, node: Node) {
        let Some(open) = self.open.last_mut() else {
            // A second document in the text is refused by the parser of the values.
            self.root.get_or_insert(node);
            return;
        };
        match &mut open.node.kind {
            NodeKind::List(items) => items.push(node),
            NodeKind::Mapping(entries) => match open.key.take() {
                Some((key, place)) => entries.push((key, place, node)),
                None => open.key = Some((text.to_owned(), node.place)),
            },
            NodeKind::Scalar { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a:\n  b: 1\n  c:\n  - x: yes\n  - {x: 2,\n     x: 3}\nd: \"no\"\n";

    fn line(path: &str) -> usize {
        Node::parse(TEXT, 11).unwrap().place(&FieldPath::read(path)).line
    }

    #[test]
    fn a_field_is_found_on_its_line_and_a_missing_one_at_its_parent() {
        let lines = ["", "a.b", "a.c[0].x", "a.c[1]", "a.c[1].y", "d", "a.c[7]"].map(line);
        assert_eq!(lines, [11, 12, 14, 15, 15, 17, 13]);
    }

    #[test]
    fn every_duplicate_key_is_found_with_both_places() {
        let found = Node::parse(TEXT, 1).unwrap().duplicate_keys();
        let found: Vec<_> =
            found.iter().map(|(p, again, first)| (p.to_string(), again.line, first.line)).collect();
        assert_eq!(found, [("a.c[1].x".to_owned(), 6, 5)]);
    }

    #[test]
    fn an_unquoted_yes_is_true_and_a_quoted_no_is_text() {
        let mut value = serde_json::json!({"a": {"c": [{"x": "yes"}]}, "d": "no"});
        Node::parse(TEXT, 1).unwrap().read_as_kubectl_does(&mut value);
        assert_eq!(value, serde_json::json!({"a": {"c": [{"x": true}]}, "d": "no"}));
    }
}
