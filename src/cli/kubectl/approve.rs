//! `kubectl bongsu approve`: one person's yes, in that person's own name.

use anyhow::bail;

use super::{
    Outcome,
    access::{Role, Session},
    output::Form,
    words::say,
};
use crate::api::{Approval, ApprovalSpec, DrillRun};

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu approve verify-quarterly-x7k2p
  kubectl bongsu approve gpki/verify-quarterly-x7k2p --comment 'shift 2 is informed'

The name is that of your own login; the API server refuses any other. Take it back before the start
with kubectl delete approval.

Exit codes:
  0  it is said
  1  it is said, and will not count: you asked for the run yourself, or it has started
  2  it could not be said";

/// Arguments of `kubectl bongsu approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// DrillRun, as NAME or NAMESPACE/NAME
    #[arg(value_name = "RUN")]
    run: String,

    /// For the record
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// The yes counts until then (RFC 3339) [default: until the run has started]
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,

    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    let (namespace, name) = session.place(&args.run)?;
    let run: DrillRun = session.get(&namespace, &name, Role::View).await?;
    let status = run.status.clone().unwrap_or_default();
    if status.verdict.is_some() {
        bail!(say!(
            lang,
            "DrillRun {name} is over, nothing is left to approve",
            "DrillRun {name}은(는) 이미 끝나 승인할 것이 없습니다"
        ));
    }
    let approver = session.user_name().await?;
    let spec = ApprovalSpec {
        drill_run_name: name.clone(),
        approver: approver.clone(),
        comment: args.comment.clone(),
        expires_at: args.expires_at.clone(),
    };
    let mut wish = Approval::new("", spec);
    wish.metadata.name = None;
    wish.metadata.generate_name = Some(format!("{name}-"));
    let made: Approval = session.create(&namespace, &wish, Role::Approve).await?;
    let own = run.spec.requested_by.as_ref() == Some(&approver);
    let started = status.phase.is_some_and(|phase| phase != crate::api::DrillPhase::Announced);
    args.form.print(&made, |made| {
        let object = made.metadata.name.clone().unwrap_or_default();
        let said = say!(
            lang,
            "{approver} says yes to DrillRun {namespace}/{name} (Approval {object}).\n",
            "{approver}: DrillRun {namespace}/{name} 승인(Approval {object}).\n"
        );
        let but = match (own, started) {
            (true, _) => say!(
                lang,
                "It does not count, because you asked for the run yourself: ask somebody else.\n",
                "직접 요청한 훈련이므로 승인으로 인정되지 않습니다. 다른 사람에게 요청하십시오.\n"
            ),
            (false, true) => say!(
                lang,
                "It changes nothing, because the run has started already.\n",
                "훈련이 이미 시작되어 영향이 없습니다.\n"
            ),
            (false, false) => String::new(),
        };
        said + &but
    })?;
    Ok(if own || started { Outcome::Findings } else { Outcome::Good })
}
