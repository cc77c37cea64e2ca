//! Where a suite runs: on a host of this process, or on what `make e2e` deployed.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;
use stagepost_app::config::create_shop;
use stagepost_domain::id::ShopId;
use stagepost_local::bootstrap::{NewShop, Place, bootstrap};
use stagepost_local::{Host, HostConfig, start};
use stagepost_standins::{EasyPostAccount, ShopifyStore};
use url::Url;

use crate::{Api, EASYPOST_KEY, EASYPOST_SECRET, SHOPIFY_SECRET, client, until};

/// A mail that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Recipient.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// Plain part.
    pub text: String,
}

/// A deployment of the product, reached as anybody reaches it.
pub enum Deployment {
    /// All of it in this process, in memory, with the machine's clock.
    Local(Box<Host>),
    /// The template in a stand-in of AWS.
    Deployed(Deployed),
}

/// What `infra/e2e/run.py` tells of the stack.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The API's address.
    pub api: String,
    /// The table.
    pub table: String,
    /// The stand-in of AWS.
    pub aws: String,
    /// The process of the stand-in, whose children are the functions.
    pub pid: u32,
    /// Logical names of the stack's resources with the physical ones.
    pub stack: BTreeMap<String, String>,
    /// The operator's program.
    pub program: String,
    shopify_port: u16,
    easypost_port: u16,
}

impl Deployed {
    /// The one that the environment names, if it names one.
    #[must_use]
    pub fn found() -> Option<Self> {
        let api = std::env::var("STAGEPOST_E2E_API").ok()?;
        let told = |name: &str| std::env::var(name).unwrap();
        let port = |name: &str| Url::parse(&told(name)).unwrap().port().unwrap();
        Some(Self {
            api,
            table: told("STAGEPOST_E2E_TABLE"),
            aws: told("AWS_ENDPOINT_URL"),
            pid: told("STAGEPOST_E2E_PID").parse().unwrap(),
            program: told("STAGEPOST_E2E_PROGRAM"),
            stack: serde_json::from_str(&told("STAGEPOST_E2E_STACK")).unwrap(),
            shopify_port: port("REHEARSAL_SHOPIFY_URL"),
            easypost_port: port("REHEARSAL_EASYPOST_URL"),
        })
    }

    /// Changes a resource of Lambda (`functions`, `event-source-mappings`) as an operator could, and gives it as it is.
    pub async fn configure(&self, kind: &str, name: &str, part: &str, change: &Value) -> Value {
        let url = format!("{}/2015-03-31/{kind}/{name}{part}", self.aws);
        let call = client().put(url).header("content-type", "application/json").body(change.to_string());
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success(), "{kind} {name}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// Gives a function another value of a variable, and tells the one before.
    pub async fn variable(&self, function: &str, name: &str, value: &str) -> String {
        let function = &self.stack[function];
        let url = format!("{}/2015-03-31/functions/{function}/configuration", self.aws);
        let told: Value = client().get(url).send().await.unwrap().json().await.unwrap();
        let mut environment = told["Environment"].clone();
        let before = environment["Variables"][name].as_str().unwrap().to_owned();
        environment["Variables"][name] = Value::from(value);
        let change = serde_json::json!({ "Environment": environment });
        self.configure("functions", function, "/configuration", &change).await;
        before
    }

    async fn mails(&self) -> Vec<(String, Sent)> {
        let (_, _, text) = Api::new("", "").page(&format!("{}/_ministack/ses/messages", self.aws)).await;
        let told: Value = serde_json::from_str(&text).unwrap();
        let accounts = told["messages"].as_object().unwrap().values();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let sent = |m: &Value| Sent {
            to: text(&m["To"][0]),
            subject: text(&m["Subject"]),
            text: text(&m["BodyText"]),
        };
        accounts.filter_map(Value::as_array).flatten().map(|m| (text(&m["Source"]), sent(m))).collect()
    }
}

/// The far ends that functions find by an address of their own.
pub(crate) struct FarEnds {
    pub shopify: ShopifyStore,
    pub parcels: EasyPostAccount,
}

impl FarEnds {
    /// A deployment looks for them at two fixed ports, so one trial goes after the other.
    async fn open(domain: &str, [shopify, easypost]: [u16; 2]) -> io::Result<Self> {
        let clock = HostConfig::in_memory().clock;
        let store = ShopifyStore::start_on(shopify, domain, "shpat_test", SHOPIFY_SECRET, clock.clone());
        let shopify = store.await?;
        let parcels = EasyPostAccount::start_on(easypost, EASYPOST_KEY, EASYPOST_SECRET, clock).await?;
        Ok(Self { shopify, parcels })
    }
}

impl Deployment {
    /// The deployment that there is, with far ends for a Shopify store of this domain.
    pub(crate) async fn start(domain: &str) -> (Self, FarEnds) {
        if let Some(deployed) = Deployed::found() {
            let ports = [deployed.shopify_port, deployed.easypost_port];
            // The trial before has let go of them, or is about to.
            let far = until(async || FarEnds::open(domain, ports).await.ok()).await;
            return (Self::Deployed(deployed), far);
        }
        let far = FarEnds::open(domain, [0, 0]).await.unwrap();
        let config = HostConfig {
            shopify_base: Some(far.shopify.base_url().parse().unwrap()),
            easypost_base: Some(far.parcels.url().parse().unwrap()),
            ..HostConfig::in_memory()
        };
        (Self::Local(Box::new(start(config).await.unwrap())), far)
    }

    /// Where API, inbound webhooks and pages are.
    #[must_use]
    pub fn base(&self) -> String {
        match self {
            Self::Local(host) => host.base_url(),
            Self::Deployed(deployed) => deployed.api.clone(),
        }
    }

    /// Makes a shop as the operator does, and gives its owner's key.
    pub async fn shop(&self, shop: &ShopId, from: &str) -> String {
        match self {
            Self::Local(host) => create_shop(host.core(), shop, "Paper Boat", from).await.unwrap(),
            Self::Deployed(deployed) => {
                let place = Place::Table(deployed.table.clone());
                let new = NewShop { shop, name: "Paper Boat", from, owner: None };
                bootstrap(&place, new).await.unwrap().key
            }
        }
    }

    /// The mails that were sent from this address, oldest first.
    pub async fn mails(&self, from: &str) -> Vec<Sent> {
        let all = match self {
            Self::Local(host) => {
                let mails = host.mailbox().mails().into_iter();
                mails
                    .map(|m| {
                        let text = m.text.unwrap_or_default();
                        (m.from, Sent { to: m.to, subject: m.subject, text })
                    })
                    .collect()
            }
            Self::Deployed(deployed) => deployed.mails().await,
        };
        all.into_iter().filter(|(sender, _)| sender.contains(from)).map(|(_, sent)| sent).collect()
    }
}
