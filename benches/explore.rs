//! How many schedules are explored in a second.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use std::{sync::Arc, time::Instant};

use bongsu::{
    adapters::manifests::{Admission, Source},
    sim::{Setup, draw, run},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let (first, count) = (arguments.next().unwrap_or(0), arguments.next().unwrap_or(200));
    let listened = std::env::var("STORY").is_ok();
    let text = include_bytes!("../src/sim/explore.yaml");
    let source = Source { name: "explore.yaml".to_owned(), bytes: text.to_vec() };
    let setup = Arc::new(Setup::read(&Admission::new().unwrap(), &[source]).unwrap());
    let start = Instant::now();
    let (mut moves, mut bad) = (0, 0);
    for seed in first..first + count {
        let schedule = draw(&setup, seed);
        let outcome = run(&setup, seed, &schedule, listened).unwrap();
        moves += outcome.moves;
        for (at, line) in &outcome.story {
            println!("{at} {line}");
        }
        if let Some(violation) = outcome.violation {
            bad += 1;
            println!("seed {seed}: {} at {}: {}", violation.invariant, violation.at, violation.what);
        }
    }
    let took = start.elapsed().as_secs_f64();
    println!("{count} runs, {bad} violations, {moves} moves, {:.1} runs/s", count as f64 / took);
}
