//! The functions of the deployment on local ports: the same libraries that the Lambda binaries wrap.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_http::{Request, service_fn};
use stagepost_api::{Api, Queue};
use stagepost_app::Core;
use stagepost_app::contact::Contacts;
use stagepost_app::jobs::JOB_TIMEOUT;
use stagepost_app::mail::PostOffice;
use stagepost_app::platform::Platforms;
use stagepost_carrier_webhook::Carriers;
use stagepost_carriers::{EasyPostBase, EasyPostClient};
use stagepost_console::{Console, Keys};
use stagepost_dispatch::Dispatch;
use stagepost_domain::pace::Pace;
use stagepost_domain::search::SearchKey;
use stagepost_dynamodb::DynamoStore;
use stagepost_email_events::EmailEvents;
use stagepost_email_runner::EmailRunner;
use stagepost_fulfillment_runner::FulfillmentRunner;
use stagepost_inbound_runner::InboundRunner;
use stagepost_job_runner::JobRunner;
use stagepost_lambda::inbound::{Inbound, Intake};
use stagepost_lambda::links::SignedLinks;
use stagepost_outbound_http::{Guard, OutboundHttp, check_url};
use stagepost_secrets::LocalSecrets;
use stagepost_shopify::{ApiBase, ShopifyClient};
use stagepost_sqs::SqsDeadLetters;
use stagepost_tracker_runner::TrackerRunner;
use stagepost_tracking::Tracking;
use stagepost_wake::Wake;
use stagepost_webhook_runner::WebhookRunner;
use stagepost_woocommerce::WooClient;
use url::Url;

use crate::gateway::{Functions, HttpFunction, function};
use crate::mailbox::Mailbox;
use crate::mailer::LocalMailer;
use crate::pulse::{LocalDoorbell, LocalInboundQueue};
use crate::queues::{LocalQueues, RECEIVES_MAX, Source, SqsFunction, TIMEOUTS};

/// How long the inbound functions try to decide: no sender hangs up here, and an unoptimised build on a busy
/// machine is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the functions act through.
pub struct Ports {
    /// Store, clock, ids.
    pub core: Core<DynamoStore>,
    /// Seals and opens.
    pub secrets: LocalSecrets,
    /// Tracking links.
    pub links: SignedLinks,
    /// Sign the console's cookies and forms.
    pub keys: Keys,
    /// Where people reach all of this.
    pub public_url: Url,
    /// Hashes the e-mail addresses that are searched for.
    pub search: SearchKey,
    /// What mails are shown from.
    pub mailbox: Mailbox,
    /// Sends them.
    pub mailer: LocalMailer,
    /// How fast it takes mails.
    pub pace: Pace,
    /// The queues.
    pub doorbell: LocalDoorbell,
    /// Where notifications wait.
    pub inbound: LocalInboundQueue,
    /// For messages that nobody can read.
    pub dead: Dead,
    /// Calls to the outside, loopback included.
    pub http: OutboundHttp,
    /// Shopify, or its stand-in.
    pub shopify: ApiBase,
    /// EasyPost, or its stand-in.
    pub easypost: EasyPostBase,
}

/// The dead letters, as each runner writes to them.
pub struct Dead {
    email: Arc<SqsDeadLetters>,
    mail_events: Arc<SqsDeadLetters>,
    webhook: Arc<SqsDeadLetters>,
    fulfillment: Arc<SqsDeadLetters>,
    jobs: Arc<SqsDeadLetters>,
    tracker: Arc<SqsDeadLetters>,
    inbound: Arc<SqsDeadLetters>,
}

impl Dead {
    /// Those of these queues.
    pub fn of(queues: &LocalQueues) -> Self {
        let from = |runner| Arc::new(queues.dead_letters(runner));
        Self {
            email: from("email-runner"),
            mail_events: from("email-events"),
            webhook: from("webhook-runner"),
            fulfillment: from("fulfillment-runner"),
            jobs: from("job-runner"),
            tracker: from("tracker-runner"),
            inbound: from("inbound-runner"),
        }
    }
}

fn allowed(url: &Url) -> Result<(), String> {
    check_url(url, Guard::LoopbackAllowed).map_err(|refused| refused.to_string())
}

