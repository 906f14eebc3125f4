//! A report with what makes a change of it visible: its digest, and the signature of who wrote it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CanonicalError, DrillReport, SigningKey, canonical::canonical, keys::sha256};

/// A report with its digest. A file holds its canonical bytes and a line feed.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// What it says.
    pub report: DrillReport,
    /// SHA-256 of the canonical bytes (RFC 8785) of `report`, in hexadecimal.
    pub digest: String,
    /// Who vouches for it; none: whoever keeps the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// Who vouches for a report.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signature {
    /// How it was signed.
    pub algorithm: Algorithm,
    /// The first 16 hexadecimal digits of the SHA-256 of the public key.
    pub key_id: String,
    /// The signature over the canonical bytes of `report`, in base64.
    pub value: String,
}

/// How a report was signed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Algorithm {
    /// RFC 8032.
    Ed25519,
}

/// Why a file is no sealed report.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not JSON, or not of this shape.
    #[error("not a sealed drill report that this version knows: {0}")]
    Shape(#[from] serde_json::Error),
    /// It says what has no canonical form.
    #[error("not a sealed drill report: {0}")]
    Canonical(#[from] CanonicalError),
    /// The digest is that of another text.
    #[error("it was changed after it was sealed: its digest does not fit")]
    Digest,
}

/// SHA-256 over the canonical bytes of any value, in hexadecimal.
pub fn fingerprint(value: &impl Serialize) -> Result<String, CanonicalError> {
    Ok(sha256(&canonical(value)?))
}

impl Sealed {
    /// Seals a report. `report.integrity.previous_digest` must name the report before it.
    pub fn seal(report: DrillReport, key: Option<&SigningKey>) -> Result<Self, CanonicalError> {
        let bytes = canonical(&report)?;
        let signature = key.map(|key| Signature {
            algorithm: Algorithm::Ed25519,
            key_id: key.public().id(),
            value: key.sign(&bytes),
        });
        Ok(Self { report, digest: sha256(&bytes), signature })
    }

    /// What a file of it holds.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        let mut bytes = canonical(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file, and refuses one whose report does not have the digest that it names. Whether it is the right one is
    /// for `verify`.
    pub fn parse(file: &[u8]) -> Result<Self, SealError> {
        let sealed: Self = serde_json::from_slice(file)?;
        let digest = sha256(&canonical(&sealed.report)?);
        if digest == sealed.digest { Ok(sealed) } else { Err(SealError::Digest) }
    }
}
