//! One service under test: the same object in every cluster, a member in both full sites, and a client outside.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::Client,
    site::{NAMESPACE, Site, ZONE},
    support::{bongsu::SOON, wait::until},
    world::{DAEGU, DAEJEON, GWANGJU, Sites},
};

/// Longest outage that a case allows when a site is lost: three checks of a second and one timeout, a lease and a third
/// where the leader is lost as well (4 s), TTL and Verify (1 s each), a transaction that failed late (1 s), and as much
/// again as two busy cores need. What it is when nothing else runs is in docs/performance.md.
const OUTAGE_LIMIT: Duration = Duration::from_secs(14);

/// From the port of a member to that of its writer's gate.
const WRITES: u16 = 1_000;

/// How long clients may use an answer.
pub const TTL: Duration = Duration::from_secs(1);

/// A service and its client. It goes when [`Sites::recover`] is called.
pub struct Service {
    pub name: String,
    pub port: u16,
    pub client: Client,
    addresses: [Ipv4Addr; 2],
}

impl Service {
    /// One that serves from `origin` under epoch 1, seen by its client, and that could move.
    pub async fn start(sites: &mut Sites, origin: &str, change: impl FnOnce(&mut Value)) -> Self {
        let port = sites.next_port();
        let name = format!("verify-{port}");
        let full = || sites.all.iter().filter(|site| site.names().is_some());
        let servers: Vec<_> = full().map(|site| site.names().unwrap()).collect();
        let mut object = object(&name, full(), port, origin);
        change(&mut object["spec"]);
        let addresses = [DAEJEON, GWANGJU].map(|index| sites.all[index].place().ip);
        for index in [DAEJEON, GWANGJU] {
            sites.all[index].serve(port);
        }
        sites.all.iter().for_each(|site| site.apply(&object));
        let client = Client::start(&sites.outside.place, sites.home(), &domain(&name), port, &servers);
        let service = Self { name, port, client, addresses };
        let other = if origin == "daejeon" { "gwangju" } else { "daejeon" };
        service.is_published(sites, &[DAEJEON, GWANGJU], origin, 1).await;
        service.could_move_to(sites, other).await;
        service.client.is_served_by(origin).await;
        service
    }

    /// Since a moment nothing has moved, and not one transaction failed.
    pub fn has_not_moved(&self, sites: &Sites, origin: &str, since: Duration) {
        self.has_not_moved_says(sites, DAEGU, origin, since);
        assert!(self.client.errors_since(since).is_empty(), "{}", self.client.story(since));
    }

    /// The same by the ledger's member in a site, whatever became of transactions: one epoch, one run, one region that
    /// answered.
    pub fn has_not_moved_says(&self, sites: &Sites, at: usize, origin: &str, since: Duration) {
        let seen = (sites.serving(at, &self.name), sites.runs(at, &self.name));
        assert_eq!(seen, ((1, origin.to_owned()), 1), "{}", self.client.story(since));
        assert_eq!(self.client.regions_since(since), [origin], "{}", self.client.story(since));
    }

    /// Waits until it is served from a region under epoch 2 as these sites see it; then: it moved once and its client went
    /// there and never back, after an outage within the limit.
    pub async fn moves_once(&self, sites: &Sites, at: &[usize], to: &str, since: Duration) {
        self.client.is_served_by(to).await;
        let witness = *at.last().unwrap();
        let names: Vec<usize> =
            at.iter().copied().filter(|index| sites.all[*index].names().is_some()).collect();
        self.is_published(sites, &names, to, 2).await;
        // It may have asked a server meanwhile that was brought up to date after the others.
        self.client.is_served_by(to).await;
        let seen = (sites.serving(witness, &self.name), sites.runs(witness, &self.name));
        assert_eq!(seen, ((2, to.to_owned()), 2), "{}", self.client.story(since));
        let mut regions = self.client.regions_since(since);
        assert_eq!(regions.pop().as_deref(), Some(to), "{}", self.client.story(since));
        assert!(regions.len() <= 1 && !regions.contains(&to.to_owned()), "{}", self.client.story(since));
        let outage = self.client.outage_since(since);
        println!("    {} to {to}: outage {:.2} s", self.name, outage.as_secs_f64());
        assert!(outage <= OUTAGE_LIMIT, "{outage:?}\n{}", self.client.story(since));
    }

    /// The port of the gates before its writers.
    pub const fn write_port(&self) -> u16 {
        self.port + WRITES
    }

    /// The name that clients ask for.
    pub fn domain(&self) -> String {
        domain(&self.name)
    }

    /// What a name server answers that leads to this region under an epoch.
    pub fn answer(&self, region: &str, epoch: u64) -> String {
        let address = self.addresses[usize::from(region == "gwangju")];
        format!("{address} | epoch={epoch} service={NAMESPACE}/{}", self.name)
    }

    /// Waits until the name servers of these sites lead to this region under an epoch.
    pub async fn is_published(&self, sites: &Sites, at: &[usize], region: &str, epoch: u64) {
        let wanted = self.answer(region, epoch);
        for index in at {
            let site = &sites.all[*index];
            until(&format!("the name server in {} answers {wanted}", site.region), SOON, async || {
                site.shown(&self.domain()).await.filter(|shown| *shown == wanted)
            })
            .await;
        }
    }

    /// Waits until every reachable cluster says that this member could take over.
    pub async fn could_move_to(&self, sites: &Sites, region: &str) {
        let path = format!("jsonpath={{.status.members[?(@.region==\"{region}\")].target}}");
        for site in &sites.all {
            until(&format!("{region} could take over, says {}", site.region), SOON, async || {
                let target = site.kubectl(&["get", "ss", &self.name, "-o", &path]).ok()?;
                (target == "true").then_some(())
            })
            .await;
        }
    }
}

fn domain(name: &str) -> String {
    format!("{name}.{ZONE}")
}

/// A service that is as quick as the numbers of the product ask: a check each second, down after three.
fn object<'a>(name: &str, full: impl Iterator<Item = &'a Site> + Clone, port: u16, origin: &str) -> Value {
    let member = |site: &Site| {
        json!({
            "region": site.region, "weight": if site.region == origin { 100 } else { 50 },
            "endpoint": format!("http://{}:{port}", site.place().ip), "addresses": [site.place().ip.to_string()],
        })
    };
    let members: Vec<Value> = full.clone().map(member).collect();
    let servers: Vec<Value> =
        full.map(|site| json!({"address": site.names().unwrap().to_string()})).collect();
    json!({
        "apiVersion": "bongsu.io/v1alpha1", "kind": "SharedService",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "grade": 1, "topology": "ActiveStandby", "members": members,
            "health": {
                "interval": "1s", "timeout": "500ms", "window": {"size": 3, "failures": 3},
                "recovery": {"successes": 2, "for": "1s"}, "vantages": {"quorum": 2},
                "checks": [{"name": "deep", "http": {"path": "/", "expect": "body.result == 'good'"}}],
            },
            "traffic": [{"name": "citizens", "ttl": format!("{}s", TTL.as_secs()), "dns": {
                "zone": ZONE, "name": domain(name), "servers": servers,
                "tsig": {
                    "name": "bongsu", "algorithm": "hmac-sha256",
                    "secretRef": {"name": "dns-key", "key": "secret"},
                },
            }}],
            "failover": {"mode": "Automatic", "cooldown": "1s"},
        },
    })
}