impl Ports {
    /// The functions behind HTTP routes.
    pub fn http_functions(&self) -> Functions {
        let (core, secrets, links) = (self.core.clone(), self.secrets.clone(), Arc::new(self.links.clone()));
        let inbound = Queue::new(self.inbound.clone());
        let api = Api::new(core, secrets, links, self.search.clone(), allowed, inbound);
        Functions {
            api: function(stagepost_api::router(Arc::new(api))),
            shopify: self.shopify_webhook(),
            woocommerce: self.woocommerce_webhook(),
            carriers: self.carrier_webhook(),
            tracking: self.tracking(),
            console: self.console(),
        }
    }

    fn console(&self) -> HttpFunction {
        let (core, secrets, links) = (self.core.clone(), self.secrets.clone(), Arc::new(self.links.clone()));
        let (keys, public, inbound) =
            (self.keys.clone(), self.public_url.clone(), Queue::new(self.inbound.clone()));
        let console = Console::new(core, secrets, links, keys, public, allowed, inbound);
        function(stagepost_console::router(Arc::new(console)))
    }

    fn tracking(&self) -> HttpFunction {
        let tracking = Arc::new(Tracking { core: self.core.clone(), links: self.links.clone() });
        function(service_fn(move |request: Request| {
            let tracking = Arc::clone(&tracking);
            async move { Ok::<_, Infallible>(stagepost_tracking::handle(&tracking, request).await) }
        }))
    }

    fn intake(&self) -> Arc<Intake<LocalInboundQueue>> {
        Arc::new(Intake::new(self.inbound.clone(), PATIENCE))
    }

    fn shopify_webhook(&self) -> HttpFunction {
        let inbound = Arc::new(Inbound::new(self.core.clone(), self.secrets.clone()));
        let intake = self.intake();
        function(service_fn(move |request: Request| {
            let (inbound, intake) = (Arc::clone(&inbound), Arc::clone(&intake));
            async move { Ok::<_, Infallible>(stagepost_shopify_webhook::handle(&inbound, &intake, request).await) }
        }))
    }

    fn woocommerce_webhook(&self) -> HttpFunction {
        let inbound = Arc::new(Inbound::new(self.core.clone(), self.secrets.clone()));
        let intake = self.intake();
        function(service_fn(move |request: Request| {
            let (inbound, intake) = (Arc::clone(&inbound), Arc::clone(&intake));
            async move {
                Ok::<_, Infallible>(stagepost_woocommerce_webhook::handle(&inbound, &intake, request).await)
            }
        }))
    }

    fn carrier_webhook(&self) -> HttpFunction {
        let carriers = Arc::new(Carriers::new(self.core.clone(), self.secrets.clone()));
        let intake = self.intake();
        function(service_fn(move |request: Request| {
            let (carriers, intake) = (Arc::clone(&carriers), Arc::clone(&intake));
            async move { Ok::<_, Infallible>(carriers.handle(&intake, request).await) }
        }))
    }

    /// The runners with their queues.
    pub fn sources(&self, queues: &LocalQueues) -> [Source; 7] {
        let [email, webhook, fulfillment, tracker] = TIMEOUTS;
        let source = |url: &String, timeout, function| Source {
            url: url.clone(),
            timeout,
            receives: RECEIVES_MAX,
            function,
        };
        let inbound = source(&queues.inbound, stagepost_inbound_runner::TIMEOUT, self.inbound_runner());
        [
            source(&queues.urls.email, email, self.email_runner()),
            source(&queues.mail_events, stagepost_email_events::TIMEOUT, self.email_events()),
            source(&queues.urls.webhook, webhook, self.webhook_runner()),
            source(&queues.urls.fulfillment, fulfillment, self.fulfillment_runner()),
            source(&queues.urls.jobs, JOB_TIMEOUT, self.job_runner()),
            source(&queues.urls.tracker, tracker, self.tracker_runner()),
            Source { receives: stagepost_inbound_runner::RECEIVES_MAX, ..inbound },
        ]
    }

    fn email_runner(&self) -> SqsFunction {
        let runner = Arc::new(EmailRunner {
            core: self.core.clone(),
            secrets: self.secrets.clone(),
            mailer: self.mailer.clone(),
            office: PostOffice {
                links: self.links.clone(),
                addresses: self.search.clone(),
                pace: self.pace,
                public_url: self.public_url.clone(),
            },
            doorbell: self.doorbell.clone(),
            dead: Arc::clone(&self.dead.email),
        });
        sqs(move |event| {
            let runner = Arc::clone(&runner);
            async move { stagepost_email_runner::handle(&runner, event).await }
        })
    }

