//! Calls to one member at a time, and to the next after a failure.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all, stream};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::Mutex;
use tonic::{
    Request, Status, Streaming,
    client::Grpc,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tracing::{info, warn};

use super::{
    config::{EtcdConfig, EtcdConfigError, Files},
    failure::{Failure, Verdict, judge, unreachable},
    wire::{AuthenticateRequest, AuthenticateResponse, WatchRequest, WatchResponse},
};
use crate::{domain::Tick, ports::Clock};

/// Limit of every call: less than the margin between a holder's end and its lease's, which is a fifth of 15 s.
pub const ETCD_TIMEOUT: Duration = Duration::from_secs(3);

/// Limit at one member for what may be asked again at another.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the files are looked at while calls are made.
const FILES_INTERVAL: Duration = Duration::from_secs(5);

/// Longest answer. A page has at most 250 records of at most 256 KiB.
const ANSWER_MAX: usize = 72 << 20;

/// Whether a call may be sent again when nobody knows whether it was answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Repeat {
    /// Once more does no harm: a read, or a renewal.
    Harmless,
    /// It would look like a conflict with ourselves.
    Never,
}

/// The members.
pub(super) struct Connection {
    config: EtcdConfig,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    members: Vec<Endpoint>,
    /// Place of the member that is asked.
    at: usize,
    line: Option<Line>,
    /// Counts connections, so that a late failure of an old one does not cost the new one.
    count: u64,
    files: Files,
    looked: Tick,
}

/// An open connection.
#[derive(Clone)]
struct Line {
    channel: Channel,
    token: Option<MetadataValue<Ascii>>,
    member: String,
    count: u64,
}

impl Connection {
    pub(super) fn new(config: EtcdConfig, clock: Arc<dyn Clock>) -> Result<Self, EtcdConfigError> {
        config.check()?;
        let files = config.read()?;
        let members = config.members(&files)?;
        let looked = clock.tick();
        let state = State { members, at: 0, line: None, count: 0, files, looked };
        Ok(Self { config, clock, state: Mutex::new(state) })
    }

