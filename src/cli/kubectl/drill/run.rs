//! `kubectl bongsu drill run`.

use super::super::{
    Outcome,
    access::{Role, Session},
    output::Form,
    watch,
    words::{say, tell},
};
use crate::api::{DrillRun, DrillRunSpec, SwitchoverDrill};

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu drill run verify-quarterly --reason 'asked for by the ministry' --watch
  kubectl bongsu drill run verify-quarterly --reason 'before the election' --at 2027-03-02T10:00:00+09:00

It is asked for in your name, so you cannot approve it. Exit codes with --watch are those of
kubectl bongsu watch.";

/// Arguments of `kubectl bongsu drill run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// SwitchoverDrill, as NAME or NAMESPACE/NAME
    #[arg(value_name = "DRILL")]
    drill: String,

    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// When it starts (RFC 3339) [default: at once]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,

    /// Follow it to its end
    #[arg(short, long)]
    watch: bool,

    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    let (namespace, name) = session.place(&args.drill)?;
    // A run of a drill that is not there would wait for it for ever.
    let drill: SwitchoverDrill = session.get(&namespace, &name, Role::View).await?;
    let spec = DrillRunSpec {
        drill_name: name.clone(),
        starts_at: args.at.clone(),
        reason: args.reason.clone(),
        requested_by: Some(session.user_name().await?),
        abort: false,
    };
    let mut wish = DrillRun::new("", spec);
    wish.metadata.name = None;
    wish.metadata.generate_name = Some(format!("{name}-"));
    let made: DrillRun = session.create(&namespace, &wish, Role::Operate).await?;
    let run = made.metadata.name.clone().unwrap_or_default();
    if args.watch {
        tell!(
            lang,
            "DrillRun {namespace}/{run} is created.",
            "DrillRun {namespace}/{run}을(를) 만들었습니다."
        );
        return watch::follow(session, &namespace, &run, args.form).await;
    }
    let needed = drill.spec.approvals.unwrap_or_default();
    args.form.print(&made, |_| {
        let next = match needed {
            0 => say!(lang, "Follow it: kubectl bongsu watch {run}", "진행 보기: kubectl bongsu watch {run}"),
            _ => say!(
                lang,
                "It waits for {needed} other people: kubectl bongsu approve {run}",
                "다른 사람 {needed}명의 승인이 필요합니다: kubectl bongsu approve {run}"
            ),
        };
        let made = say!(
            lang,
            "DrillRun {namespace}/{run} is created.",
            "DrillRun {namespace}/{run}을(를) 만들었습니다."
        );
        format!("{made}\n{next} -n {namespace}\n")
    })?;
    Ok(Outcome::Good)
}
