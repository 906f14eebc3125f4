//! How a result is printed: for people, or for programs.

use clap::ValueEnum;
use serde::Serialize;

use crate::{adapters::yaml, cli::print};

/// The flag of every command that has a result.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Form {
    /// Form of the result [default: for people]
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Output {
    Wide,
    Json,
    Yaml,
}

impl Form {
    /// Whether more is wanted than fits a line.
    pub(super) fn is_wide(self) -> bool {
        self.output == Some(Output::Wide)
    }

    /// Whether people read the result, and not a program.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self.output, None | Some(Output::Wide))
    }

    /// Prints the value for programs, or what `text` makes of it for people.
    pub(super) fn print<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        print(&match self.output {
            None | Some(Output::Wide) => text(value),
            Some(Output::Json) => format!("{}\n", serde_json::to_string_pretty(value)?),
            Some(Output::Yaml) => yaml::print(value)?,
        })
    }
}
