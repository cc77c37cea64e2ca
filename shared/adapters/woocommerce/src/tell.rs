//! Tracking, told the way the store can take it, before the completion: so that the mail which WooCommerce
//! sends on completion can carry it.
//!
//! Nothing is remembered between calls: every way first reads what is there and skips it, so that an
//! attempt after a lost answer posts no parcel twice.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stagepost_app::ports::{ActError, FulfillRequest, PlatformHttp};
use stagepost_domain::SignedDuration;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::package::PackageSeen;

use crate::client::{Work, mark};
use crate::json::{decoded, each, field, id, is_list, whole};
use crate::order::parcel;
use crate::problem::{Wish, json as parsed, ok, passing, problem};
use crate::session::{Resource, Session};

/// Parcels posted in one attempt: each is a call, and an attempt has one lease for all of them.
const POSTS_MAX: usize = 10;
/// How long telling may take in one attempt: with the calls that remain, the attempt ends within its lease.
const PATIENCE: SignedDuration = SignedDuration::from_secs(45);
/// How soon the next attempt may post the rest.
const NEXT: SignedDuration = SignedDuration::from_secs(1);
/// How our notes begin.
const NOTE: &str = "Tracking:";

/// Parcels on their way into the store.
pub(crate) struct Telling<'a, H> {
    pub session: &'a Session<'a, H>,
    pub work: &'a Work,
    pub request: &'a FulfillRequest,
    /// Parcels that the store does not show yet.
    pub left: Vec<PackageSeen>,
    /// A fulfillment was made.
    pub fulfilled: bool,
    /// The extension has stored parcels, perhaps out of our sight: its list is not ours to write.
    pub listed: bool,
    /// Our mark stands on the order before its completion.
    pub announced: bool,
    /// The store was called.
    pub talked: bool,
    posts: usize,
}

impl<'a, H: PlatformHttp> Telling<'a, H> {
    pub fn new(session: &'a Session<'a, H>, work: &'a Work, request: &'a FulfillRequest) -> Self {
        let mut telling = Self {
            session,
            work,
            request,
            left: request.packages.clone(),
            fulfilled: false,
            listed: false,
            announced: work.marker.as_deref() == Some(&request.run.to_string()),
            talked: false,
            posts: 0,
        };
        telling.drop_known(&work.told);
        telling.talked = !telling.left.is_empty();
        telling
    }

    /// Tells what is left, by the best way that takes it. What no API takes goes into the completion's
    /// metadata, which is what this gives: an entry for the list that tracking plugins read.
    pub async fn tell(&mut self) -> Result<Option<Value>, ActError> {
        if !self.left.is_empty() {
            self.by_extension().await?;
        }
        if !self.left.is_empty() {
            self.by_fulfillments().await?;
        }
        if self.left.is_empty() {
            return Ok(None);
        }
        let items = self.items();
        self.by_note(items.is_some()).await?;
        Ok(items)
    }

    fn drop_known(&mut self, told: &[PackageSeen]) {
        self.left.retain(|p| !told.iter().any(|t| same(t, p)));
    }

    /// The Shipment Tracking extension.
    async fn by_extension(&mut self) -> Result<(), ActError> {
        let list = self.session.get(Resource::ShipmentTrackings).await.map_err(undoubted)?;
        if passing(&list) {
            return Err(problem(Wish::Read, &list));
        }
        // Absent, not for this key, or some page in its place: the next way.
        let Some(list) = parsed(&list).filter(|_| ok(&list)) else { return Ok(()) };
        let stored = each(Some(&list));
        self.listed = !stored.is_empty();
        self.drop_known(&stored.into_iter().filter_map(parcel).collect::<Vec<_>>());
        for package in std::mem::take(&mut self.left) {
            self.count_post()?;
            let body = extension_entry(&package);
            // A parcel that may have been stored shows in the list of the next attempt, and completes
            // nothing: no doubt is left.
            let answer = self.session.post(Resource::ShipmentTrackings, &body).await.map_err(undoubted)?;
            if ok(&answer) {
                self.listed = true;
            } else if passing(&answer) {
                return Err(undoubted(problem(Wish::Write, &answer)));
            } else {
                self.left.push(package);
            }
        }
        Ok(())
    }

