//! A gate around the writer: it runs while the door is open, and is killed when it shuts.
//!
//! Three processes: this one keeps the lease and tells the guard how long it lasts; the guard kills the writer's process
//! group when that time is over, also while this one is stopped or dead; and the kernel kills the writer when the guard
//! dies.

use std::{ffi::OsString, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
};
use tracing::{info, warn};

use super::{
    door::{Door, Opening},
    guard::{KILLED, TERMINATE},
    watchdog::Watchdog,
};
use crate::ports::Clock;

/// Time for the guard to kill the writer and end, after the door was shut.
const GUARD_LIMIT: Duration = Duration::from_secs(2);

/// Shortest time between two starts of a writer that was stopped: the lease was lost and taken again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Runs the writer.
pub struct Supervisor {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// What must be open.
    pub door: Arc<Door>,
    /// A device that resets the host if the lease is not renewed and the writer could not be killed.
    pub watchdog: Option<PathBuf>,
    /// For its limits.
    pub clock: Arc<dyn Clock>,
}

impl Supervisor {
    /// Runs the writer whenever the door is open, until it ends by itself or is told to `stop`: its exit code. It then gets
    /// SIGTERM, and SIGKILL when the lease as it was renewed last is over.
    ///
    /// # Errors
    /// The guard could not be started, or the watchdog not be opened.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> anyhow::Result<u8> {
        tokio::pin!(stop);
        loop {
            let opening = tokio::select! {
                biased;
                () = &mut stop => return Ok(0),
                opening = self.door.opened() => opening,
            };
            let mut watchdog = self.watchdog.as_deref().map(Watchdog::open).transpose()?;
            let inside = self.door.enter();
            let mut guard = self.start(opening)?;
            let Some(mut stdin) = guard.stdin.take() else {
                anyhow::bail!("the guard has no standard input")
            };
            let mut stopping = false;
            let ended = tokio::select! {
                biased;
                status = guard.wait() => Some(status.context("wait for the guard")?),
                () = self.feed(opening, &mut stdin, &mut watchdog) => None,
                () = &mut stop => {
                    // A guard that has ended already is waited for below.
                    stopping = true;
                    let _ = stdin.write_all(format!("{TERMINATE}\n").as_bytes()).await;
                    Some(guard.wait().await.context("wait for the guard")?)
                }
            };
            // The end of its input tells the guard to kill at once.
            drop(stdin);
            let is_over = ended.is_some() || self.stop(&mut guard).await;
            // A writer that could not be killed is what the watchdog is for.
            if let Some(watchdog) = watchdog.filter(|_| is_over) {
                watchdog.disarm();
            }
            if is_over {
                drop(inside);
            } else {
                // Nobody knows whether it still writes: its lease is not given back, and runs out.
                std::mem::forget(inside);
            }
            let code = ended.map(|status| status.code().and_then(|code| u8::try_from(code).ok()));
            if let Some(code) = code.filter(|code| stopping || *code != Some(KILLED)) {
                return Ok(code.unwrap_or(u8::MAX));
            }
            info!("the writer is stopped until the lease is held again");
            self.clock.sleep(RESTART_PAUSE).await;
        }
    }

    fn start(&self, opening: Opening) -> anyhow::Result<Child> {
        let this = std::env::current_exe().context("find this program")?;
        let guard = Command::new(this)
            .arg("gate-guard")
            .arg(opening.until.0.to_string())
            .arg("--")
            .args(&self.command)
            .env("BONGSU_EPOCH", opening.epoch.to_string())
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start the guard")?;
        info!(epoch = %opening.epoch, "the writer is started");
        Ok(guard)
    }

    /// Tells the guard of each renewal, until the door shuts or the writer must know another epoch.
    async fn feed(&self, first: Opening, stdin: &mut ChildStdin, watchdog: &mut Option<Watchdog>) {
        let mut known = first;
        while let Some(opening) = self.door.changed(known).await {
            if opening.epoch != first.epoch {
                info!(from = %first.epoch, to = %opening.epoch, "the epoch changed: the writer is started anew");
                return;
            }
            known = opening;
            if let Some(watchdog) = watchdog {
                watchdog.feed();
            }
            let line = format!("{}\n", opening.until.0);
            if stdin.write_all(line.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// Waits for the guard to kill the writer; whether it is over.
    async fn stop(&self, guard: &mut Child) -> bool {
        tokio::select! {
            biased;
            ended = guard.wait() => return ended.is_ok(),
            () = self.clock.sleep(GUARD_LIMIT) => {}
        }
        warn!("the guard does not end: killing it, and the writer with it");
        guard.kill().await.inspect_err(|error| warn!(%error, "the guard could not be killed")).is_ok()
    }
}
