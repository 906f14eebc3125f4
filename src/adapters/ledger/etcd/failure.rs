//! What became of a call that has no answer, and what to do about it.

use std::{error::Error, fmt::Write};

use tonic::{Code, ConnectError, Status};

use super::connection::ETCD_TIMEOUT;
use crate::{adapters::kube::error_chain, ports::LedgerError};

/// Why a call has no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// It may have happened.
    Unanswered(String),
    /// It has not happened, and may work at another member or later.
    Undone(String),
    /// It has not happened, and no member will do it as it is.
    Refused(String),
    /// What was asked for is no longer kept: the revision was compacted.
    Compacted,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing: every member would say so.
    Final(Failure),
    /// Log in again.
    LogIn(Failure),
    /// Ask another member.
    Next(Failure),
}

impl Verdict {
    /// What has failed, whatever is to be done about it.
    pub(super) fn failure(self) -> Failure {
        let (Self::Final(failure) | Self::LogIn(failure) | Self::Next(failure)) = self;
        failure
    }
}

impl Failure {
    /// A call whose repetition and loss are harmless, such as a login, was never a write.
    pub(super) fn certainly_undone(self) -> Self {
        match self {
            Self::Unanswered(cause) => Self::Undone(cause),
            other => other,
        }
    }

    /// As the port says it.
    pub(super) fn of_write(self, what: String) -> LedgerError {
        match self {
            Self::Unanswered(cause) if cause.is_empty() => LedgerError::Timeout { what, limit: ETCD_TIMEOUT },
            Self::Unanswered(cause) => {
                LedgerError::Timeout { what: format!("{what} ({cause})"), limit: ETCD_TIMEOUT }
            }
            other => LedgerError::Unavailable { what, cause: other.to_string() },
        }
    }

    /// The same for a call that changes nothing: it does not matter whether it was lost on the way there or back.
    pub(super) fn of_read(self, what: String) -> LedgerError {
        match self {
            Self::Unanswered(cause) if !cause.is_empty() => LedgerError::Unavailable { what, cause },
            other => other.of_write(what),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unanswered(cause) if cause.is_empty() => write!(f, "no answer within {ETCD_TIMEOUT:?}"),
            Self::Unanswered(cause) | Self::Undone(cause) | Self::Refused(cause) => f.write_str(cause),
            Self::Compacted => f.write_str("etcd has compacted what was asked for"),
        }
    }
}

/// A connection that could not be opened.
pub(super) fn unreachable(member: &str, error: &tonic::transport::Error) -> Failure {
    Failure::Undone(advised(format!("{member}: {}", error_chain(error))))
}

/// What an answer that is an error means.
pub(super) fn judge(status: &Status, member: &str) -> Verdict {
    let cause = advised(format!("{member}: {}", words(status)));
    match status.code() {
        Code::OutOfRange => Verdict::Final(Failure::Compacted),
        // The token has run out, or etcd was restarted with others, or its users changed.
        Code::Unauthenticated => Verdict::LogIn(Failure::Undone(cause)),
        Code::InvalidArgument if status.message().contains("auth store is old") => {
            Verdict::LogIn(Failure::Undone(cause))
        }
        Code::InvalidArgument
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::ResourceExhausted
        | Code::Unimplemented
        | Code::NotFound => Verdict::Final(Failure::Refused(cause)),
        _ if is_certainly_undone(status) => Verdict::Next(Failure::Undone(cause)),
        _ => Verdict::Next(Failure::Unanswered(cause)),
    }
}

/// A connection that was never there; or a member that knows no leader: it says so before it looks at the request.
fn is_certainly_undone(status: &Status) -> bool {
    let mut next = status.source();
    while let Some(cause) = next {
        if cause.is::<ConnectError>() {
            return true;
        }
        next = cause.source();
    }
    status.message() == "etcdserver: no leader"
}

/// Its message and causes. The text of a status as a whole is a dump.
fn words(status: &Status) -> String {
    let mut line = status.message().to_owned();
    if let Some(cause) = status.source() {
        let words = error_chain(cause);
        if !line.contains(&words) {
            // Writing to a string cannot fail.
            let _ = write!(line, ": {words}");
        }
    }
    line
}

/// What to do about it, where etcd's or TLS's own words do not say.
fn advised(cause: String) -> String {
    let advice = [
        ("invalid user ID or password", "check --ledger-etcd-user and --ledger-etcd-password-file"),
        (
            "user name is empty",
            "etcd wants a login: give --ledger-etcd-user, or a certificate with the user's name",
        ),
        (
            "authentication is not enabled",
            "give no --ledger-etcd-user, or enable it with etcdctl auth enable",
        ),
        (
            "permission denied",
            "grant the user read and write on --ledger-etcd-prefix: etcdctl role grant-permission",
        ),
        ("UnknownIssuer", "--ledger-etcd-ca is not the authority that signed etcd's certificate"),
        ("NotValidForName", "etcd's certificate is not for the name in --ledger-etcd-endpoints"),
        ("CertificateRequired", "etcd wants a certificate: give --ledger-etcd-cert and --ledger-etcd-key"),
        ("UnknownCA", "etcd does not know the authority that signed --ledger-etcd-cert"),
        ("DecryptError", "etcd does not know the authority that signed --ledger-etcd-cert"),
        ("BadCertificate", "etcd does not accept --ledger-etcd-cert: see its log"),
        ("InvalidContentType", "etcd does not speak TLS there: write http:// in --ledger-etcd-endpoints"),
        ("database space exceeded", "etcd is full: compact, defragment and disarm its alarm"),
    ];
    // A member that misses our certificate says so and hangs up, and its words may be lost with the connection.
    let ended =
        ["connection closed", "connection reset", "broken pipe"].iter().any(|words| cause.contains(words));
    let silent =
        ("https:", "where etcd asks for certificates, give --ledger-etcd-cert and --ledger-etcd-key");
    let found = advice.into_iter().chain(ended.then_some(silent)).find(|(words, _)| cause.contains(words));
    found.map_or(cause.clone(), |(_, remedy)| format!("{cause} ({remedy})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_write_is_known_not_to_have_happened() {
        let ends = |code, message: &str| match judge(&Status::new(code, message), "m") {
            Verdict::Final(failure) | Verdict::LogIn(failure) | Verdict::Next(failure) => failure,
        };
        assert!(matches!(ends(Code::PermissionDenied, "etcdserver: permission denied"), Failure::Refused(_)));
        assert!(matches!(
            ends(Code::ResourceExhausted, "etcdserver: too many requests"),
            Failure::Refused(_)
        ));
        assert!(matches!(ends(Code::Unavailable, "etcdserver: no leader"), Failure::Undone(_)));
        assert!(matches!(ends(Code::Unauthenticated, "etcdserver: invalid auth token"), Failure::Undone(_)));
        for lost in ["etcdserver: request timed out", "etcdserver: leader changed", "transport error"] {
            assert!(matches!(ends(Code::Unavailable, lost), Failure::Unanswered(_)), "{lost}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let status = Status::new(
            Code::InvalidArgument,
            "etcdserver: authentication failed, invalid user ID or password",
        );
        let Verdict::Final(failure) = judge(&status, "https://etcd.example:2379") else { panic!("final") };
        let error = failure.of_read("read record/gpki/verify".to_owned()).to_string();
        assert_eq!(
            error,
            "read record/gpki/verify: https://etcd.example:2379: etcdserver: authentication failed, invalid user ID \
             or password (check --ledger-etcd-user and --ledger-etcd-password-file)"
        );
    }
}
