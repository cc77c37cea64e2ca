//! Keys of items and indexes, and the cursors made of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stagepost_app::mail::ports::{Asker, Hourly};
use stagepost_app::ports::{OrderFilter, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{JobId, MailId, OrderId, PackageId, PersonId, ShopId, SuppressionId};
use stagepost_domain::package::normalised_number;

use crate::table::DUE_SHARDS;

pub(crate) const ORDER: &str = "ORDER";
pub(crate) const SNAPSHOT: &str = "SNAPSHOT";
/// An order's list of its entries in the search. Not between the order and its packages.
pub(crate) const FOUND: &str = "FOUND";
pub(crate) const SETTINGS: &str = "SETTINGS";
/// How a shop looks.
pub(crate) const BRAND: &str = "BRAND";
pub(crate) const LOOKUP: &str = "LOOKUP";
pub(crate) const EVENTS: &str = "E#";
pub(crate) const PACKAGES: &str = "P#";
/// Behind all packages. Between the order and its packages there is nothing else.
pub(crate) const PACKAGES_END: &str = "P$";
pub(crate) const IGNORED: &str = "I#";
pub(crate) const BODIES: &str = "B#";
pub(crate) const ATTEMPTS: &str = "A#";
pub(crate) const HOLDERS: &str = "ORDER#";
pub(crate) const PARKED: &str = "PARKED#";
pub(crate) const QUARANTINE: &str = "Q#";
pub(crate) const JOBS: &str = "JOB#";
pub(crate) const SUPPRESSED: &str = "S#";
pub(crate) const MEMBERSHIPS: &str = "SHOP#";
pub(crate) const ASKED_MAILS: &str = "MAIL#";

/// An item's place in the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// For errors and logs.
    pub fn name(&self) -> String {
        format!("{} {}", self.pk, self.sk)
    }
}

pub(crate) fn order_pk(order: &OrderId) -> String {
    format!("ORDER#{order}")
}

pub(crate) fn order(order: &OrderId) -> Key {
    Key::new(order_pk(order), ORDER)
}

pub(crate) fn snapshot(order: &OrderId) -> Key {
    Key::new(order_pk(order), SNAPSHOT)
}

pub(crate) fn found(order: &OrderId) -> Key {
    Key::new(order_pk(order), FOUND)
}

/// Where a shop's entries of the search stand.
pub(crate) fn find_pk(shop: &ShopId) -> String {
    format!("FIND#{shop}")
}

pub(crate) fn event_sk(seq: u64) -> String {
    format!("{EVENTS}{seq:010}")
}

pub(crate) fn event(order: &OrderId, seq: u64) -> Key {
    Key::new(order_pk(order), event_sk(seq))
}

pub(crate) fn body(order: &OrderId, seq: u64) -> Key {
    Key::new(order_pk(order), format!("{BODIES}{seq:010}"))
}

pub(crate) fn package(order: &OrderId, package: &PackageId) -> Key {
    Key::new(order_pk(order), format!("{PACKAGES}{package}"))
}

/// Where everything about a tracking number stands, however it is spelt.
pub(crate) fn track_pk(shop: &ShopId, number: &str) -> String {
    format!("TRACK#{shop}#{}", normalised_number(number))
}

/// A partition of its own: calls under keys do not crowd the shop's configuration.
pub(crate) fn call(shop: &ShopId, id: &str) -> Key {
    Key::new(format!("CALL#{shop}#{id}"), "CALL")
}

/// Where it stands when far ends of a shop were last in contact.
pub(crate) fn seen_pk(shop: &ShopId) -> String {
    format!("SEEN#{shop}")
}

pub(crate) fn shop_pk(shop: &ShopId) -> String {
    format!("SHOP#{shop}")
}

/// Nanoseconds since 1970 in 21 digits: sorts as text like the time itself, and gives it back exactly.
pub(crate) fn time_text(at: Timestamp) -> String {
    format!("{:021}", at.as_nanosecond().max(0))
}

pub(crate) fn text_time(text: &str) -> Option<Timestamp> {
    (text.len() == 21).then(|| text.parse().ok().and_then(|n| Timestamp::from_nanosecond(n).ok())).flatten()
}

/// Partition of the listing of a shop's stage.
pub(crate) fn listing_pk(shop: &ShopId, filter: &OrderFilter) -> String {
    match filter {
        OrderFilter::Stage(stage) => format!("{shop}#{stage}"),
        OrderFilter::Untriaged => format!("{shop}#untriaged"),
    }
}

/// Place in the listing: by entry, then by order.
pub(crate) fn listing_sk(entered_at: Timestamp, order: &OrderId) -> String {
    format!("{}#{order}", time_text(entered_at))
}

pub(crate) fn parse_listing_sk(text: &str) -> Option<(Timestamp, OrderId)> {
    let (at, order) = text.split_once('#')?;
    Some((text_time(at)?, OrderId::parse(order).ok()?))
}

