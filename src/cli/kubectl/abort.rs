//! `kubectl bongsu abort`: brings the traffic of a drill back at once, or gives up a move that waits for a person.

use anyhow::{anyhow, bail};
use serde_json::json;

use super::{
    Outcome,
    access::Session,
    output::Form,
    words::{say, tell, verdict},
};
use crate::api::{DrillRun, Failover, FailoverPhase};

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu abort verify-quarterly-x7k2p     a run of a drill: what has moved returns
  kubectl bongsu abort gpki-verify-switch-8fz2q   a paused move: nothing more is changed

It cannot be taken back.

Exit codes:
  0  it is told to stop
  1  there was nothing to stop: it is over already
  2  it could not be told";

/// Arguments of `kubectl bongsu abort`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// DrillRun or paused Failover, as NAME or NAMESPACE/NAME
    #[arg(value_name = "RUN")]
    run: String,

    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    let (namespace, name) = session.place(&args.run)?;
    if let Some(run) = session.find::<DrillRun>(&namespace, &name).await? {
        return drill_run(session, args, &namespace, &name, &run).await;
    }
    let found: Option<Failover> = session.find(&namespace, &name).await?;
    let failover = found.ok_or_else(|| {
        anyhow!(say!(
            lang,
            "there is neither a DrillRun nor a Failover {namespace}/{name}: look with kubectl get dr,fo -A",
            "DrillRun도 Failover도 {namespace}/{name}이(가) 없습니다. kubectl get dr,fo -A로 찾아보십시오"
        ))
    })?;
    paused(session, args, &namespace, &name, &failover).await
}

async fn drill_run(
    session: &Session,
    args: &Args,
    namespace: &str,
    name: &str,
    run: &DrillRun,
) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    if let Some(found) = run.status.as_ref().and_then(|status| status.verdict) {
        let verdict = verdict(lang, found);
        tell!(
            lang,
            "DrillRun {name} is over ({verdict}): there is nothing to stop.",
            "DrillRun {name}은(는) 이미 끝났습니다({verdict}). 멈출 것이 없습니다."
        );
        return Ok(Outcome::Findings);
    }
    let patched: DrillRun = session.merge(namespace, name, &json!({"spec": {"abort": true}})).await?;
    args.form.print(&patched, |_| {
        say!(
            lang,
            "DrillRun {namespace}/{name} is told to stop; what has moved returns. Follow it: kubectl bongsu watch \
             {name} -n {namespace}\n",
            "DrillRun {namespace}/{name}에 중단을 지시하였습니다. 전환된 서비스는 원복합니다. 진행 보기: kubectl bongsu \
             watch {name} -n {namespace}\n"
        )
    })?;
    Ok(Outcome::Good)
}

/// A run of steps is stopped by its own rules only; a person decides once it waits for one.
async fn paused(
    session: &Session,
    args: &Args,
    namespace: &str,
    name: &str,
    failover: &Failover,
) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    match failover.status.as_ref().and_then(|status| status.phase) {
        Some(FailoverPhase::Paused) => {}
        None | Some(FailoverPhase::Pending | FailoverPhase::Running | FailoverPhase::Compensating) => {
            bail!(say!(
                lang,
                "Failover {name} is at work: it ends, undoes itself or pauses, and can be aborted only when it is \
                 paused",
                "Failover {name}은(는) 진행 중입니다. 스스로 끝나거나 되돌리거나 멈추며, 일시 정지된 뒤에만 중단할 수 있습니다"
            ))
        }
        Some(phase) => {
            let phase = super::words::move_phase(lang, Some(phase));
            tell!(
                lang,
                "Failover {name} is over ({phase}): there is nothing to stop.",
                "Failover {name}은(는) 이미 끝났습니다({phase}). 멈출 것이 없습니다."
            );
            return Ok(Outcome::Findings);
        }
    }
    let patched: Failover =
        session.merge(namespace, name, &json!({"spec": {"intervention": "Abort"}})).await?;
    args.form.print(&patched, |_| {
        say!(
            lang,
            "Failover {namespace}/{name} is told to stop where it is; what was done stays.\n",
            "Failover {namespace}/{name}에 중단을 지시하였습니다. 이미 실행된 단계는 그대로 남습니다.\n"
        )
    })?;
    Ok(Outcome::Good)
}
