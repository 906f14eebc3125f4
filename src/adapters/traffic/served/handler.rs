//! Answers one request from the zones in memory.

use std::sync::Arc;

use hickory_proto::{
    op::{Edns, Header, HeaderCounts, Metadata, OpCode, Query, ResponseCode},
    rr::{DNSClass, LowerName, Record as Rr, RecordType},
};
use hickory_server::{
    net::runtime::Time,
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tokio::sync::watch;

use super::zones::{Lookup, Zones};

/// Largest UDP answer that is sent or announced: fits into the smallest packet that IPv6 carries in one piece, the
/// value of the DNS flag day 2020.
const MAX_PAYLOAD: u16 = 1232;

/// The handler. `None` in the channel: the ledger was never read, so nothing is known, which is not the same as empty.
#[derive(Clone)]
pub(super) struct Handler {
    zones: watch::Receiver<Option<Arc<Zones>>>,
}

/// What goes into the response.
struct Response {
    code: ResponseCode,
    authoritative: bool,
    answers: Vec<Rr>,
    soa: Option<Rr>,
}

impl Response {
    const fn code(code: ResponseCode) -> Self {
        Self { code, authoritative: false, answers: Vec::new(), soa: None }
    }
}

impl Handler {
    pub(super) const fn new(zones: watch::Receiver<Option<Arc<Zones>>>) -> Self {
        Self { zones }
    }

    fn respond(&self, request: &Request) -> Response {
        if request.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
            return Response::code(ResponseCode::BADVERS);
        }
        if request.metadata.op_code != OpCode::Query {
            return Response::code(ResponseCode::NotImp);
        }
        match request.queries.queries() {
            [query] => self.answer(query.name(), query.original(), request.metadata.id),
            _ => Response::code(ResponseCode::FormErr),
        }
    }

    fn answer(&self, name: &LowerName, query: &Query, id: u16) -> Response {
        let transfer = matches!(query.query_type(), RecordType::AXFR | RecordType::IXFR);
        if query.query_class() != DNSClass::IN || transfer {
            return Response::code(ResponseCode::Refused);
        }
        let zones = self.zones.borrow().clone();
        let Some(zones) = zones else { return Response::code(ResponseCode::ServFail) };
        match zones.lookup(name, query.query_type()) {
            Lookup::NotOurs => Response::code(ResponseCode::Refused),
            Lookup::NoName { soa } => Response {
                code: ResponseCode::NXDomain,
                authoritative: true,
                answers: Vec::new(),
                soa: Some(soa),
            },
            Lookup::Found { mut answers, soa } => {
                let soa = answers.is_empty().then_some(soa);
                spread(&mut answers, id);
                Response { code: ResponseCode::NoError, authoritative: true, answers, soa }
            }
        }
    }
}

/// Clients tend to take the first address. The request's id is as good as random and needs no state.
fn spread(answers: &mut [Rr], id: u16) {
    if !answers.is_empty() {
        answers.rotate_left(usize::from(id) % answers.len());
    }
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response_handle: R,
    ) -> ResponseInfo {
        let response = self.respond(request);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = response.authoritative;
        metadata.response_code = response.code;
        let edns = request.edns.as_ref().map(edns);
        let builder = MessageResponseBuilder::new(&request.queries, edns.as_ref());
        let message = builder.build(metadata, &response.answers, [], &response.soa, []);
        match response_handle.send_response(message).await {
            Ok(info) => info,
            Err(error) => {
                // The client is gone, or its buffer is full; it asks again.
                tracing::debug!(client = %request.src(), %error, "answer not sent");
                ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
            }
        }
    }
}

/// The library takes the size in the response as the limit of the response, so both sides' limits go in here.
fn edns(request: &Edns) -> Edns {
    let mut edns = Edns::new();
    edns.set_version(0);
    edns.set_max_payload(request.max_payload().min(MAX_PAYLOAD));
    edns.set_dnssec_ok(request.flags().dnssec_ok);
    edns
}
