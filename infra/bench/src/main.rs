//! What cannot be told from a test: how the whole behaves under load and destruction. `make bench` runs it and
//! prints figures; nothing here judges times. `make heat` only counts: what a deployment's keys would have to take.

#![expect(clippy::indexing_slicing, reason = "JSON that is not there is null")]

mod heat;
mod hole;
mod host;
mod storm;

use std::process::ExitCode;

const HELP: &str = "Usage: stagepost-bench storm [ENTRIES] [SEED] | hole | heat [SHOPS] [GIANT] [SEED]

storm  So many stage entries (10000), each with a mail and a webhook, while receivers fail at random and the
       host is killed at random, its clock jumping on. Ends when every run has, and fails if a webhook never
       arrived, had two ids or two bodies, a mail came twice, or anything is not accounted for.
hole   How long 50 healthy endpoints wait for their messages alone, and beside one that never answers.
heat   Which key of the table is hot first, by so many shops (1000) of which one has so many of a hundred orders (30).
       A simulation; it starts nothing. docs/scale.md says what it found.
";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["storm", rest @ ..] => run_storm(rest).await,
        ["hole"] => hole::run().await,
        ["heat", rest @ ..] => run_heat(rest),
        ["host", folder, port, ahead] => host::serve(folder, port, ahead).await.map(|()| true),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_storm(words: &[&str]) -> Result<bool, Trouble> {
    let entries = words.first().map_or(Ok(10_000), |n| n.parse())?;
    let seed = words.get(1).map_or(Ok(1), |n| n.parse())?;
    storm::run(entries, seed).await
}

fn run_heat(words: &[&str]) -> Result<bool, Trouble> {
    let [shops, giant, seed] = [(0, 1_000), (1, 30), (2, 1)]
        .map(|(at, unsaid)| words.get(at).map_or(Ok(unsaid), |word| word.parse::<u32>()));
    heat::run(heat::Shops { count: shops?, giant: giant? }, u64::from(seed?));
    Ok(true)
}

/// Whatever ended a run.
type Trouble = Box<dyn std::error::Error + Send + Sync>;
