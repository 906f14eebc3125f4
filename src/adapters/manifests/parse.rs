//! From the text of a document to its value, and where each part of it stands.

use std::sync::Arc;

use serde_json::Value;

use crate::adapters::yaml::{self, YamlError};

use super::{
    documents::{Document, split},
    finding::Finding,
    locate::{MAX_DEPTH, NoPlaces, Node, Place},
    object::Origin,
    path::FieldPath,
    source::Source,
};

/// Reads a file that is one document of another format, not a manifest.
///
/// # Errors
/// Everything that keeps it from being read, each with its place.
pub fn read_document(source: &Source) -> Result<(Value, Origin), Vec<Finding>> {
    let text = text(source).map_err(|finding| vec![*finding])?;
    match split(text).as_slice() {
        [] => Err(vec![Finding::error(&source.name, "the file is empty")]),
        [document] => parse(&Arc::from(source.name.as_str()), *document),
        [_, second, ..] => {
            let finding = Finding::error(&source.name, "a second document begins here");
            let finding = finding.with_remedy("write it into a file of its own");
            Err(vec![Finding { line: Some(second.first_line), ..finding }])
        }
    }
}

/// The text of a file.
pub(super) fn text(source: &Source) -> Result<&str, Box<Finding>> {
    std::str::from_utf8(&source.bytes).map_err(|error| {
        let good = &source.bytes[..error.valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let finding = Finding::error(&source.name, "not text in UTF-8").with_remedy("save it as UTF-8");
        Box::new(Finding { line: Some(line), ..finding })
    })
}

/// The value of a document.
pub(super) fn parse(file: &Arc<str>, document: Document<'_>) -> Result<(Value, Origin), Vec<Finding>> {
    let places = match Node::parse(document.text, document.first_line) {
        Ok(places) => Some(Arc::new(places)),
        Err(NoPlaces::Unreadable) => None,
        Err(NoPlaces::TooDeep(place)) => return Err(vec![too_deep(file, place)]),
    };
    let repeated = places.as_deref().map(Node::duplicate_keys).unwrap_or_default();
    if !repeated.is_empty() {
        return Err(repeated.into_iter().map(|key| repeated_key(file, key)).collect());
    }
    let mut value = yaml::parse(document.text).map_err(|error| vec![unreadable(file, document, error)])?;
    if let Some(places) = &places {
        places.read_as_kubectl_does(&mut value);
    }
    let first_line = document.first_line;
    Ok((value, Origin { file: file.clone(), first_line, places, inside: FieldPath::root() }))
}

fn too_deep(file: &str, place: Place) -> Finding {
    let finding = Finding::error(file, format!("more than {MAX_DEPTH} values inside each other"));
    Finding { line: Some(place.line), column: Some(place.column), ..finding }
}

fn repeated_key(file: &str, (path, again, first): (FieldPath, Place, Place)) -> Finding {
    let message = format!("stands twice, first on line {}", first.line);
    let finding = Finding::error(file, message).with_remedy("remove one of them");
    Finding { line: Some(again.line), column: Some(again.column), path: Some(path), ..finding }
}

/// The parser may name a second line inside its message. So it reads the document again behind as many empty lines as
/// stand before it in the file, and every number is right.
fn unreadable(file: &str, document: Document<'_>, error: YamlError) -> Finding {
    let before = "\n".repeat(document.first_line - 1);
    let error = yaml::parse(&format!("{before}{}", document.text)).err().unwrap_or(error);
    let finding = Finding::error(file, format!("not readable as YAML: {}", error.message));
    let line = error.line.unwrap_or(document.first_line);
    Finding { line: Some(line), column: error.column, ..finding }
}
