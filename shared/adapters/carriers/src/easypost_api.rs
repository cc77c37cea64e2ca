//! EasyPost's tracker API (integrations §5.1): trackers made and read. What a tracker says is read like a
//! notification of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stagepost_app::inbound::TrackingReading;
use stagepost_app::ports::{
    ActError, ApiAnswer, ApiCall, CarrierAccess, PlatformHttp, TRACKER_ID_MAX, Tracker, TrackerService,
};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::package::PackageSeen;
use stagepost_domain::text::tidy;
use url::Url;

use crate::read_easypost;

/// Longest error message that is passed on, in bytes.
const MESSAGE_MAX: usize = 200;
/// Errors that speak against the carrier that was named, not against the number.
const WRONG_CARRIER: [&str; 3] =
    ["TRACKER.UNSUPPORTED_CARRIER", "TRACKER.CARRIER_CODE_MISMATCH", "TRACKER.NO_CARRIER_FOR_CODE"];

/// Where EasyPost's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EasyPostBase {
    /// `https://api.easypost.com`.
    EasyPost,
    /// A stand-in on this machine.
    Override(Url),
}

impl EasyPostBase {
    fn url(&self, tracker: Option<&str>) -> Result<Url, ActError> {
        let unusable = || ActError::permanent("EasyPost's address cannot be used");
        let mut url = match self {
            Self::EasyPost => Url::parse("https://api.easypost.com").map_err(|_| unusable())?,
            Self::Override(url) => url.clone(),
        };
        url.path_segments_mut()
            .map_err(|()| unusable())?
            .pop_if_empty()
            .extend(["v2", "trackers"])
            .extend(tracker);
        Ok(url)
    }
}

/// EasyPost as a service that parcels are registered with.
#[derive(Debug, Clone)]
pub struct EasyPostClient<H> {
    http: H,
    base: EasyPostBase,
}

impl<H: PlatformHttp> EasyPostClient<H> {
    /// A client that calls through `http`. It keeps nothing between calls.
    pub fn new(http: H, base: EasyPostBase) -> Self {
        Self { http, base }
    }

    async fn call(
        &self,
        access: &CarrierAccess,
        method: &'static str,
        tracker: Option<&str>,
        body: Option<&Value>,
    ) -> Result<ApiAnswer, ActError> {
        // The key is the user; there is no password.
        let authorization = format!("Basic {}", STANDARD.encode(format!("{}:", access.credentials)));
        let mut headers = vec![("authorization", authorization), ("accept", "application/json".to_owned())];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = body.map(|b| b.to_string().into_bytes());
        let mut url = self.base.url(tracker)?;
        if method == "GET" && tracker.is_none() {
            url.set_query(Some("page_size=1"));
        }
        self.http.call(ApiCall { method, url, headers, body }).await
    }

    async fn create(
        &self,
        access: &CarrierAccess,
        number: &str,
        carrier: Option<&str>,
    ) -> Result<Tracker, Refusal> {
        let mut tracker = json!({ "tracking_code": number });
        if let (Some(carrier), Some(fields)) = (carrier, tracker.as_object_mut()) {
            fields.insert("carrier".to_owned(), json!(carrier));
        }
        let body = json!({ "tracker": tracker });
        understood(&self.call(access, "POST", None, Some(&body)).await?)
    }
}

impl<H: PlatformHttp> TrackerService for EasyPostClient<H> {
    /// EasyPost gives the tracker that is there when the same user asks for the same number and carrier again
    /// within three months. A carrier that it does not take is left for it to find out: what merchants call
    /// one is not always what it runs under.
    async fn register(&self, access: &CarrierAccess, parcel: &PackageSeen) -> Result<Tracker, ActError> {
        let number =
            parcel.number.as_deref().ok_or_else(|| ActError::permanent("the package has no number"))?;
        let carrier = parcel.carrier.as_deref().and_then(carrier_name);
        match self.create(access, number, carrier).await {
            Err(refusal) if carrier.is_some() && refusal.wrong_carrier => {
                Ok(self.create(access, number, None).await?)
            }
            created => Ok(created?),
        }
    }

    async fn fetch(&self, access: &CarrierAccess, tracker: &str) -> Result<Tracker, ActError> {
        Ok(understood(&self.call(access, "GET", Some(tracker), None).await?)?)
    }

