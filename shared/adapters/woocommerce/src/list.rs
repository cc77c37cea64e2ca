//! Orders that changed since, over REST v3 (live notes 51 and 52).
//!
//! Pages by number would slip: an order that changes meanwhile goes to the end, and the one behind it moves
//! into a page that has been read. So each page begins anew behind the newest change of the page before, and
//! pages by number are only turned within one second, which is how finely the store tells times.

use serde_json::Value;
use stagepost_app::ports::{ActError, ChannelAccess, ListedOrder, OrderPage, OrderSource, PlatformHttp};
use stagepost_domain::shop::Channel;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::client::WooClient;
use crate::door::{Door, Way};
use crate::order::Order;
use crate::problem::{Wish, ok, problem};
use crate::read::read;

/// Orders of one page: with 100 lines each they still fit into one answer.
const PER_PAGE: usize = 20;
/// Pages of orders that changed in one and the same second: an import may touch thousands at once.
const PAGES_MAX: u32 = 500;
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// The topic under which a listed order is read: the REST answer has the notification's shape (live notes §1).
const TOPIC: &str = "order.updated";

/// Where to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    after: Timestamp,
    page: u32,
}

impl Place {
    fn parse(cursor: &str) -> Option<Self> {
        let (page, after) = cursor.split_once('|')?;
        Some(Self { after: after.parse().ok()?, page: page.parse().ok()? })
    }

    fn text(self) -> String {
        format!("{}|{}", self.page, self.after)
    }

    /// Behind a full page whose newest change was then; `None` when no order can be told from the next.
    fn next(self, newest: Option<Timestamp>) -> Option<Self> {
        // `modified_after` leaves its own second out: one second earlier takes it in again.
        let after = newest.and_then(|at| at.checked_sub(SECOND).ok()).filter(|at| *at > self.after);
        match after {
            Some(after) => Some(Self { after, page: 1 }),
            None => (self.page < PAGES_MAX).then(|| Self { page: self.page.saturating_add(1), ..self }),
        }
    }
}

impl<H: PlatformHttp> OrderSource for WooClient<H> {
    async fn changed(
        &self,
        access: &ChannelAccess,
        since: Timestamp,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<OrderPage, ActError> {
        let first = Place { after: since, page: 1 };
        let place = cursor.and_then(Place::parse).unwrap_or(first);
        let door = Door::open(self.http(), access, Way::default())?;
        let answer = door.read("wc/v3/orders", &query(place)).await?;
        if !ok(&answer) {
            return Err(problem(Wish::Read, &answer));
        }
        let Ok(Value::Array(items)) = serde_json::from_slice(&answer.body) else {
            return Err(ActError::retry("the store did not answer with a list of orders"));
        };
        let full = items.len() >= PER_PAGE;
        let newest = items.iter().filter_map(|item| Order::parse(item)?.modified_at()).max();
        let orders = items.iter().map(|item| listed(&access.channel, item, now)).collect();
        let next = if full { place.next(newest) } else { None };
        Ok(OrderPage { orders, newest, next: next.map(Place::text) })
    }

    /// Reads one order. Whether the key may write shows at the first write: asking would be one.
    async fn probe(&self, access: &ChannelAccess) -> Result<(), ActError> {
        let door = Door::open(self.http(), access, Way::default())?;
        let answer = door.read("wc/v3/orders", &[("per_page", "1".to_owned())]).await?;
        if !ok(&answer) {
            return Err(problem(Wish::Read, &answer));
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Array(_)) => Ok(()),
            _ => Err(ActError::permanent(
                "the store's address answers, but not as WooCommerce's REST API: check the address, and whether \
                 a plugin or firewall keeps its REST API from others",
            )),
        }
    }
}

fn listed(channel: &Channel, item: &Value, now: Timestamp) -> ListedOrder {
    let raw = item.to_string().into_bytes();
    let reading = read(TOPIC, channel, &raw, now);
    ListedOrder { reading, raw, topic: TOPIC }
}

