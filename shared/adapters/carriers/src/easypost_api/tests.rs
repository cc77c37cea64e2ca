use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use stagepost_domain::SignedDuration;
use stagepost_domain::id::{CarrierId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::package::TrackingStatus;
use stagepost_domain::shop::{CarrierIntegration, CarrierKind, Sealed};

use super::*;

/// Method with address, and body.
type Asked = (String, Option<Value>);

/// Answers in turn, and keeps what was asked.
#[derive(Clone, Default)]
struct Wire {
    answers: Arc<Mutex<Vec<Result<ApiAnswer, ActError>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    authorized: Arc<Mutex<Vec<String>>>,
}

impl PlatformHttp for Wire {
    async fn call(&self, call: ApiCall) -> Result<ApiAnswer, ActError> {
        let body = call.body.map(|b| serde_json::from_slice(&b).unwrap());
        self.asked.lock().unwrap().push((format!("{} {}", call.method, call.url), body));
        let key = call.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        self.authorized.lock().unwrap().push(key.1.clone());
        self.answers.lock().unwrap().remove(0)
    }
}

fn answer(status: u16, body: &Value) -> Result<ApiAnswer, ActError> {
    let body = body.to_string().into_bytes();
    let after = (status == 429).then_some(SignedDuration::from_secs(30));
    Ok(ApiAnswer { status, retry_after: after, took: SignedDuration::ZERO, date: None, body })
}

fn tracker() -> Value {
    json!({
        "id": "trk_0a1b", "object": "Tracker", "tracking_code": "1Z-7", "carrier": "UPS",
        "status": "in_transit", "status_detail": "departed_facility", "updated_at": "2026-03-02T12:00:00Z",
        "tracking_details": [{"status": "in_transit", "datetime": "2026-03-02T10:30:00Z"}],
    })
}

fn error(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "errors": [] } })
}

fn access() -> CarrierAccess {
    let carrier = CarrierIntegration {
        id: CarrierId::parse("car_a").unwrap(),
        shop: ShopId::parse("shop_a").unwrap(),
        kind: CarrierKind::Easypost,
        name: "Parcels".to_owned(),
        webhook_secrets: Keyring::new(Sealed(String::new())),
        credentials: None,
        version: 1,
    };
    CarrierAccess { carrier, credentials: "EZAKkey".to_owned() }
}

fn parcel(carrier: Option<&str>) -> PackageSeen {
    PackageSeen::parse(Some("1Z-7"), None, carrier).unwrap()
}

fn client(answers: Vec<Result<ApiAnswer, ActError>>) -> (EasyPostClient<Wire>, Wire) {
    let wire = Wire { answers: Arc::new(Mutex::new(answers)), ..Wire::default() };
    (EasyPostClient::new(wire.clone(), EasyPostBase::EasyPost), wire)
}

async fn registered(answers: Vec<Result<ApiAnswer, ActError>>) -> Result<Tracker, ActError> {
    client(answers).0.register(&access(), &parcel(None)).await
}

#[tokio::test]
async fn a_tracker_is_asked_for_with_the_key_as_user_and_says_where_the_parcel_is() {
    let (client, wire) = client(vec![answer(201, &tracker())]);
    let made = client.register(&access(), &parcel(Some("U.P.S."))).await.unwrap();
    let body = json!({"tracker": {"tracking_code": "1Z-7", "carrier": "UPS"}});
    let asked = ("POST https://api.easypost.com/v2/trackers".to_owned(), Some(body));
    assert_eq!(*wire.asked.lock().unwrap(), [asked]);
    assert_eq!(*wire.authorized.lock().unwrap(), [format!("Basic {}", STANDARD.encode("EZAKkey:"))]);
    let fact = made.fact.unwrap();
    assert_eq!((made.id.as_str(), fact.number.as_str()), ("trk_0a1b", "1Z-7"));
    assert_eq!(
        (fact.status, fact.occurred_at),
        (TrackingStatus::InTransit, "2026-03-02T10:30:00Z".parse().unwrap())
    );
}

#[tokio::test]
async fn a_tracker_is_read_again_by_its_id() {
    let base = EasyPostBase::Override(Url::parse("http://127.0.0.1:9/").unwrap());
    let wire = Wire { answers: Arc::new(Mutex::new(vec![answer(200, &tracker())])), ..Wire::default() };
    let found = EasyPostClient::new(wire.clone(), base).fetch(&access(), "trk_0a1b").await.unwrap();
    assert_eq!(found.id, "trk_0a1b");
    assert_eq!(
        *wire.asked.lock().unwrap(),
        [("GET http://127.0.0.1:9/v2/trackers/trk_0a1b".to_owned(), None)]
    );
}

#[tokio::test]
async fn a_carrier_that_easypost_does_not_take_is_left_for_it_to_find_out() {
    let wrong = error("TRACKER.CARRIER_CODE_MISMATCH", "The carrier does not fit the code.");
    let (client, wire) = client(vec![answer(422, &wrong), answer(201, &tracker())]);
    client.register(&access(), &parcel(Some("UPS"))).await.unwrap();
    let carriers: Vec<bool> = wire
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, body)| body.as_ref().unwrap()["tracker"].get("carrier").is_some())
        .collect();
    assert_eq!(carriers, [true, false]);
    // None was named: that is the end of it.
    let refused = registered(vec![answer(422, &wrong)]).await.unwrap_err();
    assert_eq!(refused.disposition, Disposition::Permanent);
}

