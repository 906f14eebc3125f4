//! One shared service under test: two real members, a real name server, and the objects that users write.

use std::{
    net::SocketAddr,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use bongsu::api::{Failover, SharedService};
use hickory_proto::rr::RecordType;
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    ask::{ask, shown},
    bongsu::SOON,
    control_plane::ControlPlane,
    dns_server::{DnsServer, SECRET_BASE64, ZONE},
    http_server::Server,
    named,
    wait::until,
    watcher::Watcher,
};

/// A service that was not written for so long is quiet: every process looks at it at least every 5 s, and at once when
/// somebody else has written it.
const QUIET: Duration = Duration::from_secs(6);

/// Where the members listen, and what is published for them.
pub const DAEJEON: &str = "127.0.0.2";
pub const GWANGJU: &str = "127.0.0.3";

/// A member: a real HTTP server that can die and come back on the same port.
pub struct Member {
    pub address: SocketAddr,
    server: Option<Server>,
}

impl Member {
    pub async fn start(ip: &str) -> Self {
        let server = Server::good_at(format!("{ip}:0").parse().unwrap(), GOOD).await;
        Self { address: server.address, server: Some(server) }
    }

    /// It is gone, with every connection.
    pub fn die(&mut self) {
        self.server = None;
    }

    /// It is back.
    pub async fn come_back(&mut self) {
        self.server = Some(Server::good_at(self.address, GOOD).await);
    }
}

const GOOD: &str = r#"{"result": "good"}"#;

/// Name of every service under test; they differ in the namespace.
pub const SERVICE: &str = "verify";

/// What a service under test consists of: two members and a name server.
pub struct Parts {
    pub namespace: String,
    pub dns: Arc<DnsServer>,
    pub daejeon: Member,
    pub gwangju: Member,
}

impl Parts {
    pub async fn start(namespace: &str, dns: Arc<DnsServer>) -> Self {
        let (daejeon, gwangju) = tokio::join!(Member::start(DAEJEON), Member::start(GWANGJU));
        Self { namespace: namespace.to_owned(), dns, daejeon, gwangju }
    }

    /// The Secret with the key of the name server.
    pub fn secret(&self, secret: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dns-key", "namespace": self.namespace},
            "stringData": {"secret": secret},
        })
    }

    /// A service that is quick in all it does.
    pub fn object(&self) -> Value {
        let member = |region: &str, weight: u32, address: SocketAddr| {
            json!({
                "region": region, "weight": weight, "endpoint": format!("http://{address}"),
                "addresses": [address.ip().to_string()],
            })
        };
        json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "SharedService",
            "metadata": {"name": SERVICE, "namespace": self.namespace},
            "spec": {
                "grade": 1, "topology": "ActiveStandby",
                "members": [
                    member("daejeon", 100, self.daejeon.address), member("gwangju", 50, self.gwangju.address),
                ],
                "health": {
                    "interval": "500ms", "timeout": "300ms", "window": {"size": 3, "failures": 2},
                    "recovery": {"successes": 3, "for": "2s"}, "vantages": {"quorum": 2},
                    "checks": [{"name": "deep", "http": {"path": "/", "expect": "body.result == 'good'"}}],
                },
                "traffic": [{"name": "citizens", "ttl": "1s", "dns": {
                    "zone": ZONE, "name": self.name(), "servers": [{"address": self.dns.addr.to_string()}],
                    "tsig": {
                        "name": "bongsu", "algorithm": "hmac-sha256",
                        "secretRef": {"name": "dns-key", "key": "secret"},
                    },
                }}],
                "failover": {"mode": "Automatic", "cooldown": "1s"},
            },
        })
    }

    /// The name that citizens ask for; another one in each namespace.
    pub fn name(&self) -> String {
        format!("{}.{ZONE}", self.namespace)
    }

    /// Asks for the name all the time from now on.
    pub fn watch(&self) -> Watcher {
        Watcher::start(self.dns.addr, &self.name())
    }

    /// What the name server answers: addresses, then the mark.
    pub async fn shown(&self) -> String {
        shown(self.dns.addr, &self.name()).await
    }

    /// What the name server answers when a region serves under an epoch.
    pub fn answer(&self, region: &str, epoch: u64) -> String {
        let address = if region == "daejeon" { DAEJEON } else { GWANGJU };
        format!("{address} | epoch={epoch} service={}/{SERVICE}", self.namespace)
    }

    /// Waits until the name leads to a region under an epoch.
    pub async fn serves(&self, region: &str, epoch: u64) {
        let wanted = self.answer(region, epoch);
        until(&format!("the name server answers {wanted}"), SOON, async || {
            // A server that is busy may be late; only an answer counts.
            ask(self.dns.addr, &self.name(), RecordType::A).await?;
            (self.shown().await == wanted).then_some(())
        })
        .await;
    }
}

