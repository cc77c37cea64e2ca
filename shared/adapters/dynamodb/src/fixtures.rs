//! Items of every released shape, read by today's code.
//!
//! `fixtures/v1/<kind>.json` holds items of one kind as DynamoDB's JSON, rich ones, as the release wrote them; and
//! `fixtures/v1/<kind>.snap` what today's code reads of them. Items are never edited and never taken away: tables hold
//! such items for years. A field that is added shows in the `.snap` with what an old item has in its place; one that
//! an old item cannot do without does not get past this test.
//!
//! A change that writes items in another shape raises `SCHEMA` in `row.rs`, adds `fixtures/v2` with the kinds that look
//! different since, and keeps `v1`. A new kind of item comes with a fixture in the newest folder: without one
//! `every_kind_of_item_has_a_fixture` fails, which looks for the keys that this crate's source makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stagepost_app::attempt::Attempt;
use stagepost_app::mail::ports::AskedMail;
use stagepost_app::ports::{CallRecord, IgnoredFact, ParkedFact, StoreError};
use stagepost_domain::brand::Brand;
use stagepost_domain::flow::Flow;
use stagepost_domain::governor::Governor;
use stagepost_domain::health::Health;
use stagepost_domain::id::{OrderId, QuarantineId};
use stagepost_domain::job::Job;
use stagepost_domain::link::Link;
use stagepost_domain::member::Member;
use stagepost_domain::order::Snapshot;
use stagepost_domain::package::Package;
use stagepost_domain::search::Entry;
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Settings};
use stagepost_domain::suppression::Suppression;
use stagepost_domain::template::EmailTemplate;

use crate::row::{Row, key_of, number_of, read_document, text_of};
use crate::{contact, event_item, inbound, keys, mail, order_item, people, search};

/// What today's code makes of an item.
type Reading = fn(Row) -> Result<String, StoreError>;

fn shown<T: Debug>(read: T) -> String {
    format!("{read:#?}")
}

fn document<T: DeserializeOwned + Debug>(row: Row) -> Result<String, StoreError> {
    read_document::<T>(row).map(shown)
}

/// A count, which has no schema: it is added to in place.
fn count(row: Row) -> Result<String, StoreError> {
    Ok(shown(number_of(&row, "n")))
}

