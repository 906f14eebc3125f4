//! The body of an answer, in the forms in which services answer, as the JSON that an expression sees.

use base64::{Engine, prelude::BASE64_STANDARD};
use cbor4ii::core::{Value as Cbor, dec::Decode, utils::SliceReader};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Number, Value, json};

use super::super::{Bad, json, line::line};
use crate::ports::BodyFormat;

/// Levels of an answer, as serde_json allows for JSON: the judgement, which recurses too, sees no deeper value.
const DEPTH_MAX: usize = 128;

/// Elements, texts and attributes of an answer in XML. 100,000: each takes some tens of bytes, so that a large answer takes megabytes.
const NODES_MAX: u32 = 100_000;

/// What an expression sees of a body.
pub(in super::super) fn read(bytes: &[u8], format: BodyFormat) -> Result<Value, Bad> {
    match format {
        BodyFormat::Json => json::parse(bytes),
        BodyFormat::Text => text(bytes).map(|text| Value::String(text.to_owned())),
        BodyFormat::Xml => xml(text(bytes)?),
        BodyFormat::Cbor => cbor(bytes),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Bad> {
    std::str::from_utf8(bytes).map_err(|error| Bad::wrong(line(format_args!("body: {error}"))))
}

fn too_deep() -> Bad {
    Bad::wrong(format!("body has more than {DEPTH_MAX} levels"))
}

/// The root element by its name. No document type is read, so that nothing is fetched and no entity grows.
fn xml(text: &str) -> Result<Value, Bad> {
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options);
    let document = document.map_err(|error| Bad::wrong(line(format_args!("body is not XML: {error}"))))?;
    let root = document.root_element();
    Ok(json!({root.tag_name().name(): element(root, DEPTH_MAX)?}))
}

/// An element with text alone is that text. Any other is an object: attributes as `@name`, children by their names, several of one name as a
/// list, and text beside them as `#text`. Namespaces are left out.
fn element(node: Node<'_, '_>, levels: usize) -> Result<Value, Bad> {
    let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
    let text: String = node.children().filter_map(|child| child.is_text().then(|| child.text())?).collect();
    let text = text.trim();
    let mut fields = Map::new();
    for attribute in node.attributes() {
        fields.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    for child in node.children().filter(Node::is_element) {
        let value = element(child, levels)?;
        match fields.get_mut(child.tag_name().name()) {
            None => drop(fields.insert(child.tag_name().name().to_owned(), value)),
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    if fields.is_empty() {
        return Ok(text.into());
    }
    if !text.is_empty() {
        fields.insert("#text".to_owned(), text.into());
    }
    Ok(Value::Object(fields))
}

/// Bytes become base64, tags are left out, and numbers that JSON does not have become texts.
fn cbor(bytes: &[u8]) -> Result<Value, Bad> {
    let mut reader = SliceReader::new(bytes);
    let value = Cbor::decode(&mut reader);
    let value = value.map_err(|error| Bad::wrong(line(format_args!("body is not CBOR: {error}"))))?;
    item(value, DEPTH_MAX)
}

fn item(value: Cbor, levels: usize) -> Result<Value, Bad> {
    let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => value.into(),
        Cbor::Integer(value) => integer(value),
        Cbor::Float(value) => Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number),
        Cbor::Bytes(value) => BASE64_STANDARD.encode(value).into(),
        Cbor::Text(value) => value.into(),
        Cbor::Array(items) => {
            let items = items.into_iter().map(|value| item(value, levels));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Cbor::Map(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Ok((key(name)?, item(value, levels)?)));
            Value::Object(fields.collect::<Result<_, Bad>>()?)
        }
        Cbor::Tag(_, value) => item(*value, levels)?,
        _ => return Err(Bad::unjudged("body has a kind of CBOR that this build does not know".to_owned())),
    })
}

fn integer(value: i128) -> Value {
    let unsigned = u64::try_from(value).map(Value::from);
    unsigned.or_else(|_| i64::try_from(value).map(Value::from)).unwrap_or_else(|_| value.to_string().into())
}

fn key(name: Cbor) -> Result<String, Bad> {
    match name {
        Cbor::Text(name) => Ok(name),
        Cbor::Integer(name) => Ok(name.to_string()),
        _ => Err(Bad::wrong("body has a map with a key that is neither text nor number".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: BodyFormat, body: &[u8], expected: Value) {
        assert_eq!(read(body, format).unwrap(), expected, "{}", body.escape_ascii());
    }

    fn wrong(format: BodyFormat, body: &[u8], detail: &str) {
        let bad = read(body, format).unwrap_err();
        assert!(bad.detail.contains(detail), "{detail:?} is not in {bad:?}");
    }

    #[test]
    fn text_is_itself() {
        check(BodyFormat::Text, b"OK\n", json!("OK\n"));
        wrong(BodyFormat::Text, b"\xff", "body: invalid utf-8");
    }

    #[test]
    fn xml_is_seen_by_names_without_namespaces() {
        let soap = br#"<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
            <verify id="7"><result> good </result><serial>1</serial><serial>2</serial><none/></verify></s:Body></s:Envelope>"#;
        let verify = json!({"@id": "7", "result": "good", "serial": ["1", "2"], "none": ""});
        check(BodyFormat::Xml, soap, json!({"Envelope": {"Body": {"verify": verify}}}));
        check(BodyFormat::Xml, b"<a b='1'>x</a>", json!({"a": {"@b": "1", "#text": "x"}}));
        check(BodyFormat::Xml, b"<a><![CDATA[<b>]]>c</a>", json!({"a": "<b>c"}));
    }

    #[test]
    fn xml_that_means_harm_is_wrong() {
        wrong(BodyFormat::Xml, b"<a>", "body is not XML");
        let bomb = br#"<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>"#;
        wrong(BodyFormat::Xml, bomb, "body is not XML: XML with DTD detected");
        wrong(BodyFormat::Xml, "<a>".repeat(100_001).as_bytes(), "body is not XML");
        let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        wrong(BodyFormat::Xml, deep.as_bytes(), "more than 128 levels");
    }

    #[test]
    fn cbor_is_seen_as_json() {
        // RFC 8949 appendix A.
        check(BodyFormat::Cbor, b"\xa2\x61a\x01\x61b\x82\x02\x03", json!({"a": 1, "b": [2, 3]}));
        check(BodyFormat::Cbor, b"\x83\xf5\xf6\x20", json!([true, null, -1]));
        check(BodyFormat::Cbor, b"\x44\x01\x02\x03\x04", json!("AQIDBA=="));
        check(BodyFormat::Cbor, b"\xc1\x1a\x51\x4b\x67\xb0", json!(1_363_896_240));
        check(BodyFormat::Cbor, b"\xa1\x01\xf9\x7e\x00", json!({"1": "NaN"}));
    }

    #[test]
    fn cbor_that_means_harm_is_wrong() {
        wrong(BodyFormat::Cbor, b"", "body is not CBOR");
        wrong(BodyFormat::Cbor, b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01", "body is not CBOR");
        wrong(BodyFormat::Cbor, &[0x81; 10_000], "body is not CBOR");
        wrong(BodyFormat::Cbor, &[&[0x81; 200][..], b"\x01"].concat(), "body is not CBOR: DepthOverflow");
        wrong(BodyFormat::Cbor, b"\xa1\x80\x01", "neither text nor number");
    }
}
