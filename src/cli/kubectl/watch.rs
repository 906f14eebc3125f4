//! `kubectl bongsu watch`: a run of a drill, as it goes, to its end.

mod bar;
mod lines;
mod panels;
mod sight;

use std::{future::Future, io::IsTerminal, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use super::{
    Outcome,
    access::{Role, Session},
    output::Form,
    words::{list, say, tell, verdict},
};
use crate::{
    api::{DrillRun, DrillVerdict},
    cli::terminal::{self, Terminal},
    report::Lang,
};
use lines::Lines;
use sight::Sight;

/// Between two looks at the cluster.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Between two looks at the keys: shorter than a person notices.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// How long the cluster may be silent before this gives up. An API server that restarts is back sooner.
const SILENCE_MAX: Duration = Duration::from_secs(120);

const EXAMPLES: &str = "\
Examples:
  kubectl bongsu watch verify-quarterly-x7k2p
  kubectl bongsu watch verify-quarterly-x7k2p | tee drill.log     one line for each moment
  kubectl bongsu watch verify-quarterly-x7k2p -o json             nothing, then the DrillRun

Keys on the terminal: q or Ctrl-C stops looking. The drill goes on; kubectl bongsu abort stops it.

Exit codes:
  0  Passed, PassedWithFindings
  1  Failed, Aborted, NotStarted
  2  you stopped looking, or it could not be looked at";

/// Arguments of `kubectl bongsu watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// DrillRun, as NAME or NAMESPACE/NAME
    #[arg(value_name = "RUN")]
    run: String,

    /// Print lines even on a terminal
    #[arg(long)]
    plain: bool,

    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(session: &Session, args: &Args) -> anyhow::Result<Outcome> {
    let (namespace, name) = session.place(&args.run)?;
    let view = View::choose(args.form, args.plain);
    look_on(session, &namespace, &name, args.form, view).await
}

/// Follows a run that was just created.
pub(super) async fn follow(
    session: &Session,
    namespace: &str,
    name: &str,
    form: Form,
) -> anyhow::Result<Outcome> {
    look_on(session, namespace, name, form, View::choose(form, false)).await
}

/// What a person sees meanwhile.
enum View {
    /// A picture that is drawn anew.
    Screen(Terminal),
    /// A line for each moment.
    Lines(Lines),
    /// Nothing: a program waits for the result.
    Nothing,
}

impl View {
    fn choose(form: Form, plain: bool) -> Choice {
        match (form.is_for_people(), std::io::stdout().is_terminal() && !plain) {
            (false, _) => Choice::Nothing,
            (true, true) => Choice::Screen,
            (true, false) => Choice::Lines,
        }
    }

    fn open(choice: Choice) -> anyhow::Result<Self> {
        Ok(match choice {
            Choice::Screen => Self::Screen(Terminal::take()?),
            Choice::Lines => Self::Lines(Lines::default()),
            Choice::Nothing => Self::Nothing,
        })
    }

    fn show(&mut self, sight: &Sight, lang: Lang) -> anyhow::Result<()> {
        match self {
            Self::Screen(terminal) => terminal.draw(|frame, colors| panels::draw(frame, sight, lang, colors)),
            Self::Lines(lines) => lines.tell(sight, lang),
            Self::Nothing => Ok(()),
        }
    }

    /// Whether a key said that it is enough.
    fn is_told_to_stop(&self) -> anyhow::Result<bool> {
        match self {
            Self::Screen(_) => terminal::is_told_to_stop(),
            Self::Lines(_) | Self::Nothing => Ok(false),
        }
    }
}

/// Which view it will be.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Screen,
    Lines,
    Nothing,
}

