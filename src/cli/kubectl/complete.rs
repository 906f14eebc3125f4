//! What could stand at the cursor. kubectl asks a program named `kubectl_complete-PLUGIN`, with the words of the line, and
//! reads candidates and, in the last line, what the shell should do besides (the form of the Cobra library).

use std::time::Duration;

use clap::{Arg, Command, CommandFactory, Parser};
use kube::ResourceExt;

use super::{
    Plugin,
    access::{Flags, Kind, Session},
};
use crate::{
    api::{DrillRun, Region, SharedService, SwitchoverDrill},
    cli::{Outcome, print},
};

/// Longest wait for names from the cluster: somebody is waiting with a finger on the key.
const PATIENCE: Duration = Duration::from_secs(2);

/// Candidates, and whether names of files could stand there, too.
struct Candidates {
    lines: Vec<String>,
    files: bool,
}

/// Where the cursor is.
struct Cursor {
    command: Command,
    /// The option whose value is written.
    option: Option<Arg>,
    /// Words that are no options.
    positionals: usize,
    /// Options with their values, as far as they say which cluster it is.
    access: Vec<String>,
}

/// Prints the candidates for the last word. A cluster that does not answer has none.
pub(super) fn run(words: &[String]) -> anyhow::Result<Outcome> {
    let (current, before) = words.split_last().map_or(("", words), |(last, rest)| (last.as_str(), rest));
    let cursor = Cursor::after(before);
    let found = candidates(&cursor, current);
    let fitting = found.lines.iter().filter(|line| line.starts_with(current));
    let text: String = fitting.map(|line| format!("{line}\n")).collect();
    // 0: as the shell likes, 4: no names of files.
    let directive = if found.files { 0 } else { 4 };
    print(&format!("{text}:{directive}\n"))?;
    Ok(Outcome::Good)
}

impl Cursor {
    fn after(words: &[String]) -> Self {
        let mut command = Plugin::command();
        // Hands the options for all commands down to each.
        command.build();
        let mut cursor = Self { command, option: None, positionals: 0, access: Vec::new() };
        for word in words {
            cursor.pass(word);
        }
        cursor
    }

    fn pass(&mut self, word: &str) {
        if let Some(option) = self.option.take() {
            return self.note(&option, word);
        }
        if let Some(flag) = word.strip_prefix('-') {
            let (name, value) = flag
                .trim_start_matches('-')
                .split_once('=')
                .map_or_else(|| (flag.trim_start_matches('-'), None), |(name, value)| (name, Some(value)));
            let found = self.command.get_arguments().find(|arg| is_named(arg, name)).cloned();
            match (found.filter(|arg| arg.get_action().takes_values()), value) {
                (Some(option), Some(value)) => self.note(&option, value),
                (option, None) => self.option = option,
                (None, Some(_)) => {}
            }
            return;
        }
        match self.command.find_subcommand(word).cloned().filter(|_| self.positionals == 0) {
            Some(command) => self.command = command,
            None => self.positionals += 1,
        }
    }

    fn note(&mut self, option: &Arg, value: &str) {
        let name = option.get_long().unwrap_or_default();
        if ["kubeconfig", "context", "cluster", "user", "namespace"].contains(&name) {
            self.access.extend([format!("--{name}"), value.to_owned()]);
        }
    }
}

fn is_named(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_short().is_some_and(|short| name == short.to_string())
}

fn candidates(cursor: &Cursor, current: &str) -> Candidates {
    let command = &cursor.command;
    let lines = match &cursor.option {
        Some(option) => return of_option(cursor, option),
        None if current.starts_with('-') => command.get_arguments().filter_map(option_line).collect(),
        None if command.has_subcommands() => {
            let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
            shown.map(|command| line(command.get_name(), command.get_about())).collect()
        }
        None if cursor.positionals == 0 => names(cursor, command.get_name()),
        None => Vec::new(),
    };
    Candidates { lines, files: false }
}

fn of_option(cursor: &Cursor, option: &Arg) -> Candidates {
    let values: Vec<String> = option.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
    match option.get_long() {
        Some("to" | "away-from") => Candidates { lines: names(cursor, "region"), files: false },
        Some("kubeconfig" | "out") => Candidates { lines: Vec::new(), files: true },
        _ => Candidates { lines: values, files: false },
    }
}

fn option_line(arg: &Arg) -> Option<String> {
    let name = arg.get_long().filter(|_| !arg.is_hide_set())?;
    Some(line(&format!("--{name}"), arg.get_help()))
}

/// A candidate, and what it means.
fn line(name: &str, about: Option<&clap::builder::StyledStr>) -> String {
    about.map_or_else(|| name.to_owned(), |about| format!("{name}\t{about}"))
}

#[derive(Parser)]
struct Access {
    #[command(flatten)]
    flags: Flags,
}

/// Names of the objects that a command is about.
fn names(cursor: &Cursor, of: &str) -> Vec<String> {
    let look = async {
        let arguments = std::iter::once("access".to_owned()).chain(cursor.access.iter().cloned());
        let session = Access::try_parse_from(arguments).ok()?.flags.session().await.ok()?;
        match of {
            "region" => session.list_all::<Region>().await.ok().map(named),
            "get" | "plan" | "switch" => here::<SharedService>(&session).await,
            "run" | "next" => here::<SwitchoverDrill>(&session).await,
            "report" | "watch" => here::<DrillRun>(&session).await,
            "approve" | "abort" => open_runs(&session).await,
            _ => None,
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let found = runtime.map(|runtime| runtime.block_on(async { tokio::time::timeout(PATIENCE, look).await }));
    found.ok().and_then(Result::ok).flatten().unwrap_or_default()
}

async fn here<K: Kind>(session: &Session) -> Option<Vec<String>> {
    session.list::<K>(Some(&session.namespace)).await.ok().map(named)
}

/// Runs that are not over.
async fn open_runs(session: &Session) -> Option<Vec<String>> {
    let mut runs: Vec<DrillRun> = session.list(Some(&session.namespace)).await.ok()?;
    runs.retain(|run| run.status.as_ref().is_none_or(|status| status.verdict.is_none()));
    Some(named(runs))
}

fn named<K: ResourceExt>(objects: Vec<K>) -> Vec<String> {
    objects.iter().map(ResourceExt::name_any).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], current: &str, some: &str) {
        let before: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let found = candidates(&Cursor::after(&before), current);
        let names: Vec<&str> = found.lines.iter().filter_map(|line| line.split('\t').next()).collect();
        assert!(names.contains(&some), "{words:?}: {names:?}");
        assert!(!names.contains(&"__complete"), "{names:?}");
    }

    #[test]
    fn commands_options_and_values_are_completed_where_they_can_stand() {
        check(&[], "", "switch");
        check(&["-n", "get"], "", "drill");
        check(&["drill"], "", "next");
        check(&["switch", "gpki-verify"], "--", "--away-from");
        check(&["get"], "-", "--kubeconfig");
        check(&["get", "-o"], "", "wide");
        check(&["report", "--language"], "", "ko");
    }

    #[test]
    fn the_cluster_of_the_line_is_the_one_that_is_asked() {
        let words = ["get", "-n", "gpki", "--context=east", "-o", "json"].map(str::to_owned);
        assert_eq!(Cursor::after(&words).access, ["--namespace", "gpki", "--context", "east"]);
    }
}