fn query(place: Place) -> [(&'static str, String); 6] {
    [
        // With its zone: without one the store would take it for its own local time (live notes 52).
        ("modified_after", place.after.to_string()),
        ("dates_are_gmt", "true".to_owned()),
        ("orderby", "modified".to_owned()),
        ("order", "asc".to_owned()),
        ("per_page", PER_PAGE.to_string()),
        ("page", place.page.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use stagepost_app::inbound::Reading;
    use stagepost_app::ports::{ApiAnswer, ApiCall};
    use stagepost_domain::disposition::Disposition;
    use stagepost_domain::fact::Fact;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn pages_go_on_behind_the_newest_change_and_by_number_only_within_one_second() {
        let first = Place { after: at(0), page: 1 };
        let second = first.next(Some(at(50))).unwrap();
        assert_eq!(second, Place { after: at(49), page: 1 }, "the second of the newest comes again");
        let same = second.next(Some(at(50))).unwrap();
        assert_eq!(same, Place { after: at(49), page: 2 }, "all of the page changed in one second");
        assert_eq!(same.next(Some(at(51))).unwrap(), Place { after: at(50), page: 1 });
        assert_eq!(Place { after: at(0), page: PAGES_MAX }.next(None), None, "and not for ever");
    }

    /// Answers one call.
    struct Answers(u16, &'static str);

    impl PlatformHttp for Answers {
        async fn call(&self, call: ApiCall) -> Result<ApiAnswer, ActError> {
            assert_eq!((call.method, call.body), ("GET", None), "a probe changes nothing");
            let (status, body) = (self.0, self.1.as_bytes().to_vec());
            Ok(ApiAnswer { status, retry_after: None, took: SignedDuration::ZERO, date: None, body })
        }
    }

    #[tokio::test]
    async fn a_key_is_tried_out_by_a_read_and_an_answer_that_is_not_woocommerces_says_so() {
        let access = ChannelAccess { channel: channel(), credentials: "ck_a:cs_b".to_owned() };
        let told = async |status, body| {
            let probed = WooClient::new(Answers(status, body)).probe(&access).await;
            probed.map_err(|error| (error.disposition == Disposition::Permanent, error.message))
        };
        assert_eq!(told(200, "[]").await, Ok(()));
        for (status, body, forever, words) in [
            (401, "{\"code\":\"woocommerce_rest_cannot_view\"}", true, "does not know the API key"),
            (401, "{\"code\":\"woocommerce_rest_authentication_error\"}", true, "its secret is wrong"),
            (200, "<html>Welcome</html>", true, "not as WooCommerce's REST API"),
            (301, "", true, "redirect"),
            (503, "", false, "try again later"),
        ] {
            let (permanent, message) = told(status, body).await.unwrap_err();
            assert!(permanent == forever && message.contains(words), "{status} {body}: {message}");
        }
    }

    fn channel() -> Channel {
        serde_json::from_value(serde_json::json!({
            "id": "chan_a", "shop": "shop_a", "platform": "woocommerce", "name": "A",
            "store": "https://shop.example", "armed_at": "2026-01-01T00:00:00Z", "webhook_secrets": ["sealed"],
            "version": 1,
        }))
        .unwrap()
    }

    #[test]
    fn a_cursor_is_read_back_and_anything_else_is_none() {
        let place = Place { after: at(7), page: 3 };
        assert_eq!(Place::parse(&place.text()), Some(place));
        for odd in ["", "3", "x|2026-11-25T00:00:00Z", "1|yesterday"] {
            assert_eq!(Place::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_time_goes_with_its_zone() {
        let pairs = query(Place { after: at(0), page: 2 });
        let told: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = "modified_after=2027-01-15T08:00:00Z&dates_are_gmt=true&orderby=modified&order=asc\
                        &per_page=20&page=2";
        assert_eq!(told.join("&"), expected);
    }

    #[test]
    fn a_listed_order_is_read_as_a_notification_of_it() {
        let channel = channel();
        let item = serde_json::json!({
            "id": 79, "number": "79", "status": "processing", "date_created_gmt": "2026-02-01T00:00:00",
            "date_modified_gmt": "2026-02-02T00:00:00", "line_items": [],
        });
        let order = listed(&channel, &item, at(0));
        let Reading::Fact { source, fact: Fact::Order(fact) } = order.reading else { panic!("{order:?}") };
        assert_eq!((source.external_id.as_str(), fact.number.as_str()), ("79", "79"));
        let odd = listed(&channel, &serde_json::json!({"code": "x"}), at(0));
        assert!(matches!(odd.reading, Reading::Unreadable { .. }), "{odd:?}");
    }
}
