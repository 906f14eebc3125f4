//! `bongsu report`: shows the report of a drill, and checks that nothing in it was changed. Needs no cluster and no network.

mod show;
mod verify;

pub(super) use show::Language;

use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{Outcome, print};
use crate::report::schema;

/// Largest file that is read. A report of 500 services with all their samples has some 8 MB.
const LARGEST: u64 = 32 << 20;

const EXAMPLES: &str = "\
Examples:
  bongsu report verify --public-key bongsu.pub reports/*.json
  bongsu report show report.json --format html --lang ko --out report.html
  bongsu report schema > drill-report.schema.json";

/// Arguments of `bongsu report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check that reports are as they were sealed, and that none is missing between them
    Verify(verify::Args),
    /// Print a report for people: Markdown, a page to print, or indented JSON
    Show(show::Args),
    /// Print the JSON schema of a report
    Schema,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.what {
        What::Verify(args) => verify::run(args),
        What::Show(args) => show::run(args),
        What::Schema => {
            print(&format!("{:#}\n", schema()))?;
            Ok(Outcome::Good)
        }
    }
}

/// All of a file that is not too large to be a report.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let doing = || format!("read {}", file.display());
    let mut bytes = Vec::new();
    let open = File::open(file).with_context(doing)?;
    open.take(LARGEST + 1).read_to_end(&mut bytes).with_context(doing)?;
    if bytes.len() as u64 > LARGEST {
        bail!("read {}: larger than {} MiB, so it is no drill report", file.display(), LARGEST >> 20);
    }
    Ok(bytes)
}
