//! What became of everything, held against what the far ends saw.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stagepost_standins::Received;
use standardwebhooks::Webhook;

use super::Mails;

/// Order and number of its event.
type Entry = (String, u64);

/// The balance.
#[derive(Debug, Default)]
pub struct Account {
    entries: usize,
    open: usize,
    /// Runs by action and how they ended.
    runs: BTreeMap<(String, String), usize>,
    /// Requests that the receivers read.
    requests: usize,
    /// Webhooks that said they succeeded, or that failed although the receiver read them.
    arrived: usize,
    /// What is wrong, some of it.
    wrong: BTreeMap<&'static str, Vec<String>>,
}

impl Account {
    /// Draws it up.
    pub fn of(
        events: &[Value],
        received: &[Received],
        mails: &Mails,
        secrets: &BTreeMap<String, String>,
    ) -> Self {
        let mut account = Self { requests: received.len(), ..Self::default() };
        let webhooks = account.webhooks(received, secrets);
        let sent = account.mails(mails);
        for event in events {
            let entry =
                (event["order"].as_str().unwrap_or_default().to_owned(), event["seq"].as_u64().unwrap_or(0));
            account.entries += usize::from(!event["transition"].is_null());
            for run in event["runs"].as_array().into_iter().flatten() {
                account.run(&entry, run, &webhooks, &sent);
            }
        }
        account
    }

    /// Which entries the receivers were told of; each by one id and one body, signed rightly.
    fn webhooks(&mut self, received: &[Received], secrets: &BTreeMap<String, String>) -> BTreeSet<Entry> {
        let mut seen: BTreeMap<Entry, (String, Vec<u8>)> = BTreeMap::new();
        for request in received {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let order = body["data"]["order"]["id"].as_str().unwrap_or_default().to_owned();
            let entry = (order, body["data"]["seq"].as_u64().unwrap_or(0));
            let id = request.header("webhook-id").unwrap_or_default().to_owned();
            if !is_signed(request, secrets) {
                self.wrong("a webhook is not signed rightly", format!("{entry:?}"));
            }
            let first = seen.entry(entry.clone()).or_insert_with(|| (id.clone(), request.body.clone()));
            if *first != (id, request.body.clone()) {
                self.wrong("a webhook came with another id or body", format!("{entry:?}"));
            }
        }
        seen.into_keys().collect()
    }

    /// Which entries customers were mailed about; each once.
    fn mails(&mut self, mails: &Mails) -> BTreeSet<Entry> {
        let mut sent = BTreeSet::new();
        for mail in mails.values() {
            let tag = |name: &str| mail["tags"][name].as_str().unwrap_or_default().to_owned();
            let entry = (tag("order"), tag("seq").parse().unwrap_or(0));
            if !sent.insert(entry.clone()) {
                self.wrong("a mail was sent twice", format!("{entry:?}"));
            }
        }
        sent
    }

    fn run(&mut self, entry: &Entry, run: &Value, webhooks: &BTreeSet<Entry>, sent: &BTreeSet<Entry>) {
        let (action, state) = (run["action"].as_str().unwrap_or(""), run["state"].as_str().unwrap_or(""));
        let reason = run["skipped"]["reason"].as_str();
        let ended = reason.map_or(state.to_owned(), |reason| format!("{state}: {reason}"));
        *self.runs.entry((action.to_owned(), ended)).or_default() += 1;
        self.open += usize::from(!run["due"].is_null());
        let there = match action {
            "webhook" => webhooks.contains(entry),
            _ => sent.contains(entry),
        };
        match (action, state, there) {
            ("webhook", _, true) => self.arrived += 1,
            ("webhook", _, false) => self.wrong("a webhook never arrived", format!("{entry:?} {run}")),
            ("email", "succeeded", false) => self.wrong("a mail is lost", format!("{entry:?} {run}")),
            // It left and nobody heard: uncertain is all that anybody may say.
            ("email", "skipped" | "failed", true) => {
                self.wrong("a mail was sent unsaid", format!("{entry:?} {run}"))
            }
            ("email", "skipped", _) if reason.is_none() => {
                self.wrong("not explained", format!("{entry:?} {run}"))
            }
            _ => {}
        }
    }

    fn wrong(&mut self, what: &'static str, which: String) {
        self.wrong.entry(what).or_default().push(which);
    }

    /// Whether every entry was made, every run has ended, and nothing is wrong.
    pub fn is_balanced(&self, entries: usize) -> bool {
        self.entries >= entries && self.open == 0 && self.wrong.is_empty()
    }

    /// Prints it.
    pub fn print(&self) {
        println!("{} stage entries, {} runs open", self.entries, self.open);
        println!("{} requests at the receivers for {} webhooks", self.requests, self.arrived);
        for ((action, ended), count) in &self.runs {
            println!("  {action:<8} {ended:<24} {count:>6}");
        }
        for (what, which) in &self.wrong {
            println!("WRONG: {what}: {} times, e.g. {:?}", which.len(), which.first());
        }
    }
}

/// The receiver's library would refuse the time: the host's clock is ahead of ours by days. So what it signs for
/// that time is compared.
fn is_signed(request: &Received, secrets: &BTreeMap<String, String>) -> bool {
    let header = |name: &str| request.header(name).unwrap_or_default();
    let at = header("webhook-timestamp").parse().unwrap_or_default();
    let webhook = secrets.get(&request.path).and_then(|secret| Webhook::new(secret).ok());
    let signed = webhook.and_then(|webhook| webhook.sign(header("webhook-id"), at, &request.body).ok());
    signed.is_some_and(|signed| header("webhook-signature").split(' ').any(|one| one == signed))
}
