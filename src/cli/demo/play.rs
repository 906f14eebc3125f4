//! The order of events: set up, wait until all is well, cut the power, watch, sum up.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    citizen::Citizen,
    drill::{self, DrillSummary},
    event::Event,
    observer::{self, Alive},
    story::Story,
    summary::{Ending, Summary},
    view::View,
    world::{FROM, TO, WITNESS, World},
};
use crate::{
    domain::{DrillRun, RegionName, Run, Tick},
    ports::Clock,
};

/// Until all is well it takes some four seconds; five times that on a busy machine.
const SETUP_LIMIT: Duration = Duration::from_secs(20);

/// Verifications in a row that must be good before the fault, and after it before the end: two seconds.
const GOOD_IN_A_ROW: usize = 10;

/// A drill takes some twenty seconds, five of them held; with the setup it ends in under two minutes in any case.
const DRILL_LIMIT: Duration = Duration::from_secs(60);

/// Time within which a report is written.
const REPORT_LIMIT: Duration = Duration::from_secs(10);

/// Time between two redraws.
const FRAME: Duration = Duration::from_millis(50);

/// One showing.
pub(super) struct Play {
    clock: Arc<dyn Clock>,
    world: World,
    story: Story,
    view: Box<dyn View>,
    alive: Alive,
    sender: mpsc::UnboundedSender<(Tick, Event)>,
    events: mpsc::UnboundedReceiver<(Tick, Event)>,
    run: watch::Receiver<Option<Run>>,
    drill: watch::Receiver<Option<DrillRun>>,
    reports: Option<PathBuf>,
    stop: [Signal; 2],
    // Only held: citizen and observers end with it.
    tasks: JoinSet<()>,
}

impl Play {
    /// Starts everything but Bongsu.
    pub(super) async fn begin(
        clock: Arc<dyn Clock>,
        view: Box<dyn View>,
        reports: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let world = World::open(clock.clone(), reports.clone()).await?;
        let (sender, events) = mpsc::unbounded_channel();
        let (runs, run) = watch::channel(None);
        let (drills, drill) = watch::channel(None);
        let alive = Alive::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(observer::watch_ledger(
            clock.clone(),
            world.ledger.clone(),
            sender.clone(),
            runs,
            drills,
        ));
        let stop = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        let story = Story { begun: clock.tick(), ..Story::default() };
        Ok(Self { clock, world, story, view, alive, sender, events, run, drill, reports, stop, tasks })
    }

    /// Shows all of it.
    pub(super) async fn show(mut self, lost: &[&str], hold: Duration) -> anyhow::Result<Ending> {
        self.set_up().await?;
        let predicted = self.all_is_well().await?;
        self.fault(lost).await?;
        // Twice the prediction: who is late is still seen to come back, and who does not come back is not waited for.
        let limit = self.clock.tick().plus(predicted * 2);
        self.watch_until(limit, |story| story.clocks.served.is_some()).await?;
        if self.story.clocks.served.is_some() {
            let settled = |story: &Story| story.over.is_some() && story.good_in_a_row >= GOOD_IN_A_ROW;
            self.watch_until(limit, settled).await?;
        }
        let mut summary = self.summary();
        if summary.outcome == Ending::Served {
            self.restore(lost).await?;
            let drill = self.drill_once().await?;
            if !drill.passed() {
                summary.outcome = Ending::Failed;
            }
            summary.drill = Some(drill);
        }
        self.watch_until(self.clock.tick().plus(hold), |_| false).await?;
        let ending = summary.outcome;
        let event = Event::Summary(Box::new(summary));
        self.view.tell(self.clock.tick(), &event, true, &self.story)?;
        Ok(ending)
    }

    /// Shows a drill: away, five seconds there, and back.
    pub(super) async fn show_drill(mut self, hold: Duration) -> anyhow::Result<Ending> {
        self.set_up().await?;
        self.all_is_well().await?;
        let summary = self.drill_once().await?;
        self.watch_until(self.clock.tick().plus(hold), |_| false).await?;
        let ending = if summary.passed() { Ending::Served } else { Ending::Failed };
        let event = Event::DrillSummary(Box::new(summary));
        self.view.tell(self.clock.tick(), &event, true, &self.story)?;
        Ok(ending)
    }

    /// The power is back, and all is well again.
    async fn restore(&mut self, lost: &[&str]) -> anyhow::Result<()> {
        for region in lost {
            self.world.restore(region).await?;
            self.tell(Event::Restored { region: RegionName::new(region) });
        }
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = self.world.agents();
        let limit = self.clock.tick().plus(SETUP_LIMIT);
        let well = |story: &Story| story.all_agree() && story.good_in_a_row >= GOOD_IN_A_ROW;
        if !self.watch_until(limit, well).await? {
            bail!(
                "not well again within {SETUP_LIMIT:?} after the power was back: is this machine overloaded?"
            );
        }
        Ok(())
    }

    async fn drill_once(&mut self) -> anyhow::Result<DrillSummary> {
        let before = (self.story.requests, self.story.error_count());
        self.story.drill = Some(self.clock.tick());
        self.world.ask(drill::wish()).await?;
        let limit = self.clock.tick().plus(DRILL_LIMIT);
        let run = self.drill.clone();
        self.watch_until(limit, |_| drill::is_over(run.borrow().as_ref())).await?;
        let report = self.reports.as_deref().map(drill::report_in);
        if let Some(file) = &report {
            self.watch_until(self.clock.tick().plus(REPORT_LIMIT), |_| file.exists()).await?;
        }
        let report = report.filter(|file| file.exists());
        let mut summary = DrillSummary::of(run.borrow().as_ref(), report);
        summary.requests = self.story.requests - before.0;
        summary.errors = self.story.error_count() - before.1;
        Ok(summary)
    }

