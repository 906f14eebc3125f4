//! A search in a directory.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::{Duration, SecretKeyRef},
    TlsOptions,
    crl::default_lifetime_left,
    default_expires_within,
};

/// A bind to a directory (LDAP version 3, RFC 4511), a search, and a judgement of what was found. Referrals and aliases are not
/// followed: where they lead is another check. An answer with any result code but `success` is `wrong`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapCheck {
    /// How the connection is encrypted. The check's `port` has to fit: often 389, or 636 for `Ldaps`. Defaults to `None`.
    #[serde(default)]
    pub encryption: LdapEncryption,

    /// How the member's certificate is verified. Used with `StartTls` and `Ldaps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOptions>,

    /// Who binds, for directories that answer nobody else. Unset: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<LdapBind>,

    /// What is looked for, and what must be found.
    pub search: LdapSearch,

    /// A directory that sends more than this many bytes in one sample is `wrong`, and no more of it is read. Defaults to 1048576.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub max_bytes: i32,
}

/// A bind by name and password (RFC 4513 §5.1.3). The password passes in the clear unless the connection is encrypted.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapBind {
    /// Distinguished name, such as `cn=probe,o=gpki.example`. Give it the right to read what the search asks for, and nothing else.
    #[schemars(length(min = 1, max = 1024))]
    pub name: String,

    /// Where its password is. One that is refused makes the member `Unknown` and not `Failed`: it may be wrong here.
    pub password_secret_ref: SecretKeyRef,
}

/// How the connection to a directory is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum LdapEncryption {
    /// Not at all.
    #[default]
    None,
    /// TLS begins after the member agreed to it (RFC 4511 §4.14). Nothing else is sent before.
    StartTls,
    /// TLS from the first byte.
    Ldaps,
}

/// A search, and what must be found. A search that finds more than 1000 entries is `wrong`: choose a narrower one.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = ("[has(self.equals), has(self.crl), has(self.certificate)].filter(set, set).size() <= 1", "set at most one of equals, crl and certificate"))]
#[x_kube(validation = ("has(self.attribute) || !(has(self.equals) || has(self.crl) || has(self.certificate))", "equals, crl and certificate judge values: set attribute"))]
pub struct LdapSearch {
    /// Distinguished name of the entry where the search begins, such as `cn=ca,o=gpki.example`. Empty: the directory's own entry, the root DSE.
    #[schemars(length(max = 1024))]
    pub base: String,

    /// How far the search goes. Defaults to `Base`.
    #[serde(default)]
    pub scope: LdapScope,

    /// Which entries are found (RFC 4515). Defaults to `(objectClass=*)`, which is all of them.
    #[serde(default = "default_filter")]
    #[schemars(length(min = 3, max = 1024), regex(pattern = r"^\("))]
    pub filter: String,

    /// Attribute that at least one entry must have, and not empty, with its options, such as `certificateRevocationList;binary`. Unset: entries
    /// are counted, and nothing of them is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z0-9][-A-Za-z0-9._]*(;[-A-Za-z0-9]+)*$"))]
    pub attribute: Option<String>,

    /// Fewer entries than this are `wrong`. Defaults to 1.
    #[serde(default = "default_min_entries")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_entries: i32,

    /// One value of the attribute must be this text, letter for letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub equals: Option<String>,

    /// One value of the attribute must be a list of revoked certificates that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<LdapCrl>,

    /// One value of the attribute must be a certificate that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<LdapCertificate>,
}

/// How far a search goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum LdapScope {
    /// The entry where it begins, and no other.
    #[default]
    Base,
    /// The entries right below the one where it begins.
    One,
    /// The entry where it begins and all below it.
    Sub,
}

/// A list of revoked certificates (RFC 5280 §5) in a directory, judged as the check `crl` judges it: its signature, dates and number are
/// verified, and that it names a certificate that is known to be revoked. An unchanged list is not read again.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapCrl {
    /// The CA that signs the list, in PEM.
    #[schemars(length(min = 1, max = 65_536))]
    pub issuer: String,

    /// Serial number, in hexadecimal, of a certificate that the list must name. Unset: that the list is empty by mistake is not noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 62), regex(pattern = "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2})*$"))]
    pub revoked: Option<String>,

    /// The list must not be older than this. Unset: it is good until its `nextUpdate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,

    /// Less than so much of its lifetime left makes the sample `expiring`, an early sign. Percent. Defaults to 25.
    #[serde(default = "default_lifetime_left")]
    #[schemars(range(min = 0, max = 99))]
    pub lifetime_left_percent: i32,
}

/// A certificate in a directory: who signed it and its dates are verified.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapCertificate {
    /// The CAs one of which signed the certificate, in PEM.
    #[schemars(length(min = 1, max = 65_536))]
    pub issuer: String,

    /// A certificate that runs out within this time makes the sample `expiring`, an early sign. Defaults to `168h`.
    #[serde(default = "default_expires_within")]
    pub expires_within: Duration,
}

fn default_filter() -> String {
    "(objectClass=*)".to_owned()
}

fn default_min_entries() -> i32 {
    1
}

fn default_max_bytes() -> i32 {
    1_048_576
}