    /// WooCommerce's own fulfillments, where the feature is switched on.
    async fn by_fulfillments(&mut self) -> Result<(), ActError> {
        let list = self.session.get(Resource::Fulfillments).await.map_err(undoubted)?;
        if passing(&list) {
            return Err(problem(Wish::Read, &list));
        }
        // Absent in most shops; a fulfillment without items is refused.
        let Some(list) = parsed(&list).filter(|_| ok(&list) && !self.work.lines.is_empty()) else {
            return Ok(());
        };
        let made: Vec<_> = each(Some(&list)).into_iter().map(Fulfillment).filter(|f| f.active()).collect();
        self.drop_known(&made.iter().filter_map(Fulfillment::parcel).collect::<Vec<_>>());
        let items = remaining(&self.work.lines, &made);
        for package in std::mem::take(&mut self.left) {
            self.count_post()?;
            self.announce().await?;
            let body = fulfillment(&items, &package, self.request.notify_customer);
            // Unlike a parcel, a fulfillment fulfills: a lost answer stays in doubt.
            let answer = self.session.post(Resource::Fulfillments, &body).await?;
            if ok(&answer) {
                self.fulfilled = true;
            } else if passing(&answer) {
                return Err(problem(Wish::Write, &answer));
            } else {
                self.left.push(package);
            }
        }
        Ok(())
    }

    /// Puts our mark on the order before the first fulfillment of ours, so that whoever sees the order in
    /// between, we included, can tell whose it is.
    async fn announce(&mut self) -> Result<(), ActError> {
        if self.announced {
            return Ok(());
        }
        let body = json!({ "meta_data": [mark(self.request)] });
        let answer = self.session.put(&body).await.map_err(undoubted)?;
        self.announced = ok(&answer);
        if self.announced { Ok(()) } else { Err(undoubted(problem(Wish::Write, &answer))) }
    }

    /// The list that tracking plugins keep, with ours added: for plugins without an API. Not where the list
    /// is in a shape we do not know, nor where the extension has just written it.
    fn items(&self) -> Option<Value> {
        if self.listed {
            return None;
        }
        let mut items = self.work.items.clone()?;
        items.extend(self.left.iter().map(list_entry));
        Some(Value::Array(items))
    }

    /// A note on the order, for shops in which nothing shows that list. The completion's own mail cannot
    /// carry the tracking there; where the customer is to be told, the note is mailed to him instead.
    async fn by_note(&self, listed: bool) -> Result<(), ActError> {
        let notes = self.session.get(Resource::Notes).await.map_err(undoubted)?;
        if passing(&notes) {
            return Err(problem(Wish::Read, &notes));
        }
        // Some page in its place says nothing of what was told: a second note may be a second mail.
        let unread = || ActError::retry("the order's notes could not be read");
        let notes = parsed(&notes).filter(|list| ok(&notes) && is_list(list)).ok_or_else(unread)?;
        let notes: Vec<String> = each(Some(&notes))
            .into_iter()
            .filter_map(|n| n.get("note").and_then(Value::as_str).map(decoded))
            .filter(|n| n.starts_with(NOTE))
            .collect();
        let told = |p: &PackageSeen| name(p).is_some_and(|name| notes.iter().any(|n| mentions(n, name)));
        let lines: Vec<String> = self.left.iter().filter(|p| !told(p)).map(words).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let body = json!({
            "note": format!("{NOTE} {}", lines.join("; ")),
            "customer_note": self.request.notify_customer,
        });
        let answer = self.session.post(Resource::Notes, &body).await.map_err(undoubted)?;
        // Without a place in the list the note is all there is; with one it is a convenience.
        let needed = !listed || passing(&answer);
        if ok(&answer) || !needed { Ok(()) } else { Err(undoubted(problem(Wish::Write, &answer))) }
    }

    fn count_post(&mut self) -> Result<(), ActError> {
        if self.posts < POSTS_MAX && self.session.spent() < PATIENCE {
            self.posts += 1;
            return Ok(());
        }
        let message = format!("{} parcels are told; the rest follows", self.posts);
        Err(ActError { disposition: Disposition::Retry { after: Some(NEXT) }, message })
    }
}

/// Before the completion nothing is fulfilled, whatever became of this call: it can be tried again.
pub(crate) fn undoubted(error: ActError) -> ActError {
    match error.disposition {
        Disposition::Ambiguous => ActError { disposition: Disposition::RETRY, ..error },
        _ => error,
    }
}

fn same(told: &PackageSeen, package: &PackageSeen) -> bool {
    told.id() == package.id() || (package.number.is_none() && package.url == told.url)
}

/// What a parcel is called: its number, else its link.
fn name(package: &PackageSeen) -> Option<&str> {
    package.number.as_deref().or(package.url.as_deref())
}

/// Whether the note has the name as words of its own: `A1` is not `A12`.
fn mentions(note: &str, name: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || c == ';');
    note.match_indices(name).any(|(at, _)| {
        let (before, after) = (note.get(..at), note.get(at + name.len()..));
        edge(before.and_then(|b| b.chars().next_back())) && edge(after.and_then(|a| a.chars().next()))
    })
}

