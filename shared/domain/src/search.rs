//! Search: the entries under which an order is found, and what a query asks for.
//!
//! An entry is a term (an order's number, a word of its customer's name, a keyed hash of their e-mail address),
//! then the order's age, newest first, then its id. Both sides fold case and accents in the same way. The
//! address itself is in no entry: without the deployment's key nobody can even try addresses out.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::id::{InvalidId, OrderId, PersonId, ShopId};
use crate::order::{Customer, Order};

/// Longest query, in bytes.
pub const QUERY_MAX: usize = 254;
/// Words of a name that an order is found by, and words of a query that are looked at.
const WORDS_MAX: usize = 8;
/// Letters kept of a word or number.
const LETTERS_MAX: usize = 40;
/// Digits of the age.
const AGE_DIGITS: usize = 12;

/// The key of e-mail hashes: hangs on the deployment's, and is another than any of its other uses.
#[derive(Clone)]
pub struct SearchKey([u8; 32]);

impl SearchKey {
    /// The one of a deployment.
    #[must_use]
    pub fn of_deployment(key: &[u8; 32]) -> Self {
        Self(mac(key, &[b"search"]))
    }

    /// 128 bits of the address's mac. A shop's hashes are of no use in another.
    #[must_use]
    pub fn address(&self, shop: &ShopId, address: &str) -> String {
        let plain = address.trim().to_lowercase();
        let tag = mac(&self.0, &[shop.as_str().as_bytes(), b"/", plain.as_bytes()]);
        tag.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whose an address is, the same in every shop: somebody who signs in says no shop.
    ///
    /// # Errors
    /// Never in truth: a hash is letters and digits.
    pub fn person(&self, address: &str) -> Result<PersonId, InvalidId> {
        let plain = address.trim().to_lowercase();
        // No shop's id begins like this, so this is nobody's hash in a shop.
        let tag = mac(&self.0, &[b"person/", plain.as_bytes()]);
        PersonId::from_body(&tag.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let tag = Hmac::<Sha256>::new_from_slice(key).map(|mut mac| {
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    });
    // HMAC takes keys of every length.
    tag.unwrap_or_default()
}

/// One key under which an order is found; as text it sorts in the order of hits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entry(String);

impl Entry {
    fn new(term: &str, order: &Order) -> Self {
        // The newest has the smallest age: what is between it and the end of the year 9999.
        let age = Timestamp::MAX.as_second().saturating_sub(order.created_at.as_second()).max(0);
        Self(format!("{term}#{age:0AGE_DIGITS$}#{}", order.id))
    }

    /// As stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what [`Entry::as_str`] gave.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let entry = Self(text.to_owned());
        entry.order().map(|_| entry)
    }

    /// Whose it is.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        let (_, order) = self.0.rsplit_once('#')?;
        OrderId::parse(order).ok()
    }
}

/// All entries of an order as it is now: at most 11.
#[must_use]
pub fn entries(order: &Order, customer: &Customer, key: &SearchKey) -> BTreeSet<Entry> {
    let words = customer.name.as_deref().map(words).unwrap_or_default();
    let names = words.iter().map(|word| name_term(word));
    let address = customer.email.iter().map(|email| address_term(&order.shop, email, key));
    names.chain(address).map(|term| Entry::new(&term, order)).chain(number_entries(order)).collect()
}

/// Those of its number alone: all that is left of an order without people.
pub fn number_entries(order: &Order) -> impl Iterator<Item = Entry> {
    numbers(&order.number).into_iter().map(|number| Entry::new(&number_term(number), order))
}

fn number_term(number: impl AsRef<str>) -> String {
    format!("N#{}", number.as_ref())
}

fn name_term(word: &str) -> String {
    format!("W#{word}")
}

fn address_term(shop: &ShopId, address: &str, key: &SearchKey) -> String {
    format!("M#{}", key.address(shop, address))
}

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Every hit's entry begins with it.
    prefix: String,
    /// Words that the customer's name must have the beginnings of, beside the one looked for.
    rest: Vec<String>,
}

impl Query {
    /// Takes an address (has an `@`) for an address, what has a digit or begins with `#` for a number, anything
    /// else for words of a name; `None` if nothing is left to look for.
    #[must_use]
    pub fn parse(text: &str, shop: &ShopId, key: &SearchKey) -> Option<Self> {
        let text = text.trim();
        if text.contains('@') {
            // To its end: a hash has no beginning that means anything.
            return Some(Self { prefix: format!("{}#", address_term(shop, text, key)), rest: Vec::new() });
        }
        if text.starts_with('#') || text.chars().any(char::is_numeric) {
            let number = letters(text);
            return (!number.is_empty()).then(|| Self { prefix: number_term(number), rest: Vec::new() });
        }
        // The longest word leads to the fewest.
        let mut rest = words(text);
        let longest = rest.iter().enumerate().max_by_key(|(_, word)| word.len()).map(|(at, _)| at)?;
        let word = rest.remove(longest);
        Some(Self { prefix: name_term(&word), rest })
    }

