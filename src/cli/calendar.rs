//! `bongsu calendar`: Calendars from calendars in another form.

use std::{fs, path::Path, path::PathBuf};

use anyhow::{Context, ensure};

use crate::{adapters::yaml, timetable::ical};

use super::{Outcome, print};

const EXAMPLES: &str = "\
Examples:
  bongsu calendar import holidays.ics --time-zone Asia/Seoul | kubectl apply -f -
  bongsu calendar import holidays.ics --name korea > korea.yaml";

const IMPORT: &str = "\
Each event becomes a span at which no drill runs. Times with seconds are widened to whole minutes.
What a Calendar cannot say, such as a rule with an end or an exception, is an error with its line:
nothing is left out. Alarms, descriptions and whether an event counts as busy are not looked at.

Examples:
  bongsu calendar import holidays.ics --time-zone Asia/Seoul | kubectl apply -f -
  bongsu calendar import holidays.ics --name korea > korea.yaml

Exit codes:
  0  the Calendar was printed
  2  it could not be done: the file cannot be read, or holds what a Calendar cannot say";

/// The largest file that is read: a thousand events, each with a long description.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Arguments of `bongsu calendar`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a Calendar made of an iCalendar file (.ics)
    Import(Import),
}

/// Arguments of `bongsu calendar import`.
#[derive(Debug, clap::Args)]
#[command(after_help = IMPORT)]
struct Import {
    /// iCalendar file
    #[arg(value_name = "FILE.ics")]
    file: PathBuf,
    /// Name of the Calendar; the file's name without it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// IANA time zone in which its times are written; the one that the file names without it
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::Import(args) => import(args),
    }
}

fn import(args: &Import) -> anyhow::Result<Outcome> {
    let shown = args.file.display();
    let name = name(args)?;
    let text = read(&args.file).with_context(|| format!("read {shown}"))?;
    match ical::import(&text, &name, args.time_zone.as_deref()) {
        Ok(calendar) => {
            print(&yaml::print(&calendar)?)?;
            Ok(Outcome::Good)
        }
        Err(wrong) => {
            for trouble in wrong {
                eprintln!("{shown}:{}: {}", trouble.line, trouble.message);
            }
            Ok(Outcome::Failed)
        }
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    let size = fs::metadata(file)?.len();
    ensure!(size <= LARGEST, "it has {size} bytes, and at most {LARGEST} are read: split it");
    let bytes = fs::read(file)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        anyhow::anyhow!("line {line} is not UTF-8: save the file as UTF-8")
    })
}

/// What an API server takes as a name.
fn name(args: &Import) -> anyhow::Result<String> {
    let stem = args.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| stem.to_ascii_lowercase());
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(letter) && name.bytes().last().is_some_and(letter);
    let valid = ends && name.len() <= 253 && name.bytes().all(|byte| letter(byte) || byte == b'-');
    ensure!(
        valid,
        "{name:?} cannot be the name of a Calendar: give one with --name, of small letters, digits and hyphens"
    );
    Ok(name)
}
