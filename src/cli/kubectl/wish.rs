//! A Failover as a person asks for one, and what becomes of it.

use std::{
    io::{IsTerminal, Write, stderr, stdin},
    time::Duration,
};

use anyhow::{bail, ensure};

use super::{
    access::{Role, Session},
    words::{health, list, say, tell},
};
use crate::{
    api::{
        Failover, FailoverPhase, FailoverSpec, MemberStatus, SharedService, SharedServiceStatus, StepState,
        Topology,
    },
    report::Lang,
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Which way a service shall go.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(multiple = false)]
pub(super) struct Way {
    /// Region that shall serve
    #[arg(long, value_name = "REGION")]
    pub(super) to: Option<String>,

    /// Region that shall stop serving; who takes over is what Bongsu would choose
    #[arg(long, value_name = "REGION")]
    pub(super) away_from: Option<String>,
}

impl Way {
    /// Away from the first that serves, where nothing is said.
    pub(super) fn or_away_from_what_serves(&self, service: &SharedService) -> Self {
        let said = self.to.is_some() || self.away_from.is_some();
        let first = service.status.iter().flat_map(|status| &status.serving).next();
        if said { self.clone() } else { Self { to: None, away_from: first.cloned() } }
    }

    /// The Failover of it. Its name is left to the API server, so that two people never mean the same one.
    pub(super) fn wish(
        &self,
        lang: Lang,
        service: &SharedService,
        reason: &str,
        dry_run: bool,
    ) -> anyhow::Result<Failover> {
        let status = service.status.clone().unwrap_or_default();
        let (from, to) = match (&self.to, &self.away_from, service.spec.topology) {
            (Some(to), _, _) => (None, Some(to.clone())),
            (None, Some(from), Topology::ActiveActive) => (Some(from.clone()), None),
            (None, Some(from), Topology::ActiveStandby) => {
                (Some(from.clone()), Some(successor(lang, &status, from)?))
            }
            (None, None, _) => bail!(say!(
                lang,
                "nothing serves yet, so there is nothing to move away from: give --to",
                "아직 서비스 중인 지역이 없어 전환할 곳에서 뺄 수 없습니다. --to를 지정하십시오"
            )),
        };
        let name = service.metadata.name.clone().unwrap_or_default();
        let spec = FailoverSpec {
            service_name: name.clone(),
            from,
            to,
            reason: reason.to_owned(),
            dry_run,
            writer_stopped: false,
            intervention: None,
        };
        let mut wish = Failover::new("", spec);
        wish.metadata.name = None;
        wish.metadata.generate_name = Some(format!("{name}-{}-", if dry_run { "plan" } else { "switch" }));
        wish.metadata.namespace.clone_from(&service.metadata.namespace);
        Ok(wish)
    }
}

/// Who would take over from a region: whom Bongsu names, else the first that could.
fn successor(lang: Lang, status: &SharedServiceStatus, from: &str) -> anyhow::Result<String> {
    let serving = list(&status.serving);
    ensure!(
        status.serving.iter().any(|region| region == from),
        say!(
            lang,
            "{from} does not serve it, {serving} does: give another --away-from",
            "{from}이(가) 아니라 {serving}에서 서비스 중입니다. --away-from을 바꾸십시오"
        )
    );
    let named = status.next_move.iter().filter(|next| next.from == from).find_map(|next| next.to.first());
    let able = |member: &&MemberStatus| member.target && member.region != from;
    let found = named.or_else(|| status.members.iter().find(able).map(|member| &member.region));
    let others = status.members.iter().filter(|member| member.region != from);
    let why: Vec<String> = others
        .map(|member| format!("{}: {}", member.region, member.reason.as_deref().unwrap_or(&member.health)))
        .collect();
    let why = list(&why);
    match found {
        Some(region) => Ok(region.clone()),
        None => bail!(say!(
            lang,
            "no member could take over from {from} ({why}): make one of them healthy, or name it with --to to see \
             every rule",
            "{from}을(를) 이어받을 수 있는 지역이 없습니다({why}). 한 곳을 정상으로 만들거나 --to로 지정해 규칙을 확인하십시오"
        )),
    }
}

