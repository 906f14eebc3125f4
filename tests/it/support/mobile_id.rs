//! A mobile ID service as its clients see it: the gateway and a node of a ledger, verifiers in the shape of mobile ID and of OpenDID, and an
//! issuer. It answers as it should, until a test changes that.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, Uri},
};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use bongsu::{adapters::clock::SystemClock, ports::Clock};
use serde_json::{Value, json};

use super::http_server::Server;

/// The issuer's identifier, its key's name and its key.
pub const ISSUER: &str = "did:kr:mobileid:example:issuer";
pub const KEY_ID: &str = "did:kr:mobileid:example:issuer#assert";
pub const KEY: &str = "mAh9ZkGmGmS2mUs8pMvXyqQkQfXWnKz0yY3c8m1p0example";

/// The service.
pub struct MobileId {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

/// What it knows, and what is wrong with it.
pub struct State {
    /// What is answered at a path instead.
    pub instead: BTreeMap<String, (u16, Vec<u8>)>,
    /// Every request so far: path with query, and body.
    pub asked: Vec<(String, String)>,
    /// The newest block, and how many are made between two questions.
    pub height: u64,
    pub pace: u64,
    /// Age of the newest block in seconds.
    pub age: i64,
    /// The fault of faults: everything is active, and everybody is let in.
    pub lets_everything_in: bool,
    /// What was issued and what became of it.
    statuses: BTreeMap<String, &'static str>,
    /// Transactions and their nonces; those that were presented.
    open: BTreeMap<String, String>,
    presented: BTreeSet<String>,
    count: u64,
}

impl MobileId {
    pub async fn start() -> Self {
        let statuses = [("canary-active", "ACTIVE"), ("canary-revoked", "REVOKED")];
        let state = Arc::new(Mutex::new(State {
            instead: BTreeMap::new(),
            asked: Vec::new(),
            height: 4_000,
            pace: 1,
            age: 0,
            lets_everything_in: false,
            statuses: statuses.map(|(id, status)| (id.to_owned(), status)).into(),
            open: BTreeMap::new(),
            presented: BTreeSet::new(),
            count: 0,
        }));
        let shared = state.clone();
        let answer = async move |uri: Uri, body: Bytes| {
            let (status, body) = shared.lock().unwrap().answer(&uri, &body);
            (StatusCode::from_u16(status).unwrap(), body)
        };
        Self { server: Server::axum(Router::new().fallback(answer), None).await, state }
    }

