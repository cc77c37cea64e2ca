//! An account at EasyPost: trackers made and read over its API, and the signed reports that follow
//! (integrations §5.1).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use stagepost_app::ports::Clock;

use crate::desk::{Desk, Platform};
use crate::easypost::{EasyPost, Scan, tracker_id};
use crate::lock;
use crate::server::{Answer, Handler, Request, Server};

/// An account at EasyPost on loopback. It reports a parcel once somebody has made a tracker of it, and not
/// before. Clones are the same account; the last one closes its port.
#[derive(Clone)]
pub struct EasyPostAccount {
    inner: Arc<Inner>,
    server: Arc<Server>,
}

struct Inner {
    key: String,
    signer: EasyPost,
    desk: Desk,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parcels: BTreeMap<String, Parcel>,
    refused: BTreeSet<String>,
    trackers: u64,
}

#[derive(Default)]
struct Parcel {
    scans: Vec<Scan>,
    /// Its tracker and since when it is there.
    tracker: Option<(String, Timestamp)>,
}

impl Platform for EasyPostAccount {
    fn desk(&self) -> &Desk {
        &self.inner.desk
    }
}

impl EasyPostAccount {
    /// Opens an account. Calls need `key`; reports are signed with `secret`. Parcels go by UPS.
    ///
    /// # Errors
    /// No loopback port is free.
    pub async fn start(key: &str, secret: &str, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::start_on(0, key, secret, clock).await
    }

    /// The same on this port; 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start_on(port: u16, key: &str, secret: &str, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            key: key.to_owned(),
            signer: EasyPost::new(secret),
            desk: Desk::new(clock),
            state: Mutex::default(),
        });
        let server = Arc::new(Server::start_on(port, Arc::clone(&inner)).await?);
        Ok(Self { inner, server })
    }

    /// Its address, in the place of `https://api.easypost.com`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The carrier scans a parcel now (EasyPost's words: `in_transit`, `delivered`, …). Told by
    /// `tracker.updated` if the parcel has a tracker.
    pub fn scan(&self, code: &str, status: &str) {
        self.scanned(code, status, true);
    }

    /// The same, but EasyPost's report of it is lost.
    pub fn scan_unreported(&self, code: &str, status: &str) {
        self.scanned(code, status, false);
    }

    fn scanned(&self, code: &str, status: &str, reported: bool) {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let parcel = state.parcels.entry(code.to_owned()).or_default();
        parcel.scans.push(Scan::new(status, at));
        if let Some(tracker) = self.inner.shown(code, parcel).filter(|_| reported) {
            self.inner.desk.outbox.send(self.inner.signer.tell("tracker.updated", at, &tracker));
        }
    }

    /// From now on this number is one that EasyPost cannot make a tracker of.
    pub fn refuse(&self, code: &str) {
        lock(&self.inner.state).refused.insert(code.to_owned());
    }

    /// From now on it can.
    pub fn accept(&self, code: &str) {
        lock(&self.inner.state).refused.remove(code);
    }

    /// The numbers that have a tracker.
    #[must_use]
    pub fn tracked(&self) -> Vec<String> {
        let state = lock(&self.inner.state);
        state.parcels.iter().filter(|(_, p)| p.tracker.is_some()).map(|(code, _)| code.clone()).collect()
    }
}

impl Handler for Inner {
    async fn handle(&self, request: Request) -> Option<Answer> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let code = body.pointer("/tracker/tracking_code").and_then(Value::as_str).map(str::to_owned);
        let writes = request.method == Method::POST;
        let what = format!(
            "{} {}",
            request.method,
            if request.path == "/v2/trackers" { "trackers" } else { "tracker" }
        );
        if let Some(refused) = self.desk.refused(writes) {
            return self.desk.answer(&what, code, false, refused).await;
        }
        if self.desk.throttled() {
            let mut refused = error(429, "RATE_LIMITED", "You have exceeded your rate limit.");
            refused.headers.push(("retry-after", "60".to_owned()));
            return self.desk.answer(&what, code, false, refused).await;
        }
        let answer = self.act(&request, &body);
        self.desk.answer(&what, code, writes, answer).await
    }
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "error": { "code": code, "message": message, "errors": [] } });
    Answer::json(status, body.to_string().into_bytes())
}