    /// What the keys of all hits begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the order is a hit under this entry: it is (an index may be behind), and under no earlier one, so
    /// that an order found twice is shown once.
    #[must_use]
    pub fn is_hit(&self, entry: &Entry, order: &Order, customer: &Customer, key: &SearchKey) -> bool {
        let fit = entries(order, customer, key);
        let first = fit.iter().find(|entry| entry.0.starts_with(&self.prefix));
        let name = customer.name.as_deref().map(words).unwrap_or_default();
        let begins = |wanted: &String| name.iter().any(|word| word.starts_with(wanted));
        first == Some(entry) && self.rest.iter().all(begins)
    }
}

/// A number whole, and from its first digit on: people leave a shop's prefix out.
fn numbers(number: &str) -> BTreeSet<String> {
    let whole = letters(number);
    let digits: String = whole.chars().skip_while(|c| !c.is_numeric()).collect();
    [whole, digits].into_iter().filter(|number| !number.is_empty()).collect()
}

/// Letters and digits only, folded and bounded.
fn letters(text: &str) -> String {
    fold(text).filter(|c| c.is_alphanumeric()).take(LETTERS_MAX).collect()
}

/// The different words of a text, bounded. An apostrophe divides nothing.
fn words(text: &str) -> Vec<String> {
    let joined: String = text.chars().filter(|c| !"'’ʼ`´".contains(*c)).collect();
    let mut words: Vec<String> = Vec::new();
    for word in joined.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c)) {
        let word = letters(word);
        if !word.is_empty() && !words.contains(&word) && words.len() < WORDS_MAX {
            words.push(word);
        }
    }
    words
}