    async fn set_up(&mut self) -> anyhow::Result<()> {
        for center in &self.world.centers {
            let (region, service, name_server) = (center.region.clone(), center.service, center.names);
            let witness = service.is_none();
            self.tell(Event::Region { region, service, name_server, witness });
        }
        // First, so that it becomes the leader: the hard case is the loss of the region that decides.
        self.start(FROM)?;
        self.tasks.spawn(observer::watch_agents(self.clock.clone(), self.alive.clone(), self.sender.clone()));
        let limit = self.clock.tick().plus(SETUP_LIMIT);
        if !self.watch_until(limit, |story| story.leader.is_some()).await? {
            bail!(
                "Bongsu in {FROM} did not become the leader within {SETUP_LIMIT:?}: is this machine overloaded?"
            );
        }
        self.start(TO)?;
        self.start(WITNESS)?;
        let stub = self.world.stub()?;
        if !self.watch_until(limit, |story| !story.serving.is_empty()).await? {
            bail!("nobody served within {SETUP_LIMIT:?}: is this machine overloaded?");
        }
        self.tasks.spawn(Citizen::new(self.clock.clone(), stub, self.sender.clone()).run());
        Ok(())
    }

    fn start(&mut self, region: &str) -> anyhow::Result<()> {
        self.world.start(region)?;
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = self.world.agents();
        Ok(())
    }

    /// Waits for the steady state; what Bongsu predicts then is what it is measured by.
    async fn all_is_well(&mut self) -> anyhow::Result<Duration> {
        let limit = self.clock.tick().plus(SETUP_LIMIT);
        let well = |story: &Story| {
            let ready = story.next_move.as_ref().is_some_and(|(outcome, _)| outcome == "Ready");
            ready && story.all_agree() && story.good_in_a_row >= GOOD_IN_A_ROW
        };
        if !self.watch_until(limit, well).await? {
            let why = self.story.next_move.as_ref().map_or("nothing is known", |(_, message)| message);
            bail!(
                "not ready within {SETUP_LIMIT:?} ({why}): the checks have 300 ms, so a machine that is overloaded \
                 cannot show this"
            );
        }
        let (predicted, arithmetic) = self.world.prediction().await.context("Bongsu predicts nothing")?;
        self.tell(Event::Steady {
            requests: self.story.requests,
            median_latency_millis: self.story.median_latency(),
            predicted_rto_millis: u64::try_from(predicted.as_millis()).unwrap_or(u64::MAX),
            arithmetic,
        });
        self.watch_until(self.clock.tick(), |_| false).await?;
        Ok(predicted)
    }

    async fn fault(&mut self, lost: &[&str]) -> anyhow::Result<()> {
        self.story.fault = Some((self.clock.tick(), self.clock.wall()));
        self.tell(Event::Fault { lost: lost.iter().map(ToString::to_string).collect() });
        let gone = |region: &str| lost.contains(&region);
        self.alive
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(region, _)| !gone(region.as_str()));
        for region in lost {
            self.world.lose(region).await?;
        }
        Ok(())
    }

    /// How the failover ended.
    fn summary(&self) -> Summary {
        Summary::of(&self.story, observer::rules(&self.world.agents()))
    }

    fn tell(&self, event: Event) {
        // This side holds the receiver, so it cannot be gone.
        let _sent = self.sender.send((self.clock.tick(), event));
    }

    /// Shows what happens until `done` or the limit; `true` if it is done. What was told by then is always shown.
    async fn watch_until(&mut self, limit: Tick, done: impl Fn(&Story) -> bool) -> anyhow::Result<bool> {
        loop {
            self.take_all()?;
            self.story.now = self.clock.tick();
            if self.view.draw(&self.story)? {
                bail!("stopped before it was over");
            }
            let left = limit.since(self.story.now);
            match (done(&self.story), left.is_zero()) {
                (true, _) => return Ok(true),
                (false, true) => return Ok(false),
                (false, false) => {}
            }
            let [interrupt, terminate] = &mut self.stop;
            tokio::select! {
                biased;
                _ = interrupt.recv() => bail!("stopped before it was over"),
                _ = terminate.recv() => bail!("stopped before it was over"),
                Some((at, event)) = self.events.recv() => self.take(at, &event)?,
                () = self.clock.sleep(FRAME.min(left)) => {}
            }
        }
    }

    fn take_all(&mut self) -> anyhow::Result<()> {
        while let Ok((at, event)) = self.events.try_recv() {
            self.take(at, &event)?;
        }
        Ok(())
    }

    fn take(&mut self, at: Tick, event: &Event) -> anyhow::Result<()> {
        if let Some(run) = self.run.borrow_and_update().as_ref() {
            self.story.take_run(run);
        }
        let news = self.story.is_news(event);
        let served = self.story.take(at, event);
        self.view.tell(at, event, news, &self.story)?;
        if let (true, Some(after), Event::Request { address: Some(address), .. }) =
            (served, self.story.clocks.served, event)
        {
            let errors = self.story.error_count();
            let told = Event::Served { address: *address, since_fault_millis: after, errors };
            self.story.take(at, &told);
            self.view.tell(at, &told, true, &self.story)?;
        }
        Ok(())
    }
}