    /// Lists what is there: a key that may not is refused.
    async fn probe(&self, access: &CarrierAccess) -> Result<(), ActError> {
        let answer = self.call(access, "GET", None, None).await?;
        if !(200..300).contains(&answer.status) {
            return Err(refusal(&answer).error);
        }
        Ok(())
    }
}

/// What an answer came to that holds no tracker.
struct Refusal {
    wrong_carrier: bool,
    error: ActError,
}

impl From<ActError> for Refusal {
    fn from(error: ActError) -> Self {
        Self { wrong_carrier: false, error }
    }
}

impl From<Refusal> for ActError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

fn understood(answer: &ApiAnswer) -> Result<Tracker, Refusal> {
    if !(200..300).contains(&answer.status) {
        return Err(refusal(answer));
    }
    // Made or not: asked again, EasyPost gives the same one.
    let unclear = || ActError::ambiguous("EasyPost did not answer with a tracker");
    let json: Value = serde_json::from_slice(&answer.body).map_err(|_| unclear())?;
    let is_tracker = json.get("object").and_then(Value::as_str) == Some("Tracker");
    let id = json.get("id").and_then(Value::as_str).filter(|id| is_tracker && is_id(id));
    let id = id.ok_or_else(unclear)?.to_owned();
    let fact = match read_easypost(&answer.body) {
        TrackingReading::Fact(fact) => Some(fact),
        TrackingReading::UnknownTopic | TrackingReading::Unreadable { .. } => None,
    };
    Ok(Tracker { id, fact })
}

/// `trk_…`: it becomes part of an address, and of a run's record.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= TRACKER_ID_MAX && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn refusal(answer: &ApiAnswer) -> Refusal {
    let error = serde_json::from_slice::<Value>(&answer.body).ok();
    let error = error.as_ref().and_then(|json| json.get("error"));
    let text = |key: &str| error.and_then(|e| e.get(key)).and_then(Value::as_str);
    let word = |c: &&str| !c.is_empty() && c.len() <= 60 && c.bytes().all(|b| b.is_ascii_graphic());
    let code = text("code").filter(word);
    let said = text("message").and_then(|m| tidy(m, MESSAGE_MAX));
    let in_flight = said.as_deref().is_some_and(|m| m.to_lowercase().contains("in-flight"));
    let later = Disposition::Retry { after: answer.retry_after };
    let (disposition, hint) = match answer.status {
        408 | 425 | 429 => (later, "EasyPost asks to try again later"),
        // Whether it was made does not matter: asked again, EasyPost gives the same one.
        500..=599 => (later, "EasyPost failed"),
        // Two requests for one number at once: the other one makes it.
        _ if in_flight => (later, "EasyPost is still at an earlier request"),
        401 | 403 => (Disposition::Permanent, "EasyPost refuses the API key"),
        402 => (Disposition::Permanent, "EasyPost wants to be paid"),
        404 => (Disposition::Permanent, "EasyPost has no such tracker"),
        _ => (Disposition::Permanent, "EasyPost does not take the parcel"),
    };
    let told: Vec<&str> = [code, said.as_deref()].into_iter().flatten().collect();
    let told = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
    let wrong_carrier = code.is_some_and(|code| WRONG_CARRIER.contains(&code));
    let message = format!("{hint} (HTTP {}){told}", answer.status);
    Refusal { wrong_carrier, error: ActError { disposition, message } }
}

/// EasyPost's name of a carrier as people and platforms write it; `None` leaves it to EasyPost, which knows
/// most carriers by their numbers. Only names that mean one carrier: a "DHL" may be any of five.
fn carrier_name(written: &str) -> Option<&'static str> {
    let plain: String =
        written.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    Some(match plain.as_str() {
        "ups" | "unitedparcelservice" => "UPS",
        "usps" | "unitedstatespostalservice" => "USPS",
        "fedex" | "federalexpress" => "FedEx",
        "dhlexpress" => "DHLExpress",
        "canadapost" => "CanadaPost",
        "royalmail" => "RoyalMail",
        "australiapost" => "AustraliaPost",
        "purolator" => "Purolator",
        "canpar" => "Canpar",
        "ontrac" => "OnTrac",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
