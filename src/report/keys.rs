//! Ed25519 keys, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    digest,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Hexadecimal digits of a key's id: 64 bits tell the keys of one country apart, and a person can compare them.
const ID_LENGTH: usize = 16;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The private key needs a password.
    #[error("the private key is encrypted; write it without a password: openssl pkey -in KEY -out PLAIN")]
    Encrypted,
    /// No private key that we know.
    #[error(
        "not an Ed25519 private key in PKCS#8, PEM or DER; make one: openssl genpkey -algorithm ed25519 -out KEY"
    )]
    Private,
    /// No public key that we know.
    #[error("not an Ed25519 public key, PEM or base64; make one: openssl pkey -in KEY -pubout -out PUBLIC")]
    Public,
}

/// A private key. Its `Debug` form shows the public half only.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads PKCS#8, PEM or DER. OpenSSL leaves the public half out of it, so its presence is not asked for.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        let der = match pem(file, "PRIVATE KEY") {
            Some(der) => der,
            None if has(file, "BEGIN ENCRYPTED PRIVATE KEY") => return Err(KeyError::Encrypted),
            None => file.to_vec(),
        };
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| KeyError::Private)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// The signature over a message, in base64.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        BASE64_STANDARD.encode(self.0.sign(message))
    }
}

/// A public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads PEM, DER, or base64 of either the key alone or its DER.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        let decoded = pem(file, "PUBLIC KEY").or_else(|| BASE64_STANDARD.decode(file.trim_ascii()).ok());
        let der = decoded.unwrap_or_else(|| file.to_vec());
        let key = der.strip_prefix(&SPKI).unwrap_or(&der);
        key.try_into().map(Self).map_err(|_| KeyError::Public)
    }

    /// Names the key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = sha256(&self.0);
        id.truncate(ID_LENGTH);
        id
    }

    /// Whether this key made that signature, given in base64, over this message.
    pub(super) fn made(&self, signature: &str, message: &[u8]) -> bool {
        let signature = BASE64_STANDARD.decode(signature).unwrap_or_default();
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, &signature).is_ok()
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn has(file: &[u8], words: &str) -> bool {
    std::str::from_utf8(file).is_ok_and(|text| text.contains(words))
}

/// What stands between the lines of a PEM file with this label.
fn pem(file: &[u8], label: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(file).ok()?;
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    BASE64_STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}
