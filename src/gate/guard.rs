//! The guard between the gate and the writer: a process of its own, so that the writer is killed in time although the
//! gate is stopped, and one that does nothing else, so that nothing holds it up.

use std::{
    ffi::OsString,
    io::{self, BufRead},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
};

use rustix::process::{Pid, Signal, getpid, getppid, kill_process_group, set_parent_process_death_signal};

use crate::{domain::Tick, ports::Clock};

/// Exit code if the writer was killed because its lease ended.
pub(super) const KILLED: u8 = 75;

/// The line that asks the writer to end; any other is a tick.
pub(super) const TERMINATE: &str = "terminate";

enum News {
    /// The lease lasts until this tick.
    Until(Tick),
    /// The writer shall end by itself.
    Terminate,
    /// The gate is gone, or says that it is over.
    Over,
    /// The writer ended by itself.
    Ended(ExitStatus),
}

/// Runs the writer until it ends, or kills it at the tick that standard input said last. Ticks are those of `clock`,
/// which must count alike in all processes of this host. Its exit code, or 75 if it was killed.
///
/// # Errors
/// The writer could not be started.
pub fn guard(command: &[OsString], until: Tick, clock: &dyn Clock) -> io::Result<u8> {
    let child = start(command)?;
    let group = Pid::from_child(&child);
    let (tell, news) = mpsc::channel();
    let told = tell.clone();
    thread::spawn(move || listen(&told));
    thread::spawn(move || wait(child, &tell));
    let mut until = until;
    loop {
        match news.recv_timeout(until.since(clock.tick())) {
            Ok(News::Until(later)) => until = later,
            Ok(News::Terminate) => signal(group, Signal::TERM),
            Ok(News::Ended(status)) => {
                // What it started and left behind does not write on either.
                signal(group, Signal::KILL);
                return Ok(code(status));
            }
            Ok(News::Over) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                signal(group, Signal::KILL);
                return Ok(KILLED);
            }
        }
    }
}

/// In its own process group, by way of [`launch`]: only a process itself can ask to die with its parent.
fn start(command: &[OsString]) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg("gate-launch")
        .arg(getpid().as_raw_nonzero().to_string())
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Becomes the writer, which the kernel kills when its parent dies.
///
/// # Errors
/// The program cannot be run; or the parent died before.
pub fn launch(parent: i32, command: &[OsString]) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // It may have died before that.
    if getppid().is_none_or(|pid| pid.as_raw_nonzero().get() != parent) {
        return io::Error::other("the guard is gone");
    }
    match command.split_first() {
        Some((program, arguments)) => Command::new(program).args(arguments).exec(),
        None => io::Error::other("no command is given"),
    }
}

fn listen(tell: &Sender<News>) {
    for line in io::stdin().lock().lines() {
        let news = line.ok().and_then(|line| match line.as_str() {
            TERMINATE => Some(News::Terminate),
            until => until.parse().ok().map(|until| News::Until(Tick(until))),
        });
        let Some(news) = news else { break };
        if tell.send(news).is_err() {
            return;
        }
    }
    // Nobody listens any more if the writer has ended.
    let _ = tell.send(News::Over);
}

fn wait(mut child: Child, tell: &Sender<News>) {
    if let Ok(status) = child.wait() {
        let _ = tell.send(News::Ended(status));
    }
}

fn signal(group: Pid, signal: Signal) {
    // It may have ended already.
    let _ = kill_process_group(group, signal);
}

/// As a shell says it: 128 and the signal for one that was killed.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