/// A service in an API server. Its object goes before its members do, so that no vantage sees both regions turn bad at
/// once.
pub struct Service<'a> {
    pub plane: &'a ControlPlane,
    parts: Parts,
}

impl Deref for Service<'_> {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl DerefMut for Service<'_> {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.parts
    }
}

impl<'a> Service<'a> {
    /// Members, name server and key, in a namespace that is there. The service itself is for the test to apply.
    pub async fn prepare(plane: &'a ControlPlane, namespace: &str) -> Self {
        let parts = Parts::start(namespace, Arc::new(named::start().await)).await;
        let service = Self { plane, parts };
        service.apply(&service.secret(SECRET_BASE64));
        service
    }

    /// A service that serves from daejeon, as the test changed it.
    pub async fn start(plane: &'a ControlPlane, namespace: &str, change: impl FnOnce(&mut Value)) -> Self {
        let service = Self::prepare(plane, namespace).await;
        let mut object = service.object();
        change(&mut object["spec"]);
        service.apply(&object);
        service.serves("daejeon", 1).await;
        service.has("Ready", "True", "").await;
        service.target("gwangju").await;
        service
    }

    /// A Failover as a person writes it.
    pub fn wish(&self, name: &str, change: &Value) -> Value {
        let mut object = json!({
            "apiVersion": "bongsu.io/v1alpha1", "kind": "Failover",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"serviceName": SERVICE, "to": "gwangju", "reason": "the test asked"},
        });
        for (key, value) in change.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        object
    }

    /// `kubectl apply`.
    pub fn apply(&self, object: &Value) {
        self.plane.try_kubectl(&["apply", "-f", "-"], &object.to_string()).unwrap();
    }

    /// `kubectl` in the service's namespace; it must succeed.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let own = [arguments, &["-n", &self.namespace]].concat();
        self.plane.try_kubectl(&own, "").unwrap()
    }

    /// `kubectl patch` with a merge patch.
    pub fn patch(&self, what: &str, patch: &Value) {
        self.kubectl(&["patch", what, "--type=merge", "--patch", &patch.to_string()]);
    }

    /// The object as it is now.
    pub async fn read(&self) -> SharedService {
        Api::namespaced(self.plane.client(), &self.namespace).get(SERVICE).await.unwrap()
    }

    /// Waits until nobody writes the object any more: processes that see the same must say the same.
    pub async fn is_quiet(&self) {
        let mut last = (None, Instant::now());
        until("nobody writes the object", SOON, async || {
            let version = self.read().await.resource_version();
            if version != last.0 {
                last = (version, Instant::now());
            }
            (last.1.elapsed() > QUIET).then_some(())
        })
        .await;
    }

    /// Waits until a condition has this status and a reason that begins so; its message.
    pub async fn has(&self, condition: &str, status: &str, reason: &str) -> String {
        self.other_has(SERVICE, condition, status, reason).await
    }

    /// The same for another service in the same namespace.
    pub async fn other_has(&self, name: &str, condition: &str, status: &str, reason: &str) -> String {
        let api: Api<SharedService> = Api::namespaced(self.plane.client(), &self.namespace);
        until(&format!("{name} has {condition}={status} {reason}"), SOON, async || {
            let conditions = api.get(name).await.unwrap().status.unwrap_or_default().conditions;
            let found = conditions.into_iter().find(|found| {
                found.type_ == condition && found.status == status && found.reason.starts_with(reason)
            });
            found.map(|condition| condition.message)
        })
        .await
    }

    /// Waits until a member could take over.
    pub async fn target(&self, region: &str) {
        until(&format!("{region} could take over"), SOON, async || {
            let members = self.read().await.status.unwrap_or_default().members;
            members.iter().any(|member| member.region == region && member.target).then_some(())
        })
        .await;
    }

    /// Every Failover of the service, by name.
    pub async fn failovers(&self) -> Vec<Failover> {
        let api: Api<Failover> = Api::namespaced(self.plane.client(), &self.namespace);
        let mut found = api.list(&ListParams::default()).await.unwrap().items;
        found.sort_by_key(ResourceExt::name_any);
        found
    }

    /// Waits until a Failover is in a phase.
    pub async fn failover(&self, name: &str, phase: &str) -> Failover {
        let api: Api<Failover> = Api::namespaced(self.plane.client(), &self.namespace);
        until(&format!("Failover {name} is {phase}"), SOON, async || {
            let found = api.get_opt(name).await.unwrap()?;
            let now = found.status.as_ref().and_then(|status| status.phase);
            now.is_some_and(|now| format!("{now:?}") == phase).then_some(found)
        })
        .await
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let all = ["get", "ss,fo", "-n", &self.namespace, "-o", "yaml"];
            eprintln!("--- the objects:\n{}", self.plane.kubectl(&all));
        }
        self.plane.kubectl(&["delete", "ss", "--all", "-n", &self.namespace]);
    }
}
