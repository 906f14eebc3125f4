//! Replies of a name server that is written to, as fuzzing makes them.

use hickory_proto::rr::{RData, RecordType};

use super::{
    super::message::question, Algorithm, FUDGE_SECONDS, TSigner, absolute, parse, time_of_server, tsig_error,
};
use crate::adapters::traffic::marker::{Marker, text};

/// The number of the question, which the replies of the corpus have.
const ID: u16 = 7;

/// When it is asked, in seconds since 1970.
const NOW: u64 = 1_795_450_645;

/// A signed reply to the question for a mark (RFC 1035, RFC 8945).
///
/// # Errors
/// What is wrong with it.
pub fn name_server(reply: &[u8]) -> Result<(), String> {
    let name = |text| absolute(text).map_err(|error| error.to_string());
    let signer = TSigner::new(vec![7; 32], Algorithm::HmacSha256, name("key.example")?, FUDGE_SECONDS);
    let signer = signer.map_err(|error| error.to_string())?;
    let mut message = question(&name("_bongsu.service.example")?, RecordType::TXT);
    message.metadata.id = ID;
    let verifier = message.finalize(&signer, NOW).map_err(|error| error.to_string())?;
    let parsed = parse(&message, reply)?;
    let _said = (tsig_error(&parsed), time_of_server(&parsed));
    let marks = parsed.answers.iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(Marker::parse(&text(txt))),
        _ => None,
    });
    let marks: Vec<Option<Marker>> = marks.collect();
    let is_marked = !marks.is_empty() && marks.iter().all(Option::is_some);
    let mut verifier = verifier.ok_or("the question was not signed")?;
    verifier.verify(reply).map_err(|error| error.to_string())?;
    if is_marked { Ok(()) } else { Err("has no mark".to_owned()) }
}