/// Every kind of item, as its file is called.
const KINDS: [(&str, Reading); 45] = [
    ("order", |row| order_item::from_row(row).map(shown)),
    ("snapshot", document::<Snapshot>),
    ("event", |row| event_item::from_row(row).map(shown)),
    ("webhook_body", document::<String>),
    ("package", document::<Package>),
    ("ignored", document::<IgnoredFact>),
    ("run_attempt", document::<Attempt>),
    ("test_attempt", document::<Attempt>),
    ("order_entries", |row| search::indexed(row).map(shown)),
    ("entry", |row| Ok(shown(text_of(&row, "sk").and_then(Entry::parse)))),
    ("package_holder", document::<OrderId>),
    ("parked", document::<ParkedFact>),
    ("settings", document::<Settings>),
    ("brand", document::<Brand>),
    ("flow", document::<Flow>),
    ("template", document::<EmailTemplate>),
    ("template_version", document::<EmailTemplate>),
    ("endpoint", document::<Endpoint>),
    ("health", document::<Health>),
    ("channel", document::<Channel>),
    ("channel_lookup", document::<Channel>),
    ("carrier", document::<CarrierIntegration>),
    ("carrier_lookup", document::<CarrierIntegration>),
    ("key", document::<ApiKey>),
    ("key_lookup", document::<ApiKey>),
    ("member", document::<Member>),
    ("membership", document::<people::Membership>),
    ("link", document::<Link>),
    ("job", document::<Job>),
    ("governor", document::<Governor>),
    ("quarantine", document::<inbound::Head>),
    ("quarantine_part", document::<QuarantineId>),
    ("suppression", document::<Suppression>),
    ("call", document::<CallRecord>),
    ("shop_asked_mail", document::<AskedMail>),
    ("person_asked_mail", document::<AskedMail>),
    ("mails_of_a_window", count),
    ("mails_of_a_week", |row| Ok(shown(mail::tally_of(&row)))),
    ("trials_of_an_hour", count),
    ("invitations_of_an_hour", count),
    ("links_of_an_hour", count),
    ("line", |row| Ok(shown(text_of(&row, "l").and_then(keys::text_time)))),
    ("contact", |row| Ok(shown(contact::contact_of(&row)))),
    ("entry_of_a_name", |row| Ok(shown(text_of(&row, "sk").and_then(Entry::parse)))),
    ("entry_of_an_address", |row| Ok(shown(text_of(&row, "sk").and_then(Entry::parse)))),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// All items of a file.
fn items(version: &str, kind: &str) -> Vec<Row> {
    let path = folder().join(version).join(format!("{kind}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let items: Vec<BTreeMap<String, Value>> = serde_json::from_str(&text).unwrap();
    items.into_iter().map(|item| item.into_iter().map(|(name, v)| (name, attribute(&v))).collect()).collect()
}

/// Of DynamoDB's JSON.
fn attribute(value: &Value) -> AttributeValue {
    let (kind, inner) = value.as_object().unwrap().iter().next().unwrap();
    let text = || inner.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "B" => AttributeValue::B(Blob::new(STANDARD.decode(text()).unwrap())),
        "BOOL" => AttributeValue::Bool(inner.as_bool().unwrap()),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(inner.as_array().unwrap().iter().map(attribute).collect()),
        "M" => {
            let fields = inner.as_object().unwrap().iter();
            AttributeValue::M(fields.map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
        other => panic!("an attribute of type {other}"),
    }
}

#[test]
fn items_of_every_release_are_read_by_todays_code() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for version in versions() {
        settings.set_snapshot_path(folder().join(&version));
        for (kind, read) in KINDS.iter().filter(|(kind, _)| is_there(&version, kind)) {
            let read = |row: Row| {
                let name = key_of(&row).name();
                let what = read(row).unwrap_or_else(|error| panic!("{version}/{kind}: {error}"));
                format!("{name}\n{what}")
            };
            let all: Vec<String> = items(&version, kind).into_iter().map(read).collect();
            assert!(!all.is_empty(), "{version}/{kind} is empty");
            settings.bind(|| insta::assert_snapshot!(*kind, all.join("\n\n")));
        }
    }
}

fn versions() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut all: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

fn is_there(version: &str, kind: &str) -> bool {
    folder().join(version).join(format!("{kind}.json")).exists()
}

/// Parts of keys that only indexes have.
const OF_INDEXES: [&str; 3] = ["DUE", "ATTN", "TRIED"];

#[test]
fn every_kind_of_item_has_a_fixture() {
    for (kind, _) in KINDS {
        assert!(versions().iter().any(|version| is_there(version, kind)), "{kind} has no fixture");
    }
    let files: BTreeSet<String> = versions()
        .iter()
        .flat_map(|version| std::fs::read_dir(folder().join(version)).unwrap())
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    let kinds: BTreeSet<String> = KINDS.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    assert_eq!(files, kinds, "each file is read");
    let all = versions().into_iter().flat_map(|version| {
        let there: Vec<_> = KINDS.iter().filter(|(kind, _)| is_there(&version, kind)).collect();
        there.into_iter().flat_map(|(kind, _)| items(&version, kind)).collect::<Vec<_>>()
    });
    let parts: BTreeSet<String> = all
        .map(|row| key_of(&row))
        .flat_map(|key| [key.pk, key.sk])
        .map(|key| key.split('#').next().unwrap().to_owned())
        .collect();
    let missing: Vec<String> = made_by_the_source()
        .into_iter()
        .filter(|part| !OF_INDEXES.contains(&part.as_str()))
        .filter(|part| !parts.contains(part))
        .collect();
    assert!(missing.is_empty(), "no fixture has a key that begins with {missing:?}");
}

/// What keys begin with: texts of capitals in the product's source, alone or before a `#`.
fn made_by_the_source() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("fixtures.rs") || path.ends_with("scripted.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        // Every second piece between quotes is a text.
        for literal in product.lines().flat_map(|line| line.split('"').skip(1).step_by(2)) {
            let word: String = literal.chars().take_while(char::is_ascii_uppercase).collect();
            let rest = &literal[word.len()..];
            if !word.is_empty() && (rest.is_empty() || rest.starts_with('#')) {
                found.insert(word);
            }
        }
    }
    found
}
