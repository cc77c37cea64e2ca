//! Stage entries while everything fails: receivers at random, the host by `kill -9`.

mod account;
pub mod client;
mod load;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stagepost_domain::id::ShopId;
use stagepost_lambda::system::SystemClock;
use stagepost_local::bootstrap::{NewShop, Place, bootstrap};
use stagepost_standins::{Receiver, Reply};
use tokio::task::JoinHandle;

use crate::Trouble;
use crate::host::Mortal;
use account::Account;
use client::Client;
use load::{Load, STAGES};

/// Of a hundred requests so many get each of these. The receiver has read all of them when it answers.
const REPLIES: [(u32, Reply); 5] = [
    (70, Reply::Status(200)),
    (10, Reply::Status(500)),
    (5, Reply::RetryAfter(429, 20)),
    (5, Reply::Status(400)),
    (10, Reply::Drop),
];
/// A host lives so long, in milliseconds.
const LIFE: std::ops::Range<u64> = 1_500..5_000;
/// Dead, it misses so many seconds.
const DEATH: std::ops::Range<i64> = 1..420;
/// The clock jumps so far when nothing is left to do now: past the longest wait of the schedule.
const JUMP: i64 = 13 * 3_600;
/// More than the attempts of a run.
const JUMPS_MAX: usize = 14;
/// A host at work is looked at so often.
const LOOK: Duration = Duration::from_millis(500);
/// What is due within so many seconds is waited for before the clock jumps.
const SOON: i64 = 900;
/// While it is waited for, a host lives so long, and then misses so many seconds: circuits of busy receivers open and
/// close by the clock.
const CALM: (Duration, i64) = (Duration::from_secs(3), 240);
/// Lives between two looks at what is due: reading every timeline keeps the host from its work.
const LIVES: usize = 8;
/// No more looks than that between two jumps.
const LOOKS_MAX: usize = 40;

/// Mails by their message id, over all lives of the host: its own mailbox keeps the newest thousand.
type Mails = BTreeMap<String, serde_json::Value>;

/// Runs it; true if all is accounted for.
pub async fn run(entries: usize, seed: u64) -> Result<bool, Trouble> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let shop = ShopId::parse("shop_storm")?;
    let place = Place::Folder(folder.path().to_owned());
    let new = NewShop { shop: &shop, name: "Storm", from: "storm@example.com", owner: None };
    let key = bootstrap(&place, new).await?.key;
    let mut dice = StdRng::seed_from_u64(seed);
    let receiver = Receiver::start(Arc::new(SystemClock)).await?;
    script(&receiver, entries, &mut dice);
    let mut host = Mortal::start(folder.path()).await?;
    let client = Client::new(host.base(), key)?;
    let load = Load::prepare(client.clone(), &receiver.url(), entries).await?;

    let began = Instant::now();
    let mut mails = Mails::new();
    let moving = tokio::spawn(load.clone().run());
    let kills = storm(&mut host, &client, moving, folder.path(), &mut mails, &mut dice).await?;
    let stormed = began.elapsed();
    println!("{entries} entries made in {:.0} s, over {kills} kills", stormed.as_secs_f64());
    let jumps = settle(&mut host, &client, &load, folder.path(), &mut mails).await?;
    println!(
        "settled after {jumps} jumps of the clock, {} h ahead, {:.0} s in all",
        host.ahead() / 3_600,
        began.elapsed().as_secs_f64()
    );

    let account = Account::of(&load.timelines().await?, &receiver.received(), &mails, &load.secrets);
    host.kill().await?;
    account.print();
    Ok(account.is_balanced(entries))
}

/// Answers for more requests than there will be.
fn script(receiver: &Receiver, entries: usize, dice: &mut StdRng) {
    for _ in 0..entries.saturating_mul(4) {
        let mut rolled = dice.random_range(0..100);
        let reply = REPLIES.iter().find(|(share, _)| {
            let hit = rolled < *share;
            rolled = rolled.saturating_sub(*share);
            hit
        });
        receiver.reply(reply.map_or(Reply::Status(200), |(_, reply)| reply.clone()), 1);
    }
}

/// Kills the host again and again until the load is through; gives how often.
async fn storm(
    host: &mut Mortal,
    client: &Client,
    moving: JoinHandle<Result<(), Trouble>>,
    folder: &Path,
    mails: &mut Mails,
    dice: &mut StdRng,
) -> Result<usize, Trouble> {
    let mut kills = 0;
    while !moving.is_finished() {
        let life = Duration::from_millis(dice.random_range(LIFE));
        let until = Instant::now() + life;
        while Instant::now() < until && !moving.is_finished() {
            client.release().await;
            tokio::time::sleep(LOOK.min(life)).await;
        }
        host.kill().await?;
        kills += 1;
        collect(folder, mails)?;
        host.revive(dice.random_range(DEATH)).await?;
    }
    moving.await??;
    Ok(kills)
}

/// Lets the clock jump until no run is open; gives how often.
async fn settle(
    host: &mut Mortal,
    client: &Client,
    load: &Load,
    folder: &Path,
    mails: &mut Mails,
) -> Result<usize, Trouble> {
    for jump in 0..JUMPS_MAX {
        // What is due now comes first; a run that never ends is for the account to tell.
        for _ in 0..LOOKS_MAX {
            client.release().await;
            tokio::time::sleep(CALM.0).await;
            if load.due_by(host.ahead().saturating_add(SOON)).await? == 0 {
                break;
            }
            for _ in 0..LIVES {
                host.kill().await?;
                collect(folder, mails)?;
                host.revive(CALM.1).await?;
                client.release().await;
                tokio::time::sleep(CALM.0).await;
            }
        }
        if load.open().await? == 0 {
            collect(folder, mails)?;
            return Ok(jump);
        }
        host.kill().await?;
        collect(folder, mails)?;
        host.revive(JUMP).await?;
    }
    collect(folder, mails)?;
    Ok(JUMPS_MAX)
}

/// Takes over what the mailbox has on its file.
fn collect(folder: &Path, mails: &mut Mails) -> Result<(), Trouble> {
    let text = std::fs::read_to_string(folder.join("mailbox.jsonl")).unwrap_or_default();
    for line in text.lines() {
        // The last line of a killed host may be half a one.
        let Ok(mail) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if let Some(id) = mail.get("id").and_then(|id| id.as_str()) {
            mails.insert(id.to_owned(), mail.clone());
        }
    }
    Ok(())
}

/// How many stages each order goes through.
pub const ENTRIES_EACH: usize = STAGES.len();