/// One sentence on what is about to be done, and a person's yes.
pub(super) fn is_confirmed(
    session: &Session,
    service: &SharedService,
    wish: &Failover,
) -> anyhow::Result<bool> {
    let lang = session.lang;
    let status = service.status.clone().unwrap_or_default();
    let spec = &wish.spec;
    let (name, serving) = (&spec.service_name, list(&status.serving));
    let state = health(lang, status.health.as_deref().unwrap_or("Unknown"));
    let goal = match (&spec.to, &spec.from) {
        (Some(to), _) => {
            let member = status.members.iter().find(|member| member.region == *to);
            let state = health(lang, member.map_or("Unknown", |member| member.health.as_str()));
            say!(lang, "lead its clients to {to} ({state})", "{to}({state})에서 서비스하도록 전환")
        }
        (None, Some(from)) => say!(lang, "lead its clients away from {from}", "{from}에서 제외"),
        (None, None) => String::new(),
    };
    tell!(
        lang,
        "{name} is served by {serving} ({state}). This will {goal}.",
        "{name}: {serving}에서 서비스 중({state}). {goal}합니다."
    );
    ensure!(
        stdin().is_terminal(),
        say!(
            lang,
            "nobody can be asked here: give --yes if you mean it",
            "확인을 받을 수 없는 환경입니다. 진행하려면 --yes를 지정하십시오"
        )
    );
    eprint!("{}", say!(lang, "Go on? [y/N] ", "진행할까요? [y/N] "));
    stderr().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "예" | "네"))
}

/// Creates the Failover, and says its name.
pub(super) async fn ask(session: &Session, namespace: &str, wish: &Failover) -> anyhow::Result<Failover> {
    let made: Failover = session.create(namespace, wish, Role::Operate).await?;
    let name = made.metadata.name.clone().unwrap_or_default();
    let lang = session.lang;
    match wish.spec.dry_run {
        true => tell!(
            lang,
            "Asked by Failover {namespace}/{name}, a dry run.",
            "시험 실행 Failover {namespace}/{name}(으)로 물었습니다."
        ),
        false => tell!(
            lang,
            "Failover {namespace}/{name} is created.",
            "Failover {namespace}/{name}을(를) 만들었습니다."
        ),
    }
    Ok(made)
}

/// What came of waiting.
pub(super) enum Waited {
    /// It is over, or waits for a person.
    Ended(Box<Failover>),
    /// It is not over yet.
    Late {
        /// Whether anything was done.
        started: bool,
        /// Why it waits.
        why: String,
    },
    /// The person had enough.
    Interrupted,
}

/// Waits until a Failover is over or waits for a person, and tells each step.
pub(super) async fn follow(session: &Session, made: &Failover, limit: Duration) -> anyhow::Result<Waited> {
    let namespace = made.metadata.namespace.clone().unwrap_or_default();
    let name = made.metadata.name.clone().unwrap_or_default();
    let begun = session.now();
    let mut told = 0;
    loop {
        let found: Failover = session.get(&namespace, &name, Role::View).await?;
        told = tell_steps(&found, told);
        let status = found.status.clone().unwrap_or_default();
        let ended = |phase| !matches!(phase, Pending | Running | Compensating);
        use FailoverPhase::{Compensating, Pending, Running};
        if status.phase.is_some_and(ended) {
            return Ok(Waited::Ended(Box::new(found)));
        }
        if session.now().since(begun) >= limit {
            let started = !matches!(status.phase, None | Some(Pending));
            return Ok(Waited::Late { started, why: status.message.unwrap_or_default() });
        }
        tokio::select! {
            () = session.sleep(LOOK_EVERY) => {}
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                return Ok(Waited::Interrupted);
            }
        }
    }
}

/// Tells the steps that are over and were not told yet; how many have been.
fn tell_steps(failover: &Failover, told: usize) -> usize {
    let steps = failover.status.iter().flat_map(|status| &status.steps);
    let over = steps.take_while(|step| !matches!(step.state, StepState::Pending | StepState::Running));
    let mut count = 0;
    for step in over {
        count += 1;
        if count > told {
            let detail = step.message.as_ref().or(step.detail.as_ref()).map(|text| format!(": {text}"));
            eprintln!("  {} {:?}{}", step.name, step.state, detail.unwrap_or_default());
        }
    }
    count.max(told)
}
