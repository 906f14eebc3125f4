//! Every parser of what comes from members and name servers, each as a function of bytes: what `make fuzz` calls. Whatever the bytes
//! are, none may panic. This module is absent from the product: it is compiled for tests and for fuzzing (`cfg(fuzzing)`) only.

pub use super::{
    probe::fuzzed::{
        cbor, certificate, crl, did, dns, expect, grpc, ldap, ocsp, promql, timestamp, verifier, xml,
    },
    traffic::dns::name_server,
};