/// Without accents and in one case. What Unicode does not take apart is written out as people type it.
fn fold(text: &str) -> impl Iterator<Item = char> + '_ {
    let bare = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    bare.flat_map(|c| {
        let plain = match c {
            'ß' => ['s', 's'],
            'æ' => ['a', 'e'],
            'œ' => ['o', 'e'],
            'þ' => ['t', 'h'],
            'ø' => ['o', '\0'],
            'ł' => ['l', '\0'],
            'đ' | 'ð' => ['d', '\0'],
            'ı' => ['i', '\0'],
            'ħ' => ['h', '\0'],
            // Some letters come with a mark when their case changes.
            c if is_combining_mark(c) => ['\0', '\0'],
            c => [c, '\0'],
        };
        plain.into_iter().filter(|c| *c != '\0')
    })
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::fulfillment::Fulfillment;
    use crate::order::{Lifecycle, Placement, Platform, Source};
    use crate::package::Rollup;

    fn shop() -> ShopId {
        ShopId::parse("shop_a").unwrap()
    }

    fn key() -> SearchKey {
        SearchKey::of_deployment(&[7; 32])
    }

    fn order(number: &str, created: i64) -> Order {
        let source = Source {
            platform: Platform::Api,
            store: "api".into(),
            external_id: format!("{number}{created}"),
            channel: None,
        };
        Order {
            id: source.order_id(&shop()),
            shop: shop(),
            source,
            number: number.to_owned(),
            seq: 1,
            version: 1,
            placement: Placement::Untriaged,
            lifecycle: Lifecycle::Open,
            lifecycle_seq: 0,
            mark: None,
            created_at: Timestamp::from_second(created).unwrap(),
            fulfillment: Fulfillment::default(),
            packages: Rollup::default(),
            hold: None,
            links: 0,
            has_email: false,
            last_mail: None,
            erased: None,
        }
    }

    fn customer(name: &str, email: &str) -> Customer {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Customer { name: some(name), email: some(email), phone: None }
    }

    /// Whether the query finds the order, as a store would.
    fn finds(query: &str, order: &Order, customer: &Customer) -> bool {
        let Some(query) = Query::parse(query, &shop(), &key()) else { return false };
        let all = entries(order, customer, &key());
        let found: Vec<_> = all.iter().filter(|e| e.as_str().starts_with(query.prefix())).collect();
        let hits = found.iter().filter(|e| query.is_hit(e, order, customer, &key())).count();
        assert!(hits <= 1, "shown twice");
        hits == 1
    }

    #[test]
    fn an_order_is_found_by_its_number_as_people_type_it() {
        let nobody = customer("", "");
        let cases: [(&str, &[&str], &[&str]); 4] = [
            ("#1001", &["#1001", "1001", "100", " 1001 ", "#1", "1-0-0-1"], &["001", "1002", "10011", "#"]),
            ("EN-1001-A", &["EN-1001", "en1001a", "1001", "1001-a", "#en"], &["001", "a1001"]),
            ("№ ４２", &["42", "#42", "no42"], &["24"]),
            ("#", &[], &["#", "1"]),
        ];
        for (number, found, missed) in cases {
            let order = order(number, 0);
            for query in found {
                assert!(finds(query, &order, &nobody), "{query} does not find {number}");
            }
            for query in missed {
                assert!(!finds(query, &order, &nobody), "{query} finds {number}");
            }
        }
    }

    #[test]
    fn an_order_is_found_by_beginnings_of_every_word_of_the_name() {
        let order = order("#1", 0);
        let cases: [(&str, &[&str], &[&str]); 7] = [
            (
                "Ada Lovelace",
                &["ada", "LOVE", "lovelace ada", "ad lo", "a"],
                &["dal", "ada byron", "lovelaces"],
            ),
            ("José Ñúñez", &["jose nunez", "JOSÉ", "Nun"], &["juan"]),
            ("Łukasz Größe", &["lukasz", "grosse", "GRÖSSE", "große"], &["gruse"]),
            ("Siobhán O’Brien-Øst", &["obrien", "O'Brien", "ost", "o'brien-ost"], &["brien"]),
            ("İpek Işık", &["ipek", "isik", "IŞIK"], &[]),
            ("王小明", &["王", "王小明"], &["小明"]),
            ("Anna Andersson", &["an", "ann", "an an"], &["anb"]),
        ];
        for (name, found, missed) in cases {
            let customer = customer(name, "");
            for query in found {
                assert!(finds(query, &order, &customer), "{query} does not find {name}");
            }
            for query in missed {
                assert!(!finds(query, &order, &customer), "{query} finds {name}");
            }
        }
    }

    #[test]
    fn an_address_is_found_whole_and_is_in_no_entry() {
        let (order, customer) = (order("#1", 0), customer("Ada", "Ada.L@Example.com"));
        for query in ["ada.l@example.com", " ADA.L@EXAMPLE.COM"] {
            assert!(finds(query, &order, &customer), "{query}");
        }
        for query in ["ada.l@example.co", "ada.l@", "@example.com", "ada@example.com"] {
            assert!(!finds(query, &order, &customer), "{query}");
        }
        let all = entries(&order, &customer, &key());
        assert!(all.iter().all(|e| !e.as_str().contains("example")), "{all:?}");
        let mails = |entries: BTreeSet<Entry>| {
            entries.into_iter().filter(|e| e.0.starts_with("M#")).collect::<Vec<_>>()
        };
        let other_key = entries(&order, &customer, &SearchKey::of_deployment(&[8; 32]));
        assert_ne!(mails(all.clone()), mails(other_key), "without the key nobody can try addresses out");
        let moved = Order { shop: ShopId::parse("shop_b").unwrap(), ..order.clone() };
        assert_ne!(mails(all), mails(entries(&moved, &customer, &key())), "a shop's hashes are its own");
    }

    #[test]
    fn hits_sort_by_their_term_then_the_newest_first() {
        let at = |created| entries(&order("#1", created), &customer("Ada", ""), &key());
        let first = |created| at(created).into_iter().find(|e| e.0.starts_with("W#")).unwrap();
        let mut sorted = vec![first(5), first(9), first(0), first(-5)];
        sorted.sort();
        assert_eq!(sorted, [first(9), first(5), first(0), first(-5)]);
        let exact = entries(&order("#1", 0), &customer("Ann", ""), &key());
        let longer = entries(&order("#1", 9), &customer("Anna", ""), &key());
        assert!(exact.last() < longer.last(), "the whole word before its continuations");
    }

    #[test]
    fn what_an_order_is_found_by_is_bounded() {
        let name = (0..100).map(|n| format!("{}{n}", "ǅ".repeat(60))).collect::<Vec<_>>().join(" ");
        let all = entries(&order(&"9".repeat(250), 0), &customer(&name, "a@b.c"), &key());
        assert!(all.len() <= 11, "{}", all.len());
        assert!(all.iter().all(|e| e.as_str().len() < 300), "{all:?}");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_whole_is_found(number in "\\PC{0,40}", name in "\\PC{0,60}", query in "\\PC{0,60}") {
            let (order, customer) = (order(&number, 0), customer(&name, ""));
            finds(&query, &order, &customer);
            for entry in entries(&order, &customer, &key()) {
                prop_assert_eq!(entry.order(), Some(order.id.clone()));
                prop_assert_eq!(Entry::parse(entry.as_str()), Some(entry.clone()));
                prop_assert!(entry.as_str().matches('#').count() == 3, "{:?}", entry);
            }
            for word in words(&name) {
                let numeric = word.chars().any(char::is_numeric);
                prop_assert!(numeric || finds(&word, &order, &customer), "{} does not find {}", word, name);
            }
        }
    }
}
