//! What went wrong with a server, in words for the person who has to repair it: the server, its answer, the next step.

use std::net::SocketAddr;

use hickory_proto::{op::ResponseCode, rr::rdata::tsig::TsigError};

use crate::ports::{DnsRoute, TrafficError};

/// What the messages are about.
pub(super) struct Subject {
    pub(super) server: SocketAddr,
    zone: String,
    name: String,
    key: String,
    algorithm: &'static str,
}

impl Subject {
    pub(super) fn new(server: SocketAddr, route: &DnsRoute, algorithm: &'static str) -> Self {
        Self {
            server,
            zone: route.zone.clone(),
            name: route.name.clone(),
            key: route.key.name.clone(),
            algorithm,
        }
    }

    pub(super) fn unreachable(&self, cause: String) -> TrafficError {
        TrafficError::Unreachable { server: self.server.to_string(), cause }
    }

    pub(super) fn refused(&self, answer: impl Into<String>, remedy: impl Into<String>) -> TrafficError {
        TrafficError::Refused {
            server: self.server.to_string(),
            answer: answer.into(),
            remedy: remedy.into(),
        }
    }

    /// Something of the route cannot be put into a message; nothing was sent.
    pub(super) fn not_asked(&self, what: &str, cause: impl std::fmt::Display) -> TrafficError {
        self.unreachable(format!("it was not asked, because {what} cannot be used: {cause}"))
    }

    /// An answer with a code that is not success.
    pub(super) fn code(&self, code: ResponseCode, tsig: Option<TsigError>) -> TrafficError {
        match tsig {
            Some(error) => {
                let answer = format!("{} ({})", code_name(code), tsig_name(error));
                let (server, remedy) = (self.server.to_string(), self.tsig_remedy(error));
                match error {
                    TsigError::BadSig | TsigError::BadKey => {
                        TrafficError::KeyRefused { server, answer, remedy }
                    }
                    _ => TrafficError::Refused { server, answer, remedy },
                }
            }
            None => self.refused(code_name(code), self.code_remedy(code)),
        }
    }

    /// A read that the server answers without the authority for it.
    pub(super) fn not_authoritative(&self) -> TrafficError {
        self.refused(
            "not authoritatively (no AA bit)",
            format!("check that it is a primary of zone {}, not a resolver or a parent's server", self.zone),
        )
    }

    /// An answer that nobody signed. It proves nothing, whatever it says.
    pub(super) fn unsigned(&self, code: ResponseCode) -> TrafficError {
        let remedy = match code {
            ResponseCode::NoError | ResponseCode::NXDomain => format!(
                "check that it knows key {} and that nothing on the way answers in its place",
                self.key
            ),
            other => self.code_remedy(other),
        };
        self.refused(format!("{}, unsigned", code_name(code)), remedy)
    }

    /// An answer whose signature is not right.
    pub(super) fn badly_signed(&self, code: ResponseCode, cause: impl std::fmt::Display) -> TrafficError {
        self.refused(
            format!("{} with a wrong signature ({cause})", code_name(code)),
            format!(
                "check that the Secret holds the secret that it knows as key {}, that both clocks are right, and that \
                 nothing on the way answers in its place",
                self.key
            ),
        )
    }

    pub(super) fn alias(&self, target: &str) -> TrafficError {
        self.refused(
            format!("an alias to {target}"),
            format!("remove the CNAME at {} so that addresses can stand there", self.name),
        )
    }

    pub(super) fn contended(&self, attempts: u32) -> TrafficError {
        self.refused(
            format!("NXRRSET to {attempts} attempts"),
            format!("find out what else writes the TXT record _bongsu.{} and stop it", self.name),
        )
    }

    fn tsig_remedy(&self, error: TsigError) -> String {
        match error {
            TsigError::BadSig => {
                format!("check that the Secret holds the secret that it knows as key {}", self.key)
            }
            TsigError::BadKey => format!(
                "check that it knows a key {} for {} and lets it query and update zone {}",
                self.key, self.algorithm, self.zone
            ),
            TsigError::BadTime => "set the clocks of this host and of the server right".to_owned(),
            TsigError::BadTrunc | TsigError::Unknown(_) => {
                format!("check the settings of key {} there, and its log", self.key)
            }
        }
    }

    fn code_remedy(&self, code: ResponseCode) -> String {
        match code {
            ResponseCode::Refused => format!(
                "check that it is a primary of zone {} and lets key {} query and update it",
                self.zone, self.key
            ),
            ResponseCode::NotAuth => {
                format!(
                    "check that it is a primary of zone {} and that key {} may update it",
                    self.zone, self.key
                )
            }
            ResponseCode::NotZone => format!("check that {} is inside its zone {}", self.name, self.zone),
            ResponseCode::FormErr | ResponseCode::NotImp => {
                format!("check that it supports dynamic update (RFC 2136) of zone {}", self.zone)
            }
            _ => format!("look for zone {} in its log", self.zone),
        }
    }
}

/// Mnemonics as name servers and their manuals write them; `hickory` prints sentences.
pub(super) fn code_name(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::YXDomain => "YXDOMAIN".to_owned(),
        ResponseCode::YXRRSet => "YXRRSET".to_owned(),
        ResponseCode::NXRRSet => "NXRRSET".to_owned(),
        ResponseCode::NotAuth => "NOTAUTH".to_owned(),
        ResponseCode::NotZone => "NOTZONE".to_owned(),
        other => format!("RCODE{}", u16::from(other)),
    }
}

fn tsig_name(error: TsigError) -> String {
    match error {
        TsigError::BadSig => "BADSIG".to_owned(),
        TsigError::BadKey => "BADKEY".to_owned(),
        TsigError::BadTime => "BADTIME".to_owned(),
        TsigError::BadTrunc => "BADTRUNC".to_owned(),
        TsigError::Unknown(code) => format!("TSIG error {code}"),
    }
}
