//! Whether sealed reports are what they were: each by itself, and as a chain.
//!
//! Files are judged as JSON and not as a `DrillReport`, so that reports of other versions can be verified for ever. A file
//! must be its own canonical form, byte for byte: then no change of it can hide in spaces, orders or names given twice.

mod chain;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{PublicKey, canonical::canonical, keys::sha256, text::plain};

/// What came of one file.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The file.
    pub file: String,
    /// Number of its report, where it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// What came of it.
    pub status: Status,
    /// Why, in words. What it cites of the file can do nothing to a terminal.
    pub message: String,
}

/// What came of one file; what comes first hides what comes later.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Status {
    /// It was changed after it was sealed, or never was a report.
    Altered,
    /// It was not signed by the owner of the public key.
    BadSignature,
    /// A report before it is missing, was changed, or was written twice.
    BrokenChain,
    /// Digest and chain are right, and nobody signed it.
    Unsigned,
    /// Digest and chain are right, and so is the signature where a public key was given.
    Valid,
}

impl Status {
    /// Whether it is as it should be. Without a public key nobody asked for signatures.
    #[must_use]
    pub const fn is_good(self, key_given: bool) -> bool {
        match self {
            Self::Valid => true,
            Self::Unsigned => !key_given,
            Self::Altered | Self::BadSignature | Self::BrokenChain => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Altered => "Altered",
            Self::BadSignature => "BadSignature",
            Self::BrokenChain => "BrokenChain",
            Self::Unsigned => "Unsigned",
            Self::Valid => "Valid",
        })
    }
}

/// What a file says of itself that other files and keys are compared with.
#[derive(Debug)]
struct Facts {
    number: String,
    drill: String,
    sealed_at: i64,
    digest: String,
    previous: Option<String>,
    signature: Option<Claim>,
    /// Why it is not what it was.
    altered: Option<String>,
    /// The bytes that were signed.
    signed: Vec<u8>,
}

/// A signature as the file has it.
#[derive(Debug)]
struct Claim {
    key_id: String,
    value: String,
}

/// Judges files, given as name and content, in the order in which they are given. The chain is followed by digests, so
/// the order does not matter. With a public key every report must be signed by its owner.
#[must_use]
pub fn verify(files: &[(String, Vec<u8>)], key: Option<&PublicKey>) -> Vec<Checked> {
    let read: Vec<_> = files.iter().map(|(_, bytes)| facts(bytes)).collect();
    let known: Vec<&Facts> = read.iter().filter_map(|facts| facts.as_ref().ok()).collect();
    let one = |((file, _), read): (&(String, Vec<u8>), &Result<Facts, String>)| {
        let (number, (status, message)) = match read {
            Ok(facts) => (Some(facts.number.clone()), judge(facts, &known, key)),
            Err(why) => (None, (Status::Altered, why.clone())),
        };
        Checked { file: file.clone(), number, status, message: plain(&message) }
    };
    files.iter().zip(&read).map(one).collect()
}

fn judge(facts: &Facts, all: &[&Facts], key: Option<&PublicKey>) -> (Status, String) {
    if let Some(why) = &facts.altered {
        return (Status::Altered, why.clone());
    }
    let (signature, vouched) = match signature(facts, key) {
        Ok(signature) => signature,
        Err(why) => return (Status::BadSignature, why),
    };
    match chain::place(facts, all) {
        Err(why) => (Status::BrokenChain, why),
        Ok(place) => (signature, format!("{place}; {vouched}")),
    }
}

fn signature(facts: &Facts, key: Option<&PublicKey>) -> Result<(Status, String), String> {
    match (&facts.signature, key) {
        (None, _) => Ok((Status::Unsigned, "not signed".to_owned())),
        (Some(claim), None) => {
            let said = format!("says it was signed by key {}; give --public-key to check that", claim.key_id);
            Ok((Status::Valid, said))
        }
        (Some(claim), Some(key)) if claim.key_id != key.id() => {
            Err(format!("it says it was signed by key {}; the one given is {}", claim.key_id, key.id()))
        }
        (Some(claim), Some(key)) if key.made(&claim.value, &facts.signed) => {
            Ok((Status::Valid, format!("signed by key {}", claim.key_id)))
        }
        (Some(_), Some(_)) => Err("the signature is not that of the key given over this report".to_owned()),
    }
}

fn facts(bytes: &[u8]) -> Result<Facts, String> {
    let not = |what: String| format!("not a sealed drill report: {what}");
    let file: Value = serde_json::from_slice(bytes).map_err(|error| not(error.to_string()))?;
    let text = |at: &str| file.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let need = |at: &str| text(at).ok_or_else(|| not(format!("it has no {at}")));
    if !need("/report/schema")?.starts_with("bongsu.io/drill-report/") {
        return Err(not("its schema is another one".to_owned()));
    }
    let report = file.pointer("/report").unwrap_or(&Value::Null);
    let signed = canonical(report).map_err(|error| not(error.to_string()))?;
    let whole = canonical(&file).map_err(|error| not(error.to_string()))?;
    let digest = need("/digest")?;
    Ok(Facts {
        number: need("/report/identity/number")?,
        drill: need("/report/identity/drill")?,
        sealed_at: file.pointer("/report/integrity/sealedAt").and_then(Value::as_i64).unwrap_or(i64::MAX),
        previous: text("/report/integrity/previousDigest"),
        signature: claim(&file).map_err(not)?,
        altered: altered(bytes, &whole, &signed, &digest),
        digest,
        signed,
    })
}

fn claim(file: &Value) -> Result<Option<Claim>, String> {
    let Some(signature) = file.get("signature") else {
        return Ok(None);
    };
    let need = |name: &str| signature.get(name).and_then(Value::as_str).map(str::to_owned);
    match (need("algorithm").as_deref(), need("keyId"), need("value")) {
        (Some("Ed25519"), Some(key_id), Some(value)) => Ok(Some(Claim { key_id, value })),
        _ => Err("its signature is not one by Ed25519".to_owned()),
    }
}

fn altered(bytes: &[u8], whole: &[u8], signed: &[u8], digest: &str) -> Option<String> {
    let computed = sha256(signed);
    if computed != digest {
        return Some(format!("the report's digest is {computed}, the file names {digest}"));
    }
    let same = bytes.strip_suffix(b"\n").unwrap_or(bytes) == whole;
    (!same).then(|| {
        "the file is not byte for byte what was sealed, although it says the same: it was written anew"
            .to_owned()
    })
}
