//! A stand-in store behind the port: it keeps one order and answers as WooCommerce was seen to.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::{Value, json};
use stagepost_app::ports::{ActError, ApiAnswer, ApiCall, PlatformHttp};
use stagepost_domain::SignedDuration;

/// What goes wrong with a call.
pub enum Fault {
    /// This answer comes instead, and nothing happens.
    Answer(u16, &'static str),
    /// It happens, but the answer is lost.
    Lost,
    /// It happens, and this answer comes.
    Garbled(u16, &'static str),
    /// The merchant has completed the order so many seconds before it happens.
    AfterTheMerchant(u32),
    /// It takes so many seconds, which the plugins of the store spend after the completion.
    Slow(u32),
}

pub struct State {
    pub order: Value,
    /// The parcels of the Shipment Tracking extension, where it is installed.
    pub extension: Option<Vec<Value>>,
    /// The fulfillments, where the feature is switched on.
    pub fulfillments: Option<Vec<Value>>,
    pub notes: Vec<Value>,
    pub clock: u32,
    /// Orders are kept as posts: a change of metadata alone keeps `date_modified`.
    pub legacy: bool,
    /// Faults by the start of `METHOD leaf`, each used once.
    pub faults: VecDeque<(&'static str, Fault)>,
    /// `METHOD leaf` of each call, with its body.
    pub log: Vec<(String, Value)>,
    /// Headers and URL of the last call.
    pub last: Option<(Vec<(&'static str, String)>, url::Url)>,
}

pub struct Store(pub Mutex<State>);

impl Store {
    pub fn new(order: Value) -> Self {
        Self(Mutex::new(State {
            order,
            extension: None,
            fulfillments: None,
            notes: Vec::new(),
            clock: 0,
            legacy: false,
            faults: VecDeque::new(),
            log: Vec::new(),
            last: None,
        }))
    }

    pub fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.0.lock().unwrap());
        self
    }

    pub fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().log.iter().map(|(call, _)| call.clone()).collect()
    }

    pub fn see<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.lock().unwrap())
    }
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> ApiAnswer {
    ApiAnswer { status, retry_after: None, took: SignedDuration::ZERO, date: None, body: body.into() }
}

fn found<T: Into<Value>>(status: u16, body: T) -> ApiAnswer {
    answer(status, body.into().to_string())
}

fn no_route() -> ApiAnswer {
    found(404, json!({ "code": "rest_no_route", "message": "Keine Route", "data": { "status": 404 } }))
}

impl State {
    fn act(&mut self, method: &str, leaf: &str, body: &Value) -> ApiAnswer {
        let list = match leaf {
            "79" => return self.own(method, body),
            "shipment-trackings" => self.extension.as_mut(),
            "fulfillments" => self.fulfillments.as_mut(),
            "notes" => Some(&mut self.notes),
            _ => None,
        };
        let Some(list) = list else { return no_route() };
        if method == "GET" {
            return found(200, list.clone());
        }
        let mut made = body.clone();
        made["is_fulfilled"] = (made["status"] == "fulfilled").into();
        list.push(made.clone());
        let all = list.clone();
        match leaf {
            "shipment-trackings" => self.set_meta("_wc_shipment_tracking_items", all.into()),
            "fulfillments" => self.set_meta("_fulfillment_status", "fulfilled".into()),
            _ => {}
        }
        found(201, made)
    }

    fn tick(&mut self, seconds: u32) {
        self.clock += seconds;
    }

    fn now(&self) -> Value {
        format!("2026-11-22T09:40:{:02}", self.clock).into()
    }

    fn save(&mut self, status: Option<&str>) {
        let changed = status.is_some_and(|s| self.order["status"] != s);
        if changed || !self.legacy {
            self.order["date_modified_gmt"] = self.now();
        }
        if changed && status == Some("completed") {
            self.order["date_completed_gmt"] = self.now();
        }
        if let Some(status) = status {
            self.order["status"] = status.into();
        }
    }

    fn own(&mut self, method: &str, body: &Value) -> ApiAnswer {
        if method == "PUT" {
            self.tick(1);
            self.save(body["status"].as_str());
            for meta in body["meta_data"].as_array().into_iter().flatten() {
                self.set_meta(meta["key"].as_str().unwrap(), meta["value"].clone());
            }
        }
        found(200, self.order.clone())
    }

    pub fn set_meta(&mut self, key: &str, value: Value) {
        self.order = super::with_meta(self.order.clone(), key, value);
    }
}

impl PlatformHttp for Store {
    async fn call(&self, call: ApiCall) -> Result<ApiAnswer, ActError> {
        let mut state = self.0.lock().unwrap();
        let leaf = call.url.path_segments().unwrap().next_back().unwrap().to_owned();
        let name = format!("{} {leaf}", call.method);
        let body = call.body.as_deref().map(|b| serde_json::from_slice(b).unwrap()).unwrap_or_default();
        state.log.push((name.clone(), body));
        let body = state.log.last().unwrap().1.clone();
        state.last = Some((call.headers, call.url));
        let answered = state.answer(&name, call.method, &leaf, &body);
        let date = format!("2026-11-22T09:40:{:02}Z", state.clock).parse().ok();
        answered.map(|answer| ApiAnswer { date, ..answer })
    }
}

impl State {
    fn answer(&mut self, name: &str, method: &str, leaf: &str, body: &Value) -> Result<ApiAnswer, ActError> {
        let state = self;
        let at = state.faults.iter().position(|(start, _)| name.starts_with(start));
        match at.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault) {
            Some(Fault::Answer(status, text)) => Ok(answer(status, text)),
            Some(Fault::Lost) => {
                state.act(method, leaf, body);
                Err(ActError::ambiguous("no answer"))
            }
            Some(Fault::Garbled(status, text)) => {
                state.act(method, leaf, body);
                Ok(answer(status, text))
            }
            Some(Fault::AfterTheMerchant(seconds)) => {
                state.tick(1);
                state.save(Some("completed"));
                state.tick(seconds.saturating_sub(1));
                Ok(state.act(method, leaf, body))
            }
            Some(Fault::Slow(seconds)) => {
                state.act(method, leaf, body);
                state.tick(seconds);
                state.save(None);
                let took = SignedDuration::from_secs(seconds.into());
                Ok(ApiAnswer { took, ..found(200, state.order.clone()) })
            }
            None => Ok(state.act(method, leaf, body)),
        }
    }
}

impl PlatformHttp for &Store {
    async fn call(&self, call: ApiCall) -> Result<ApiAnswer, ActError> {
        Store::call(self, call).await
    }
}