#[tokio::test]
async fn every_answer_says_whether_to_try_again() {
    let later = Disposition::RETRY;
    let thirty = Disposition::Retry { after: Some(SignedDuration::from_secs(30)) };
    let cases = [
        (
            429,
            error("RATE_LIMITED", "Too many requests."),
            thirty,
            "EasyPost asks to try again later (HTTP 429): RATE_LIMITED, Too many requests.",
        ),
        (500, json!("oops"), later, "EasyPost failed (HTTP 500)"),
        (503, error("", ""), later, "EasyPost failed (HTTP 503)"),
        (
            400,
            error("TRACKER.CREATE.ERROR", "A duplicate request is currently in-flight."),
            later,
            "EasyPost is still at an earlier request (HTTP 400): TRACKER.CREATE.ERROR, A duplicate request is currently in-flight.",
        ),
        (
            401,
            error("APIKEY.INACTIVE", "This api key is no longer active."),
            Disposition::Permanent,
            "EasyPost refuses the API key (HTTP 401): APIKEY.INACTIVE, This api key is no longer active.",
        ),
        (
            402,
            error("PAYMENT_REQUIRED", "Top up."),
            Disposition::Permanent,
            "EasyPost wants to be paid (HTTP 402): PAYMENT_REQUIRED, Top up.",
        ),
        (
            422,
            error("TRACKER.NO_CARRIER_FOR_CODE", "No carrier."),
            Disposition::Permanent,
            "EasyPost does not take the parcel (HTTP 422): TRACKER.NO_CARRIER_FOR_CODE, No carrier.",
        ),
        (302, json!(null), Disposition::Permanent, "EasyPost does not take the parcel (HTTP 302)"),
        (200, json!({"object": "Tracker"}), Disposition::Ambiguous, "EasyPost did not answer with a tracker"),
        (
            200,
            json!({"object": "Tracker", "id": "trk_../x"}),
            Disposition::Ambiguous,
            "EasyPost did not answer with a tracker",
        ),
        (
            200,
            json!({"object": "Shipment", "id": "shp_1"}),
            Disposition::Ambiguous,
            "EasyPost did not answer with a tracker",
        ),
    ];
    for (status, body, disposition, message) in cases {
        let told = registered(vec![answer(status, &body)]).await.unwrap_err();
        assert_eq!((told.disposition, told.message.as_str()), (disposition, message));
    }
    let silent = registered(vec![Err(ActError::ambiguous("no answer in time"))]).await.unwrap_err();
    assert_eq!(silent.disposition, Disposition::Ambiguous);
}

#[tokio::test]
async fn a_tracker_that_says_nothing_readable_is_still_a_tracker() {
    let mut bare = tracker();
    bare["tracking_code"] = json!(null);
    let made = registered(vec![answer(200, &bare)]).await.unwrap();
    assert_eq!((made.id.as_str(), made.fact), ("trk_0a1b", None));
}

#[tokio::test]
async fn an_error_is_bounded_and_one_line() {
    let long = error(&"X".repeat(200), &format!("a\nb{}", "é".repeat(5_000)));
    let told = registered(vec![answer(422, &long)]).await.unwrap_err().message;
    assert!(told.len() < 300 && !told.contains('\n') && !told.contains('X'), "{told}");
}

#[test]
fn only_what_means_one_carrier_is_named() {
    for (written, name) in [
        ("UPS", Some("UPS")),
        ("FedEx®", Some("FedEx")),
        ("DHL Express", Some("DHLExpress")),
        ("Royal Mail", Some("RoyalMail")),
        ("DHL", None),
        ("UPS Mail Innovations", None),
        ("", None),
    ] {
        assert_eq!(carrier_name(written), name, "{written}");
    }
}

#[tokio::test]
async fn recorded_answers_are_trackers() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/fixtures/easypost");
    for name in
        ["cassette_tracker_create_0.json", "cassette_tracker_retrieve_1.json", "docs_trackers_create.json"]
    {
        let Ok(bytes) = std::fs::read(folder.join(name)) else { return };
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        let made = registered(vec![answer(200, &body)]).await.unwrap();
        assert_eq!(made.fact.map(|f| f.status), Some(TrackingStatus::PreTransit), "{name}");
    }
}

#[tokio::test]
async fn a_key_is_tried_out_by_a_read() {
    let (good, wire) = client(vec![answer(200, &json!({ "trackers": [] }))]);
    assert_eq!(good.probe(&access()).await, Ok(()));
    let asked = ("GET https://api.easypost.com/v2/trackers?page_size=1".to_owned(), None);
    assert_eq!(*wire.asked.lock().unwrap(), [asked]);
    let (bad, _) = client(vec![answer(401, &error("APIKEY.INACTIVE", "This api key is no longer active."))]);
    let refused = bad.probe(&access()).await.unwrap_err();
    assert_eq!(refused.disposition, Disposition::Permanent);
    assert!(refused.message.starts_with("EasyPost refuses the API key (HTTP 401)"), "{}", refused.message);
    let (busy, _) = client(vec![answer(429, &error("RATE_LIMITED", "Slow down."))]);
    assert!(matches!(busy.probe(&access()).await.unwrap_err().disposition, Disposition::Retry { .. }));
}
