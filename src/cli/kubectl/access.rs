//! The caller's cluster, with the caller's rights.

use std::{fmt::Debug, future::Future, path::PathBuf, time::Duration};

use anyhow::{anyhow, bail};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1::Deployment, authentication::v1::SelfSubjectReview},
};
use kube::{
    Api, Client, Resource,
    api::{ListParams, Patch, PatchParams, PostParams},
    config::KubeConfigOptions,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    trouble::{Deed, Failure, Trouble},
    words::{Language, language, say},
};
use crate::{
    adapters::{
        clock::SystemClock,
        kube::{Access, connect_as},
    },
    domain::Timestamp,
    ports::Clock,
    report::Lang,
};

/// Longest wait for one answer. A person's way to a cluster is longer than that of Bongsu.
const PATIENCE: Duration = Duration::from_secs(10);

/// Flags that mean what they mean to kubectl, and the language.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct Flags {
    /// Kubeconfig [default: as kubectl]
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,

    /// Cluster of the kubeconfig
    #[arg(long, value_name = "NAME", global = true)]
    cluster: Option<String>,

    /// User of the kubeconfig
    #[arg(long, value_name = "NAME", global = true)]
    user: Option<String>,

    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAME", global = true)]
    namespace: Option<String>,

    /// User to act as, if you may
    #[arg(long = "as", value_name = "USER", global = true)]
    impersonated: Option<String>,

    /// Group to act as, if you may; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", global = true, requires = "impersonated")]
    groups: Vec<String>,

    /// Language of what is printed for people [default: that of the locale]
    #[arg(long, value_enum, global = true)]
    language: Option<Language>,
}

/// One cluster, as one person.
pub(super) struct Session {
    client: Client,
    url: String,
    clock: SystemClock,
    /// Where objects are looked for whose namespace is not named.
    pub(super) namespace: String,
    /// In which people are spoken to.
    pub(super) lang: Lang,
}

/// What a role of the chart allows, for who may not.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    View,
    Operate,
    Approve,
    Reports,
}

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::View => "ClusterRole bongsu-view",
            Self::Operate => "ClusterRole bongsu-operate",
            Self::Approve => "ClusterRole bongsu-approve",
            Self::Reports => "Role bongsu-reports",
        }
    }
}

/// A kind whose objects live in namespaces.
pub(super) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

impl Flags {
    /// The language alone, which needs no cluster.
    pub(super) fn lang(&self) -> Lang {
        language(self.language)
    }

    /// The same in another context.
    pub(super) fn in_context(&self, name: &str) -> Self {
        Self { context: Some(name.to_owned()), ..self.clone() }
    }

    /// Reads the kubeconfig. No call is made yet.
    pub(super) async fn session(&self) -> anyhow::Result<Session> {
        let access = Access {
            kubeconfig: self.kubeconfig.clone(),
            options: KubeConfigOptions {
                context: self.context.clone(),
                cluster: self.cluster.clone(),
                user: self.user.clone(),
            },
            user: self.impersonated.clone(),
            groups: self.groups.clone(),
        };
        let (client, url) = connect_as(&access).await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        Ok(Session { client, url, clock: SystemClock::new(), namespace, lang: self.lang() })
    }
}

impl Session {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Now, as RFC 3339 to the second.
    pub(super) fn moment(&self) -> String {
        let now = jiff::Timestamp::from_millisecond(self.now().0).unwrap_or_default();
        format!("{now:.0}")
    }

    /// Where the API server is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Seconds by which the API server's clock is ahead of this machine's; `None`: it does not say its time.
    pub(super) async fn clock_offset(&self) -> anyhow::Result<Option<i64>> {
        let request = http::Request::get("/version").body(kube::client::Body::empty())?;
        let trouble = Trouble::new(Deed::Read, "version", "", Role::View);
        let asked = self.now();
        let answer = self.ask(&trouble, self.client.send(request)).await?;
        let half_way = i64::midpoint(asked.0, self.now().0);
        let said = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
        let said = said.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        // It tells whole seconds, rounded down.
        Ok(said.map(|said| (said.timestamp().as_millisecond() + 500 - half_way) / 1_000))
    }