    /// Changes what it knows or what is wrong with it.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    /// Answers a path in another way from now on.
    pub fn answer_instead(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.change(|state| state.instead.insert(path.to_owned(), (status, body.into())));
    }
}

impl State {
    fn answer(&mut self, uri: &Uri, body: &[u8]) -> (u16, Vec<u8>) {
        self.asked.push((uri.to_string(), String::from_utf8_lossy(body).into_owned()));
        if let Some(instead) = self.instead.get(uri.path()) {
            return instead.clone();
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        // Mobile ID has its messages in base64; the others are plain.
        let data = body["data"].as_str().map(|data| BASE64_STANDARD.decode(data).unwrap());
        let data: Value = data.map_or(Value::Null, |data| serde_json::from_slice(&data).unwrap());
        let (status, answer) = match uri.path() {
            "/api/v1/did-doc" => document(&asked_for(uri, "did")),
            "/api/v1/vc-meta" => self.status(&asked_for(uri, "vcId")),
            "/rpc" => self.rpc(&body),
            "/height" => (200, json!({"height": self.next()})),
            "/mip/request" => self.request(),
            "/mip/profile" => self.profile(&data),
            "/mip/vp" => self.presentation(&data),
            "/mip/trxsts" => self.transaction(&data),
            "/verifier/api/v1/request-offer-qr" => self.offer(),
            "/verifier/api/v1/request-profile" => self.verify_profile(&body),
            "/verifier/api/v1/request-verify" => self.verify(&body),
            "/verifier/api/v1/confirm-verify" => self.confirm(&body),
            "/issuer/api/v1/canary" => self.issue(),
            "/issuer/api/v1/canary/revoke" => self.revoke(&body),
            _ => (404, json!({"message": "no such path"})),
        };
        (status, answer.to_string().into_bytes())
    }

    fn status(&self, id: &str) -> (u16, Value) {
        let known = if self.lets_everything_in { Some(&"ACTIVE") } else { self.statuses.get(id) };
        match known {
            Some(status) => (200, json!({"vcMeta": multibase(&json!({"id": id, "status": status}))})),
            None => (404, json!({"code": "SSRVLSS00001", "description": "VC meta not found"})),
        }
    }

    fn next(&mut self) -> u64 {
        self.height += self.pace;
        self.height
    }

    fn rpc(&mut self, question: &Value) -> (u16, Value) {
        let number = format!("{:#x}", self.next());
        let made = SystemClock::new().wall().0 / 1_000 - self.age;
        let result = match question["method"].as_str() {
            Some("eth_blockNumber") => json!(number),
            Some("eth_getBlockByNumber") if question["params"] == json!(["latest", false]) => {
                json!({"number": number, "timestamp": format!("{made:#x}")})
            }
            _ => return (200, json!({"id": 1, "error": {"code": -32601, "message": "Method not found"}})),
        };
        (200, json!({"jsonrpc": "2.0", "id": 1, "result": result}))
    }

    /// A code that nobody has used, and its nonce.
    fn opened(&mut self) -> (String, String) {
        self.count += 1;
        let opened = (format!("trx \"{}\"/+", self.count), format!("nonce-{}", self.count));
        self.open.insert(opened.0.clone(), opened.1.clone());
        opened
    }

    fn request(&mut self) -> (u16, Value) {
        let (code, _) = self.opened();
        taken(&json!({"type": "mip", "version": "1.0.0", "cmd": "200", "trxcode": code}))
    }

    fn profile(&self, message: &Value) -> (u16, Value) {
        match self.open.get(text(&message["trxcode"])) {
            None => refused("10104", "trxcode not found"),
            Some(_) if message["cmd"] != "310" => refused("10201", "sequence"),
            Some(nonce) => taken(&json!({"type": "mip", "cmd": "310", "profile": {"nonce": nonce}})),
        }
    }

    fn presentation(&mut self, message: &Value) -> (u16, Value) {
        let code = text(&message["trxcode"]);
        let right = self.lets_everything_in || message["vp"]["proof"] == "canary";
        match self.open.get(code) {
            None => refused("10104", "trxcode not found"),
            Some(_) if message["cmd"] != "400" => refused("10201", "sequence"),
            Some(nonce) if !self.lets_everything_in && message["vp"]["nonce"] != **nonce => {
                refused("20402", "nonce")
            }
            Some(_) if !right => refused("20401", "proof"),
            Some(_) => {
                self.presented.insert(code.to_owned());
                taken(&json!({}))
            }
        }
    }

    fn transaction(&self, message: &Value) -> (u16, Value) {
        let code = text(&message["trxcode"]);
        let status = if self.presented.contains(code) { "0003" } else { "0001" };
        taken(&json!({"trxcode": code, "trxStsCode": status}))
    }

    fn offer(&mut self) -> (u16, Value) {
        let (id, _) = self.opened();
        (200, json!({"txId": id, "payload": {"offerId": id, "type": "VerifyOffer"}}))
    }

    fn verify_profile(&self, message: &Value) -> (u16, Value) {
        let id = text(&message["offerId"]);
        match self.open.get(id) {
            None => (400, json!({"code": "SSRVVRF00300", "description": "Transaction not found"})),
            Some(nonce) => {
                let process = json!({"verifierNonce": nonce});
                (200, json!({"txId": id, "profile": {"profile": {"process": process}}}))
            }
        }
    }

    fn verify(&mut self, message: &Value) -> (u16, Value) {
        let id = text(&message["txId"]);
        match self.open.get(id) {
            None => (400, json!({"code": "SSRVVRF00300", "description": "Transaction not found"})),
            Some(nonce) if !self.lets_everything_in && message["vp"]["verifierNonce"] != **nonce => {
                (400, json!({"code": "SSRVVRF00402", "description": "Invalid nonce"}))
            }
            Some(_) => {
                self.presented.insert(id.to_owned());
                (200, json!({"txId": id}))
            }
        }
    }

    fn confirm(&self, message: &Value) -> (u16, Value) {
        (200, json!({"result": self.presented.contains(text(&message["offerId"]))}))
    }

    fn issue(&mut self) -> (u16, Value) {
        self.count += 1;
        let id = format!("canary-{}", self.count);
        self.statuses.insert(id.clone(), "ACTIVE");
        (200, json!({"result": true, "vcId": id}))
    }

    fn revoke(&mut self, message: &Value) -> (u16, Value) {
        let revoked = self.statuses.insert(text(&message["vcId"]).to_owned(), "REVOKED").is_some();
        (200, json!({"result": revoked}))
    }
}

/// A value of the query.
fn asked_for(uri: &Uri, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The document of the one identifier that is known, as the gateway sends it.
fn document(did: &str) -> (u16, Value) {
    match did {
        ISSUER => (200, json!({"didDoc": multibase(&issuer())})),
        _ => (404, json!({"code": "SSRVLSS00002", "description": "DID document not found"})),
    }
}

/// The issuer's document.
pub fn issuer() -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": ISSUER,
        "controller": ISSUER,
        "deactivated": false,
        "verificationMethod": [
            {"id": "keyagree", "type": "Secp256r1VerificationKey2018", "controller": ISSUER, "publicKeyMultibase": "mBother"},
            {"id": "assert", "type": "Secp256r1VerificationKey2018", "controller": ISSUER, "publicKeyMultibase": KEY},
        ],
        "assertionMethod": ["assert"],
    })
}

/// JSON in base64 behind its letter.
pub fn multibase(value: &Value) -> String {
    format!("m{}", BASE64_STANDARD_NO_PAD.encode(value.to_string()))
}

fn taken(data: &Value) -> (u16, Value) {
    (200, json!({"result": true, "data": BASE64_STANDARD.encode(data.to_string())}))
}

fn refused(code: &str, words: &str) -> (u16, Value) {
    let error = json!({"errcode": code, "errmsg": words});
    (200, json!({"result": false, "data": BASE64_STANDARD.encode(error.to_string())}))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
