//! The `bongsu` program: arguments → call one thing → exit code.

use std::process::ExitCode;

/// Static binaries get the allocator of musl, which is several times slower for the many small values of a pass.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bongsu::cli::main()
}