    /// Pods of Bongsu that are ready, by the Deployments of the chart; `None`: there is none.
    pub(super) async fn installations(&self) -> anyhow::Result<Option<i32>> {
        let api: Api<Deployment> = Api::all(self.client.clone());
        let trouble = Trouble::new(Deed::Read, "Deployment", "", Role::View);
        let charts = ListParams::default().labels("app.kubernetes.io/name=bongsu");
        let found = self.ask(&trouble, api.list(&charts)).await?.items;
        let ready = found.iter().map(|one| one.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0));
        Ok((!found.is_empty()).then(|| ready.sum()))
    }

    pub(super) async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// How long ago something was that was written as RFC 3339; `None`: it is no time.
    pub(super) fn ago(&self, moment: &str) -> Option<Duration> {
        let then: jiff::Timestamp = moment.parse().ok()?;
        Some(self.now().since(Timestamp(then.as_millisecond())))
    }

    /// Namespace and name of what a person named: `NAME`, or `NAMESPACE/NAME`.
    pub(super) fn place(&self, text: &str) -> anyhow::Result<(String, String)> {
        match text.split('/').collect::<Vec<_>>().as_slice() {
            [name] if !name.is_empty() => Ok((self.namespace.clone(), (*name).to_owned())),
            [namespace, name] if !namespace.is_empty() && !name.is_empty() => {
                Ok(((*namespace).to_owned(), (*name).to_owned()))
            }
            _ => bail!(say!(
                self.lang,
                "{text:?} is neither NAME nor NAMESPACE/NAME",
                "{text:?}은(는) 이름도 네임스페이스/이름도 아닙니다"
            )),
        }
    }

    /// Objects of a kind in a namespace, or in all.
    pub(super) async fn list<K: Kind>(&self, namespace: Option<&str>) -> anyhow::Result<Vec<K>> {
        let api: Api<K> = match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let trouble = Trouble::new(Deed::Read, &K::kind(&()), namespace.unwrap_or_default(), Role::View);
        Ok(self.ask(&trouble, api.list(&ListParams::default())).await?.items)
    }

    /// Objects of a kind without a namespace.
    pub(super) async fn list_all<K>(&self) -> anyhow::Result<Vec<K>>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let trouble = Trouble::new(Deed::Read, &K::kind(&()), "", Role::View);
        Ok(self.ask(&trouble, Api::<K>::all(self.client.clone()).list(&ListParams::default())).await?.items)
    }

    /// One object that must be there.
    pub(super) async fn get<K: Kind>(&self, namespace: &str, name: &str, role: Role) -> anyhow::Result<K> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let place = format!("{namespace}/{name}");
        self.ask(&Trouble::new(Deed::Read, &K::kind(&()), &place, role), api.get(name)).await
    }

    /// One object, if it is there.
    pub(super) async fn find<K: Kind>(&self, namespace: &str, name: &str) -> anyhow::Result<Option<K>> {
        self.find_as(namespace, name, Role::View).await
    }

    /// The same, where another role than that of a viewer is needed.
    pub(super) async fn find_as<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        role: Role,
    ) -> anyhow::Result<Option<K>> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let place = format!("{namespace}/{name}");
        self.ask(&Trouble::new(Deed::Read, &K::kind(&()), &place, role), api.get_opt(name)).await
    }

    /// Creates an object. Its name may be left to the API server.
    pub(super) async fn create<K: Kind + Serialize>(
        &self,
        namespace: &str,
        object: &K,
        role: Role,
    ) -> anyhow::Result<K> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let meta = object.meta();
        let name = meta.name.as_ref().or(meta.generate_name.as_ref()).cloned().unwrap_or_default();
        let place = format!("{namespace}/{name}");
        let trouble = Trouble::new(Deed::Create, &K::kind(&()), &place, role);
        self.ask(&trouble, api.create(&PostParams::default(), object)).await
    }

    /// Changes what stands in the patch, and nothing else.
    pub(super) async fn merge<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> anyhow::Result<K> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let place = format!("{namespace}/{name}");
        let trouble = Trouble::new(Deed::Change, &K::kind(&()), &place, Role::Operate);
        self.ask(&trouble, api.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await
    }

    /// The caller's name, as the API server knows it.
    pub(super) async fn user_name(&self) -> anyhow::Result<String> {
        let api: Api<SelfSubjectReview> = Api::all(self.client.clone());
        let trouble = Trouble::new(Deed::Create, "SelfSubjectReview", "", Role::View);
        let review =
            self.ask(&trouble, api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
        let name = review.status.and_then(|status| status.user_info?.username);
        name.ok_or_else(|| {
            anyhow!(say!(
                self.lang,
                "the API server does not say who you are: see kubectl auth whoami",
                "API 서버가 사용자 이름을 알려주지 않습니다. kubectl auth whoami를 확인하십시오"
            ))
        })
    }

    async fn ask<T>(
        &self,
        trouble: &Trouble,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> anyhow::Result<T> {
        let failure = match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::Answer(error),
            Err(_) => Failure::Silence(PATIENCE),
        };
        Err(anyhow!(trouble.sentence(self.lang, &self.url, &failure)))
    }
}