fn words(package: &PackageSeen) -> String {
    let parts = [&package.carrier, &package.number, &package.url];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Carrier and link as the extension takes them: with a link a carrier of the shop's own, which keeps the
/// link as told; without one a carrier of the extension's list, which knows the link.
fn carrier_fields(package: &PackageSeen) -> Map<String, Value> {
    let mut fields = Map::new();
    let carrier = package.carrier.as_deref();
    match &package.url {
        Some(url) => {
            fields.insert("custom_tracking_provider".into(), carrier.unwrap_or("Tracking").into());
            fields.insert("custom_tracking_link".into(), url.as_str().into());
        }
        None => {
            fields.insert("tracking_provider".into(), carrier.unwrap_or_default().into());
        }
    }
    fields
}

/// The extension wants a number; where there is only a link, the link stands in its place. The shipping
/// date is left to the extension: it is today.
fn extension_entry(package: &PackageSeen) -> Value {
    let mut entry = carrier_fields(package);
    entry.insert("tracking_number".into(), name(package).unwrap_or_default().into());
    Value::Object(entry)
}

/// An entry of the list in the metadata, with every field that plugins write (live notes 48).
fn list_entry(package: &PackageSeen) -> Value {
    let id = package.id();
    let mut entry = carrier_fields(package);
    for key in ["tracking_provider", "custom_tracking_provider", "custom_tracking_link", "date_shipped"] {
        entry.entry(key).or_insert_with(|| "".into());
    }
    entry.insert("tracking_number".into(), package.number.as_deref().unwrap_or_default().into());
    entry.insert("tracking_id".into(), id.as_str().trim_start_matches("pkg_").into());
    Value::Object(entry)
}

/// A fulfillment as the store lists it (live notes §4).
struct Fulfillment<'a>(&'a Value);

impl Fulfillment<'_> {
    fn active(&self) -> bool {
        let deleted = self.0.get("date_deleted").is_some_and(|d| !d.is_null());
        !deleted && self.0.get("is_fulfilled").and_then(Value::as_bool) != Some(false)
    }

    fn meta(&self, key: &str) -> Option<&Value> {
        let entries = each(self.0.get("meta_data"));
        entries.into_iter().find(|m| m.get("key").and_then(Value::as_str) == Some(key))
    }

    fn parcel(&self) -> Option<PackageSeen> {
        let text = |key| field(self.meta(key)?, "value", stagepost_domain::package::URL_MAX);
        let (number, url) = (text("_tracking_number"), text("_tracking_url"));
        PackageSeen::parse(number.as_deref(), url.as_deref(), None)
    }

    fn quantities(&self) -> impl Iterator<Item = (String, u64)> {
        let items = self.meta("_items").map(|m| each(m.get("value"))).unwrap_or_default();
        items.into_iter().filter_map(|item| Some((id(item.get("item_id"))?, whole(item.get("qty"))?)))
    }
}

/// Which items a fulfillment of ours names: all that no fulfillment has named yet. Nobody knows what is in
/// which parcel, so with several parcels each names them; the store takes more than was ordered (live
/// notes §4), and when nothing is left it takes everything again.
fn remaining(lines: &[(String, u64)], made: &[Fulfillment<'_>]) -> Vec<(String, u64)> {
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for (item, quantity) in made.iter().flat_map(Fulfillment::quantities) {
        let sum = named.entry(item).or_default();
        *sum = sum.saturating_add(quantity);
    }
    let left = |(item, quantity): &(String, u64)| {
        (item.clone(), quantity.saturating_sub(named.get(item).copied().unwrap_or_default()))
    };
    let rest: Vec<_> = lines.iter().map(left).filter(|(_, quantity)| *quantity > 0).collect();
    if rest.is_empty() { lines.to_vec() } else { rest }
}

/// A fulfillment with one parcel. Each metadata entry needs `"id": 0`, else WooCommerce drops it.
fn fulfillment(items: &[(String, u64)], package: &PackageSeen, notify_customer: bool) -> Value {
    let item =
        |(id, qty): &(String, u64)| json!({ "item_id": id.parse::<u64>().unwrap_or_default(), "qty": qty });
    let entry = |key: &str, value: Value| json!({ "id": 0, "key": key, "value": value });
    let provider = package.carrier.as_deref().map(|c| c.to_lowercase().replace(' ', "-"));
    let texts = [
        ("_tracking_number", package.number.clone()),
        ("_shipment_provider", provider),
        ("_tracking_url", package.url.clone()),
    ];
    let mut meta = vec![entry("_items", items.iter().map(item).collect())];
    meta.extend(texts.into_iter().filter_map(|(key, text)| Some(entry(key, Value::String(text?)))));
    json!({ "status": "fulfilled", "is_fulfilled": true, "notify_customer": notify_customer, "meta_data": meta })
}
