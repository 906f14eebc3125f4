//! What a check asks of a ledger of identities.

use std::sync::Arc;

use super::{Wrong, port, tls_spec, unsigned};
use crate::{
    api,
    ports::{ChainRpc, DidHead, DidResolve, DidSpec, DidStatus},
};

pub(super) fn did_spec(namespace: &str, did: &api::DidCheck) -> Result<DidSpec, Wrong> {
    Ok(DidSpec {
        resolve: did.resolve.as_ref().map(resolve),
        statuses: did.statuses.iter().map(status).collect(),
        head: did.head.as_ref().map(head),
        tls: tls_spec(namespace, ".did.tls", did.tls.as_ref())?,
    })
}

fn resolve(resolve: &api::DidResolve) -> DidResolve {
    // Of the letters that a DID may have, only this one means something else in a path or a query.
    let in_path = resolve.did.replace('%', "%25");
    DidResolve {
        did: Arc::from(resolve.did.as_str()),
        path: Arc::from(resolve.path.replace("{did}", &in_path)),
        document: Arc::from(resolve.document.as_deref().unwrap_or_default()),
        key_id: resolve.key_id.as_deref().map(Arc::from),
        public_key: resolve.public_key.as_deref().map(Arc::from),
    }
}

fn status(status: &api::DidStatus) -> DidStatus {
    DidStatus {
        path: Arc::from(status.path.as_str()),
        pointer: Arc::from(status.pointer.as_str()),
        expect: status.expect.as_deref().map(Arc::from),
        http_status: port(status.http_status),
    }
}

/// Where the number and the time of the newest block are is known of the questions in JSON-RPC.
fn head(head: &api::DidHead) -> DidHead {
    let (rpc, number, time) = match head.rpc {
        None => (None, "", None),
        Some(api::ChainRpc::EthBlockNumber) => (Some(ChainRpc::EthBlockNumber), "/result", None),
        Some(api::ChainRpc::EthGetBlockByNumber) => {
            (Some(ChainRpc::EthGetBlockByNumber), "/result/number", Some("/result/timestamp"))
        }
    };
    DidHead {
        path: Arc::from(head.path.as_str()),
        rpc,
        number: Arc::from(head.number.as_deref().unwrap_or(number)),
        time: head.time.as_deref().or(time).map(Arc::from),
        max_stall: head.max_stall.into(),
        max_behind: unsigned(head.max_behind),
        max_age: head.max_age.into(),
    }
}
