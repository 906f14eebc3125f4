//! `bongsu report show`.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::ValueEnum;

use super::{super::print, Outcome, read};
use crate::report::{Lang, SealError, Sealed, html, markdown};

const EXAMPLES: &str = "\
Examples:
  bongsu report show report.json                                            Markdown, in English
  bongsu report show report.json --format html --lang ko --out report.html  a page to print

Exit codes:
  0  it was shown
  1  it was not shown, because it was changed after it was sealed
  2  the file cannot be read or written";

/// Arguments of `bongsu report show`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Sealed report
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// Language of what Bongsu says; what people wrote stays as it is
    #[arg(long, value_enum, default_value_t = Language::En)]
    lang: Language,
    /// Write it to this file instead of printing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Text with tables
    Markdown,
    /// One page without scripts that fetches nothing
    Html,
    /// Indented JSON, to be read; the file itself is what can be verified
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Language {
    /// English
    En,
    /// Korean
    Ko,
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Ko => Self::Ko,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let sealed = match Sealed::parse(&read(&args.file)?) {
        Ok(sealed) => sealed,
        Err(error @ SealError::Digest) => {
            eprintln!("bongsu: {}: {error}", args.file.display());
            return Ok(Outcome::Findings);
        }
        Err(error) => return Err(error).with_context(|| format!("read {}", args.file.display())),
    };
    let text = text(&sealed, args)?;
    match &args.out {
        Some(out) => fs::write(out, text).with_context(|| format!("write {}", out.display()))?,
        None => print(&text)?,
    }
    Ok(Outcome::Good)
}

fn text(sealed: &Sealed, args: &Args) -> anyhow::Result<String> {
    let lang = args.lang.into();
    Ok(match args.format {
        Format::Markdown => markdown(sealed, lang),
        Format::Html => html(sealed, lang),
        Format::Json => serde_json::to_string_pretty(sealed)? + "\n",
    })
}