    fn email_events(&self) -> SqsFunction {
        let function = Arc::new(EmailEvents {
            core: self.core.clone(),
            secrets: self.secrets.clone(),
            key: self.search.clone(),
            dead: Arc::clone(&self.dead.mail_events),
        });
        sqs(move |event| {
            let function = Arc::clone(&function);
            async move { stagepost_email_events::handle(&function, event).await }
        })
    }

    fn webhook_runner(&self) -> SqsFunction {
        let runner = Arc::new(WebhookRunner {
            core: self.core.clone(),
            sender: self.http.clone(),
            mailer: self.mailbox.clone(),
            secrets: self.secrets.clone(),
            doorbell: self.doorbell.clone(),
            dead: Arc::clone(&self.dead.webhook),
        });
        sqs(move |event| {
            let runner = Arc::clone(&runner);
            async move { stagepost_webhook_runner::handle(&runner, event).await }
        })
    }

    fn fulfillment_runner(&self) -> SqsFunction {
        let platforms = Platforms {
            shopify: ShopifyClient::new(self.http.clone(), self.shopify.clone()),
            woocommerce: WooClient::new(self.http.clone()),
        };
        let runner = Arc::new(FulfillmentRunner {
            contacts: Contacts::default(),
            core: self.core.clone(),
            secrets: self.secrets.clone(),
            platforms,
            dead: Arc::clone(&self.dead.fulfillment),
        });
        sqs(move |event| {
            let runner = Arc::clone(&runner);
            async move { stagepost_fulfillment_runner::handle(&runner, event).await }
        })
    }

    fn job_runner(&self) -> SqsFunction {
        let sources = Platforms {
            shopify: ShopifyClient::new(self.http.clone(), self.shopify.clone()),
            woocommerce: WooClient::new(self.http.clone()),
        };
        let runner = Arc::new(JobRunner {
            core: self.core.clone(),
            secrets: self.secrets.clone(),
            sources,
            trackers: EasyPostClient::new(self.http.clone(), self.easypost.clone()),
            sender: self.http.clone(),
            doorbell: self.doorbell.clone(),
            dead: Arc::clone(&self.dead.jobs),
        });
        sqs(move |event| {
            let runner = Arc::clone(&runner);
            // Nobody ends it but the limit of its source.
            async move { stagepost_job_runner::handle(&runner, event, u64::MAX).await }
        })
    }

    fn tracker_runner(&self) -> SqsFunction {
        let runner = Arc::new(TrackerRunner {
            core: self.core.clone(),
            secrets: self.secrets.clone(),
            service: EasyPostClient::new(self.http.clone(), self.easypost.clone()),
            dead: Arc::clone(&self.dead.tracker),
        });
        sqs(move |event| {
            let runner = Arc::clone(&runner);
            async move { stagepost_tracker_runner::handle(&runner, event).await }
        })
    }

    fn inbound_runner(&self) -> SqsFunction {
        let runner = InboundRunner::new(&self.core, &self.secrets, Arc::clone(&self.dead.inbound));
        let runner = Arc::new(runner);
        sqs(move |event| {
            let runner = Arc::clone(&runner);
            async move { stagepost_inbound_runner::handle(&runner, event).await }
        })
    }

    /// The function behind the table's stream.
    pub fn dispatch(&self) -> Dispatch<DynamoStore, LocalDoorbell> {
        Dispatch {
            clock: Arc::clone(&self.core.clock),
            doorbell: self.doorbell.clone(),
            store: self.core.store.clone(),
            key: self.search.clone(),
        }
    }

    /// The function behind the schedule.
    pub fn wake(&self) -> Wake<DynamoStore, LocalDoorbell> {
        Wake { core: self.core.clone(), doorbell: self.doorbell.clone() }
    }
}

fn sqs<F, Fut>(handle: F) -> SqsFunction
where
    F: Fn(SqsEvent) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = SqsBatchResponse> + Send + 'static,
{
    Arc::new(move |event| Box::pin(handle(event)))
}
