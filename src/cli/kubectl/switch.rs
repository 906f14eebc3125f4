//! `kubectl bongsu switch`: moves a service by hand, and waits.

use anyhow::bail;

use super::{
    Outcome,
    access::{Role, Session},
    output::Form,
    wish::{self, Waited, Way},
    words::{list, move_phase, say, tell},
};
use crate::{
    api::{Duration, Failover, FailoverPhase, SharedService},
    report::Lang,
};

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu switch gpki-verify --to gwangju --reason 'maintenance in daejeon'
  kubectl bongsu switch gpki-verify --away-from daejeon --reason 'smoke in daejeon' --yes

A move to a member that is not healthy is refused. Stopping to look (Ctrl-C) does not stop the move.

Exit codes:
  0  the service was moved, and was seen to answer
  1  it was refused, undone or failed, or waits for a person
  2  it could not be asked for, or was not over in time";

/// Arguments of `kubectl bongsu switch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// SharedService, as NAME or NAMESPACE/NAME
    #[arg(value_name = "SERVICE")]
    service: String,

    #[command(flatten)]
    way: Way,

    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// The workload of the writer (fence.workload) does not run any more in the region that is left: you have made sure
    #[arg(long)]
    writer_stopped: bool,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// How long to wait for the end
    #[arg(long, value_name = "TIME", default_value = "10m")]
    timeout: Duration,

    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    if args.way.to.is_none() && args.way.away_from.is_none() {
        bail!(say!(
            lang,
            "say which way: --to REGION or --away-from REGION",
            "방향을 지정하십시오: --to 지역 또는 --away-from 지역"
        ));
    }
    let (namespace, name) = session.place(&args.service)?;
    let service: SharedService = session.get(&namespace, &name, Role::View).await?;
    let mut wish = args.way.wish(lang, &service, &args.reason, false)?;
    wish.spec.writer_stopped = args.writer_stopped;
    if !args.yes && !wish::is_confirmed(session, &service, &wish)? {
        tell!(lang, "Nothing was done.", "아무것도 하지 않았습니다.");
        return Ok(Outcome::Failed);
    }
    let made = wish::ask(session, &namespace, &wish).await?;
    let name = made.metadata.name.clone().unwrap_or_default();
    match wish::follow(session, &made, args.timeout.0).await? {
        Waited::Ended(found) => {
            args.form.print(&*found, |found| text(lang, found))?;
            let done = found.status.is_some_and(|status| status.phase == Some(FailoverPhase::Succeeded));
            Ok(if done { Outcome::Good } else { Outcome::Findings })
        }
        Waited::Late { started, why } => {
            let limit = args.timeout;
            bail!(match started {
                true => say!(
                    lang,
                    "Failover {name} is not over after {limit}, and goes on: {why}",
                    "Failover {name}이(가) {limit} 안에 끝나지 않았으며 계속 진행됩니다: {why}"
                ),
                // As after an hour without a ledger: nobody may want it any more.
                false => say!(
                    lang,
                    "Failover {name} has not started after {limit}, and will when it can; have it deleted if nobody \
                     wants it any more: {why}",
                    "Failover {name}이(가) {limit} 안에 시작되지 않았으며 가능해지면 시작됩니다. 더 이상 필요 없으면 \
                     삭제하게 하십시오: {why}"
                ),
            })
        }
        Waited::Interrupted => {
            tell!(
                lang,
                "Stopped looking; Failover {name} goes on.",
                "기다리기를 그만두었습니다. Failover {name}은(는) 계속 진행됩니다."
            );
            Ok(Outcome::Failed)
        }
    }
}

fn text(lang: Lang, found: &Failover) -> String {
    let status = found.status.clone().unwrap_or_default();
    let (name, service) = (found.metadata.name.clone().unwrap_or_default(), &found.spec.service_name);
    let (to, why) = (list(&status.to), status.message.unwrap_or_default());
    match status.phase {
        Some(FailoverPhase::Succeeded) => {
            let rto = status.rto.map_or_else(|| "?".to_owned(), |rto| rto.to_string());
            say!(
                lang,
                "{service} is served by {to}, verified after {rto}.\n",
                "{service}: {to}에서 서비스 중, {rto} 만에 정상 확인되었습니다.\n"
            )
        }
        Some(FailoverPhase::Refused) => say!(
            lang,
            "{service} was not moved, it was refused: {why}\n",
            "{service}: 전환이 거부되었습니다. {why}\n"
        ),
        Some(FailoverPhase::Compensated) => say!(
            lang,
            "{service} is served as before, what was done is undone: {why}\n",
            "{service}: 이전 상태로 되돌렸습니다. {why}\n"
        ),
        Some(FailoverPhase::Paused) => say!(
            lang,
            "The move of {service} waits for a person: {why}\nLook at Failover {name}, then set spec.intervention \
             to Resume or Skip, or give up with kubectl bongsu abort {name}\n",
            "{service}: 사람의 판단을 기다립니다. {why}\nFailover {name}을(를) 확인하고 spec.intervention을 Resume 또는 \
             Skip으로 설정하거나, kubectl bongsu abort {name}(으)로 그만두십시오\n"
        ),
        phase => {
            let phase = move_phase(lang, phase);
            say!(lang, "{service}: {phase}: {why}\n", "{service}: {phase}: {why}\n")
        }
    }
}