async fn look_on(
    session: &Session,
    namespace: &str,
    name: &str,
    form: Form,
    choice: Choice,
) -> anyhow::Result<Outcome> {
    let lang = session.lang;
    // Before the terminal is taken: what is wrong now is said in the usual way.
    let first: DrillRun = session.get(namespace, name, Role::View).await?;
    let mut view = View::open(choice)?;
    let mut sight = Sight::new(session, first).await;
    let ended = to_the_end(session, &mut sight, &mut view).await;
    let was_drawn = matches!(view, View::Screen(_));
    // Gives the terminal back before anything is printed.
    drop(view);
    if !ended? {
        tell!(
            lang,
            "Stopped looking; DrillRun {name} goes on. Stop it: kubectl bongsu abort {name} -n {namespace}",
            "보기를 그만두었습니다. DrillRun {name}은(는) 계속됩니다. 중단: kubectl bongsu abort {name} -n {namespace}"
        );
        return Ok(Outcome::Failed);
    }
    if was_drawn {
        // What was on the screen is gone with it; this stays.
        Lines::default().tell(&sight, lang)?;
    }
    let run = sight.run;
    let found = run.status.as_ref().and_then(|status| status.verdict);
    form.print(&run, |run| summary(lang, run))?;
    Ok(match found {
        Some(DrillVerdict::Passed | DrillVerdict::PassedWithFindings) => Outcome::Good,
        _ => Outcome::Findings,
    })
}

/// Whether it came to its end; if not, the person had enough.
async fn to_the_end(session: &Session, sight: &mut Sight, view: &mut View) -> anyhow::Result<bool> {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .map(signal)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let mut heard = session.now();
    loop {
        sight.now = session.now();
        view.show(sight, session.lang)?;
        if sight.is_over() {
            return Ok(true);
        }
        let look = async {
            session.sleep(LOOK_EVERY).await;
            sight.look(session).await
        };
        match listening(session, view, &mut signals, look).await? {
            None => return Ok(false),
            Some(Ok(())) => heard = session.now(),
            Some(Err(error)) if session.now().since(heard) > SILENCE_MAX => return Err(error),
            Some(Err(error)) => sight.trouble = Some(format!("{error:#}")),
        }
    }
}

/// Waits for something while keys and signals are heard; `None`: one of them said to stop.
async fn listening<T>(
    session: &Session,
    view: &View,
    signals: &mut [tokio::signal::unix::Signal],
    wait: impl Future<Output = T>,
) -> anyhow::Result<Option<T>> {
    tokio::pin!(wait);
    loop {
        let any = futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv())));
        tokio::select! {
            done = &mut wait => return Ok(Some(done)),
            _ = any => return Ok(None),
            () = session.sleep(LISTEN_EVERY) => {}
        }
        if view.is_told_to_stop()? {
            return Ok(None);
        }
    }
}

/// How it ended.
fn summary(lang: Lang, run: &DrillRun) -> String {
    let status = run.status.clone().unwrap_or_default();
    let name = run.metadata.name.clone().unwrap_or_default();
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let verdict = status.verdict.map_or("?", |found| verdict(lang, found));
    let (rule, message) = (status.rule.unwrap_or_default(), status.message.unwrap_or_default());
    // Before the colon the message says the verdict again.
    let why = message.split_once(": ").map(|(_, why)| format!(": {why}")).unwrap_or_default();
    let mut text = say!(
        lang,
        "DrillRun {namespace}/{name}: {verdict} by rule {rule}{why}\n",
        "DrillRun {namespace}/{name}: {verdict}, 판정 규칙 {rule}{why}\n"
    );
    for service in &status.services {
        let (service_name, from, to) = (&service.name, list(&service.from), list(&service.to));
        if let Some(rto) = service.rto {
            let back = service.return_time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            text += &say!(
                lang,
                "  {service_name}: {from} → {to} in {rto}, back in {back}\n",
                "  {service_name}: {from} → {to} 전환 {rto}, 원복 {back}\n"
            );
        }
    }
    for finding in &status.findings {
        text += &say!(lang, "  finding: {finding}\n", "  지적 사항: {finding}\n");
    }
    if status.report_digest.is_some() {
        text += &say!(
            lang,
            "Report: kubectl bongsu report {name} -n {namespace}\n",
            "보고서: kubectl bongsu report {name} -n {namespace}\n"
        );
    }
    text
}
