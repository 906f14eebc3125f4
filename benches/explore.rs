//! How many schedules are explored in a second on one core: three regions, three services, checks every 2 s, five virtual
//! minutes, faults of one class or more. Goal: 200. Run with `cargo bench --bench explore`, or `… -- RUNS`.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement that cannot go on fails")]

use std::{sync::atomic::Ordering, time::Instant};

use bongsu::sim::{Explored, Progress, explore};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: u64 = 1_000;

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let (explored, progress) = (Explored::builtin(), Progress::default());
    let start = Instant::now();
    let failures = explore(&explored, 0..runs, 1, &progress).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let moves = progress.moves.load(Ordering::Relaxed);
    println!(
        "{runs} schedules with {moves} moves on one core: {:.1} a second; {} violations",
        f64::from(u32::try_from(runs).unwrap()) / seconds,
        failures.len()
    );
}
