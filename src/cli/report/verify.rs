//! `bongsu report verify`.

use std::{fmt::Write, path::PathBuf};

use anyhow::Context;
use serde_json::json;

use super::{super::print, Outcome, read};
use crate::report::{Checked, PublicKey, verify};

const EXAMPLES: &str = "\
Examples:
  bongsu report verify reports/*.json                           digests, and that none is missing
  bongsu report verify --public-key bongsu.pub reports/*.json   also who wrote them
  bongsu report verify --json report.json                       for other programs

What is found:
  Altered        it was changed after it was sealed, or never was a report
  BadSignature   it was not signed by the owner of the public key
  BrokenChain    a report before it is missing, was changed, or was written twice
  Unsigned       right, but nobody signed it: a problem only if a public key is given
  Valid          right
That the newest reports were taken away cannot be seen: compare with status.reportDigest of the last DrillRun.

Exit codes:
  0  every report is as it should be
  1  at least one is not
  2  a file cannot be read";

/// Arguments of `bongsu report verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Ed25519 public key, PEM or base64, of which every report must have a signature
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Sealed reports, in any order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let key = args.public_key.as_deref().map(|file| {
        PublicKey::parse(&read(file)?).with_context(|| format!("use the public key in {}", file.display()))
    });
    let key = key.transpose()?;
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    for file in &args.files {
        match read(file) {
            Ok(bytes) => files.push((file.display().to_string(), bytes)),
            Err(error) => unreadable.push(format!("{error:#}")),
        }
    }
    let checked = verify(&files, key.as_ref());
    let good = checked.iter().all(|one| one.status.is_good(key.is_some()));
    match args.json {
        true => print(&as_json(&checked, good, &unreadable)?)?,
        false => print(&as_text(&checked)?)?,
    }
    unreadable.iter().for_each(|error| eprintln!("bongsu: {error}"));
    Ok(match (unreadable.is_empty(), good) {
        (false, _) => Outcome::Failed,
        (true, true) => Outcome::Good,
        (true, false) => Outcome::Findings,
    })
}

fn as_text(checked: &[Checked]) -> anyhow::Result<String> {
    let width = checked.iter().map(|one| one.file.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Checked { file, status, message, .. } in checked {
        writeln!(text, "{status:<12}  {file:<width$}  {message}")?;
    }
    Ok(text)
}

fn as_json(checked: &[Checked], good: bool, unreadable: &[String]) -> anyhow::Result<String> {
    let value = json!({ "good": good, "files": checked, "unreadable": unreadable });
    Ok(format!("{value:#}\n"))
}