/// Partition of the due index for an item that is found under `pk`.
pub(crate) fn due_pk(pk: &str) -> String {
    // FNV-1a: the same shard for ever, whatever the standard library hashes with.
    let hash =
        pk.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    due_shard((hash % u32::from(DUE_SHARDS)) as u8)
}

pub(crate) fn job(shop: &ShopId, job: &JobId) -> Key {
    Key::new(shop_pk(shop), format!("{JOBS}{job}"))
}

pub(crate) fn governor(shop: &ShopId) -> Key {
    Key::new(shop_pk(shop), "GOVERNOR")
}

/// A window's count of mails. In a partition of its own: it is written with every mail.
pub(crate) fn mails(shop: &ShopId, window: i64) -> Key {
    Key::new(format!("MAILS#{shop}"), format!("W#{window:012}"))
}

/// In a partition of its own: a list that only grows, of which every mail reads one item.
pub(crate) fn suppressions_pk(shop: &ShopId) -> String {
    format!("SUPPRESSED#{shop}")
}

pub(crate) fn suppression(shop: &ShopId, id: &SuppressionId) -> Key {
    Key::new(suppressions_pk(shop), format!("{SUPPRESSED}{id}"))
}

/// Where a sender's line ends.
pub(crate) fn line(sender: &str) -> Key {
    Key::new(format!("LINE#{sender}"), "LINE")
}

/// What became of a week's mails, beside the counts of the windows.
pub(crate) fn tally(shop: &ShopId, week: i64) -> Key {
    Key::new(format!("MAILS#{shop}"), format!("T#{week:012}"))
}

/// Where a person's requests for links stand. Not with their memberships: whoever mails links writes here, and must
/// not be able to make anybody a member.
fn asked_pk(person: &PersonId) -> String {
    format!("ASKED#{person}")
}

/// A mail that was asked for, beside who asked.
pub(crate) fn asked_mail(asker: &Asker, id: &MailId) -> Key {
    let pk = match asker {
        Asker::Shop(shop) => shop_pk(shop),
        Asker::Person(person) => asked_pk(person),
    };
    Key::new(pk, format!("{ASKED_MAILS}{id}"))
}

/// How many such mails an hour had.
pub(crate) fn hourly(what: Hourly<'_>, hour: i64) -> Key {
    match what {
        Hourly::Trials(shop) => Key::new(format!("MAILS#{shop}"), format!("H#{hour:012}")),
        Hourly::Invitations(shop) => Key::new(format!("MAILS#{shop}"), format!("I#{hour:012}")),
        Hourly::Links(person) => Key::new(asked_pk(person), format!("H#{hour:012}")),
    }
}

/// A link that signs somebody in.
pub(crate) fn link(hash: &str) -> Key {
    Key::new(format!("SIGNIN#{hash}"), "SIGNIN")
}

/// Where a person's memberships are found, one in each shop.
pub(crate) fn person_pk(person: &PersonId) -> String {
    format!("PERSON#{person}")
}

pub(crate) fn membership(person: &PersonId, shop: &ShopId) -> Key {
    Key::new(person_pk(person), format!("{MEMBERSHIPS}{shop}"))
}

/// Partition of the due index for what people of a shop should look at.
pub(crate) fn attention_pk(shop: &ShopId) -> String {
    format!("ATTN#{shop}")
}

const DUE: &str = "DUE#";

pub(crate) fn due_shard(shard: u8) -> String {
    format!("{DUE}{shard}")
}

/// Whether it is a shard of the due index, and not another use of the index.
pub(crate) fn is_due_pk(pk: &str) -> bool {
    pk.starts_with(DUE)
}

/// A cursor's text.
pub(crate) fn cursor(inner: &str) -> String {
    URL_SAFE_NO_PAD.encode(inner)
}

/// What a cursor says; it came from outside.
pub(crate) fn parse_cursor<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
    let inner = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    inner.and_then(|inner| parse(&inner)).ok_or_else(|| StoreError::Corrupt {
        item: "cursor".to_owned(),
        reason: "not one of ours".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn times_sort_as_text_and_come_back(a in 0_i128..253_402_207_200_000_000_000, b in 0_i128..253_402_207_200_000_000_000) {
            let (a, b) = (Timestamp::from_nanosecond(a).unwrap(), Timestamp::from_nanosecond(b).unwrap());
            prop_assert_eq!(time_text(a).cmp(&time_text(b)), a.cmp(&b));
            prop_assert_eq!(text_time(&time_text(a)), Some(a));
        }
    }

    #[test]
    fn orders_spread_over_all_shards_of_the_due_index() {
        let shop = ShopId::parse("shop_a").unwrap();
        let shards: std::collections::BTreeSet<String> =
            (0..64).map(|n| due_pk(&order_pk(&OrderId::derive(&shop, "api", "", &n.to_string())))).collect();
        assert_eq!(shards.len(), usize::from(DUE_SHARDS));
    }
}