impl Inner {
    fn act(&self, request: &Request, body: &Value) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:", self.key)));
        if request.header("authorization") != Some(basic.as_str()) {
            return error(401, "APIKEY.INACTIVE", "This api key is no longer active.");
        }
        match (request.method.clone(), request.path.strip_prefix("/v2/trackers")) {
            (Method::POST, Some("")) => self.make(body),
            (Method::GET, Some("")) => Answer::json(200, json!({ "trackers": [] }).to_string().into_bytes()),
            (Method::GET, Some(id)) => self.find(id.trim_start_matches('/')),
            _ => error(404, "NOT_FOUND", "The requested resource could not be found."),
        }
    }

    /// The same number again is the same tracker, not another one.
    fn make(&self, body: &Value) -> Answer {
        let Some(code) =
            body.pointer("/tracker/tracking_code").and_then(Value::as_str).filter(|code| !code.is_empty())
        else {
            return error(422, "TRACKER.INVALID_PARAMS", "tracking_code is required.");
        };
        let mut state = lock(&self.state);
        if state.refused.contains(code) {
            return error(422, "TRACKER.NO_CARRIER_FOR_CODE", "No carrier could be found for the code.");
        }
        let id = tracker_id(state.trackers + 1);
        let at = self.desk.tick();
        let parcel = state.parcels.entry(code.to_owned()).or_default();
        let new = parcel.tracker.is_none();
        parcel.tracker.get_or_insert((id, at));
        let shown = self.shown(code, parcel).unwrap_or_default();
        if new {
            state.trackers += 1;
            self.desk.outbox.send(self.signer.tell("tracker.created", at, &shown));
        }
        Answer::json(if new { 201 } else { 200 }, shown.to_string().into_bytes())
    }

    fn find(&self, id: &str) -> Answer {
        let state = lock(&self.state);
        let is_it = |p: &Parcel| p.tracker.as_ref().is_some_and(|(there, _)| there == id);
        let found = state.parcels.iter().find(|(_, parcel)| is_it(parcel));
        match found.and_then(|(code, parcel)| self.shown(code, parcel)) {
            Some(tracker) => Answer::json(200, tracker.to_string().into_bytes()),
            None => error(404, "TRACKER.NOT_FOUND", "The requested tracker could not be found."),
        }
    }

    fn shown(&self, code: &str, parcel: &Parcel) -> Option<Value> {
        let (id, created) = parcel.tracker.as_ref()?;
        Some(self.signer.tracker(id, code, *created, &parcel.scans))
    }
}

#[cfg(test)]
mod tests {
    use stagepost_app::ports::{ActError, CarrierAccess, TrackerService};
    use stagepost_carriers::{EasyPostBase, EasyPostClient};
    use stagepost_domain::disposition::Disposition;
    use stagepost_domain::id::{CarrierId, ShopId};
    use stagepost_domain::keyring::Keyring;
    use stagepost_domain::package::{PackageSeen, TrackingStatus};
    use stagepost_domain::shop::{CarrierIntegration, CarrierKind, Sealed};
    use stagepost_outbound_http::{Guard, OutboundHttp};

    use super::*;
    use crate::testing::ManualClock;

    fn parcel(code: &str) -> PackageSeen {
        PackageSeen::parse(Some(code), None, Some("UPS")).unwrap()
    }

    fn access(key: &str) -> CarrierAccess {
        let carrier = CarrierIntegration {
            id: CarrierId::parse("car_a").unwrap(),
            shop: ShopId::parse("shop_a").unwrap(),
            kind: CarrierKind::Easypost,
            name: "Parcels".to_owned(),
            webhook_secrets: Keyring::new(Sealed(String::new())),
            credentials: None,
            version: 1,
        };
        CarrierAccess { carrier, credentials: key.to_owned() }
    }

    async fn opened() -> (EasyPostAccount, EasyPostClient<OutboundHttp>) {
        let clock = Arc::new(ManualClock::new("2026-11-20T17:00:00Z".parse().unwrap()));
        let account = EasyPostAccount::start("EZAK1", "s", clock).await.unwrap();
        let base = EasyPostBase::Override(account.url().parse().unwrap());
        (account, EasyPostClient::new(OutboundHttp::new(Guard::LoopbackAllowed).unwrap(), base))
    }

    #[tokio::test]
    async fn a_tracker_is_made_once_and_reported_from_then_on() {
        let (account, client) = opened().await;
        account.scan("1Z1", "in_transit");
        assert!(account.take_outbox().is_empty(), "nobody asked for it");
        let made = client.register(&access("EZAK1"), &parcel("1Z1")).await.unwrap();
        assert_eq!(made.fact.as_ref().map(|f| f.status), Some(TrackingStatus::InTransit));
        let again = client.register(&access("EZAK1"), &parcel("1Z1")).await.unwrap();
        assert_eq!((made.id.clone(), account.tracked()), (again.id, vec!["1Z1".to_owned()]));
        account.scan("1Z1", "delivered");
        let told: Vec<String> = account.take_outbox().into_iter().map(|n| n.topic).collect();
        assert_eq!(told, ["tracker.created", "tracker.updated"]);
        let found = client.fetch(&access("EZAK1"), &made.id).await.unwrap();
        assert_eq!(found.fact.map(|f| f.status), Some(TrackingStatus::Delivered));
    }

    #[tokio::test]
    async fn it_refuses_as_the_real_one_does() {
        let (account, client) = opened().await;
        account.refuse("1Z2");
        let said = |made: Result<_, ActError>| made.err().map(|e| (e.disposition, e.message)).unwrap();
        let (disposition, words) = said(client.register(&access("EZAK1"), &parcel("1Z2")).await);
        assert_eq!(disposition, Disposition::Permanent);
        assert!(words.contains("TRACKER.NO_CARRIER_FOR_CODE"), "{words}");
        let (_, words) = said(client.register(&access("EZAK2"), &parcel("1Z1")).await);
        assert!(words.contains("refuses the API key"), "{words}");
        let (_, words) = said(client.fetch(&access("EZAK1"), "trk_1").await);
        assert!(words.contains("no such tracker"), "{words}");
        account.throttle_next(1);
        let (disposition, _) = said(client.register(&access("EZAK1"), &parcel("1Z1")).await);
        assert!(matches!(disposition, Disposition::Retry { after: Some(after) } if after.as_secs() == 60));
        account.drop_answers(1);
        let (disposition, _) = said(client.register(&access("EZAK1"), &parcel("1Z1")).await);
        assert_eq!((disposition, account.tracked().len()), (Disposition::Ambiguous, 1));
    }
}