    /// Makes a call. `path` is that of the method, such as `/etcdserverpb.KV/Range`.
    pub(super) async fn call<Q, A>(
        &self,
        path: &'static str,
        request: &Q,
        repeat: Repeat,
    ) -> Result<A, Failure>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let call = self.tries(path, request, repeat);
        tokio::time::timeout(ETCD_TIMEOUT, call).await.unwrap_or(Err(Failure::Unanswered(String::new())))
    }

    async fn tries<Q, A>(&self, path: &'static str, request: &Q, repeat: Repeat) -> Result<A, Failure>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let limit = if repeat == Repeat::Harmless { MEMBER_TIMEOUT } else { ETCD_TIMEOUT };
        let mut last = Failure::Undone("no member was asked".to_owned());
        // Each member once, and one more for a connection that had died unseen or a login that had run out.
        for _ in 0..=self.config.endpoints.len() {
            let line = match self.line().await {
                Ok(line) => line,
                Err(failure @ Failure::Refused(_)) => return Err(failure),
                Err(failure) => {
                    last = failure;
                    continue;
                }
            };
            let answer = tokio::time::timeout(limit, unary(&line, path, request.clone())).await;
            let verdict = match answer {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(status)) => judge(&status, &line.member),
                Err(_) => {
                    Verdict::Next(Failure::Unanswered(format!("{}: nothing within {limit:?}", line.member)))
                }
            };
            match verdict {
                Verdict::Final(failure) => return Err(failure),
                Verdict::LogIn(failure) => {
                    self.left(&line, false).await;
                    last = failure;
                }
                Verdict::Next(failure) => {
                    self.left(&line, true).await;
                    if matches!(failure, Failure::Unanswered(_)) && repeat == Repeat::Never {
                        return Err(failure);
                    }
                    last = failure;
                }
            }
        }
        Err(last)
    }

    /// Asks each member by a connection of its own: the answers, in the order of the endpoints.
    pub(super) async fn ask_each<Q, A>(&self, path: &'static str, request: &Q) -> Vec<Result<A, Failure>>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let (members, files) = {
            let state = self.state.lock().await;
            (state.members.clone(), state.files.clone())
        };
        let asked = members.into_iter().map(async |member| {
            let answer = async {
                let line = self.open(&member, &files, 0).await?;
                let failed = |status| judge(&status, &line.member).failure();
                unary(&line, path, request.clone()).await.map_err(failed)
            };
            let silent =
                || Failure::Unanswered(format!("{}: nothing within {MEMBER_TIMEOUT:?}", name(&member)));
            tokio::time::timeout(MEMBER_TIMEOUT, answer).await.unwrap_or_else(|_| Err(silent()))
        });
        join_all(asked).await
    }

    /// Opens a watch: its messages. An error ends them.
    pub(super) async fn watch(&self, request: WatchRequest) -> Result<Watching, Failure> {
        let open = async {
            let line = self.line().await?;
            // The stream of requests stays open: its end would end the watch.
            let requests = stream::once(std::future::ready(request)).chain(stream::pending());
            let path = PathAndQuery::from_static("/etcdserverpb.Watch/Watch");
            let mut client = client(&line);
            let opened = async {
                ready(&mut client).await?;
                client.streaming(addressed(&line, requests), path, ProstCodec::default()).await
            };
            match opened.await {
                Ok(answer) => Ok(Watching { messages: answer.into_inner(), line }),
                Err(status) => Err(self.broken(&line, &status).await),
            }
        };
        tokio::time::timeout(ETCD_TIMEOUT, open).await.unwrap_or(Err(Failure::Unanswered(String::new())))
    }

    /// The next message of a watch.
    pub(super) async fn next(&self, watching: &mut Watching) -> Result<WatchResponse, Failure> {
        match watching.messages.message().await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(Failure::Undone(format!("{} ended the watch", watching.line.member))),
            Err(status) => Err(self.broken(&watching.line.clone(), &status).await),
        }
    }

    /// A watch that got nowhere at its member is opened at another one.
    pub(super) async fn give_up(&self, watching: &Watching) {
        self.left(&watching.line, true).await;
    }

    async fn broken(&self, line: &Line, status: &Status) -> Failure {
        let failure = judge(status, &line.member).failure();
        self.left(line, !matches!(failure, Failure::Refused(_))).await;
        failure
    }

    /// The connection, opened if there is none. Whoever comes meanwhile waits for it.
    async fn line(&self) -> Result<Line, Failure> {
        let mut state = self.state.lock().await;
        self.look_at_files(&mut state);
        if let Some(line) = &state.line {
            return Ok(line.clone());
        }
        let member = state.members.get(state.at).cloned();
        let member = member.ok_or_else(|| Failure::Undone("no member is known".to_owned()))?;
        match self.open(&member, &state.files, state.count).await {
            Ok(line) => {
                info!(member = line.member, "connected to etcd");
                state.line = Some(line.clone());
                Ok(line)
            }
            Err(failure) => {
                state.at = (state.at + 1) % state.members.len().max(1);
                Err(failure)
            }
        }
    }

    async fn open(&self, member: &Endpoint, files: &Files, count: u64) -> Result<Line, Failure> {
        let name = name(member);
        let channel = member.connect().await.map_err(|error| unreachable(&name, &error))?;
        self.log_in(Line { channel, token: None, member: name, count }, files).await
    }

    async fn log_in(&self, line: Line, files: &Files) -> Result<Line, Failure> {
        let Some(((name, _), password)) = self.config.login.as_ref().zip(files.password.as_ref()) else {
            return Ok(line);
        };
        let request = AuthenticateRequest { name: name.clone(), password: password.clone() };
        let answer = unary::<_, AuthenticateResponse>(&line, "/etcdserverpb.Auth/Authenticate", request);
        let token = match tokio::time::timeout(MEMBER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer.token,
            Ok(Err(status)) => {
                return Err(judge(&status, &line.member).failure().certainly_undone());
            }
            Err(_) => {
                let cause = format!("{}: no login within {MEMBER_TIMEOUT:?}", line.member);
                return Err(Failure::Undone(cause));
            }
        };
        let token = token.parse().map_err(|_| Failure::Undone("etcd's token is no text".to_owned()))?;
        Ok(Line { token: Some(token), ..line })
    }

    /// Leaves a connection, if it is still the one in use; for the next member or for a new one to the same.
    async fn left(&self, line: &Line, next_member: bool) {
        let mut state = self.state.lock().await;
        if state.count == line.count {
            state.leave();
            if next_member {
                state.at = (state.at + 1) % state.members.len().max(1);
            }
        }
    }

    /// New certificates and passwords are used from the next call on. A few small files, so they are read in place.
    fn look_at_files(&self, state: &mut State) {
        let now = self.clock.tick();
        if now.since(state.looked) < FILES_INTERVAL {
            return;
        }
        state.looked = now;
        let renewed = self.config.read().and_then(|files| {
            let changed = (files != state.files).then(|| self.config.members(&files)).transpose()?;
            Ok(changed.map(|members| (files, members)))
        });
        match renewed {
            Ok(None) => {}
            Ok(Some((files, members))) => {
                info!("files for etcd changed, connecting anew");
                (state.files, state.members) = (files, members);
                state.leave();
            }
            Err(error) => warn!(%error, "files for etcd cannot be used, going on with what was read before"),
        }
    }
}

impl State {
    fn leave(&mut self) {
        self.line = None;
        self.count += 1;
    }
}

/// An open watch.
pub(super) struct Watching {
    messages: Streaming<WatchResponse>,
    line: Line,
}

/// What a member is called: its URL.
fn name(member: &Endpoint) -> String {
    member.uri().to_string().trim_end_matches('/').to_owned()
}

fn client(line: &Line) -> Grpc<Channel> {
    Grpc::new(line.channel.clone()).max_decoding_message_size(ANSWER_MAX)
}

async fn ready(client: &mut Grpc<Channel>) -> Result<(), Status> {
    client.ready().await.map_err(|error| Status::from_error(Box::new(error)))
}

async fn unary<Q, A>(line: &Line, path: &'static str, request: Q) -> Result<A, Status>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let mut client = client(line);
    ready(&mut client).await?;
    let path = PathAndQuery::from_static(path);
    let answer = client.unary(addressed(line, request), path, ProstCodec::default()).await?;
    Ok(answer.into_inner())
}

/// The request as we send it: a member that knows no leader refuses it at once instead of waiting for one.
fn addressed<Q>(line: &Line, request: Q) -> Request<Q> {
    let mut request = Request::new(request);
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    if let Some(token) = &line.token {
        request.metadata_mut().insert("token", token.clone());
    }
    request
}
