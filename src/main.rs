//! The `bongsu` program: arguments → call one thing → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    bongsu::cli::main()
}
