//! Mails customers: claims a run, sends by the deployment's mailer, records. Sends test mails, too.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::mail::ports::TestMailStore;
use stagepost_app::mail::{MailStores, PostOffice, TrackingLinks, email, trial};
use stagepost_app::ports::{DeadLetters, Doorbell, Mail, MailError, Mailer, SearchStore};
use stagepost_app::run::Answered;
use stagepost_domain::run::{RunId, RunState};
use stagepost_lambda::runner::{CONCURRENCY, bury, decided, ring_at};
use stagepost_lambda::sqs::{ComesBack, answer};
use stagepost_ses::SesMailer;
use stagepost_smtp::SmtpMailer;
use stagepost_sqs::TestMailMessage;

/// What the runner needs.
pub struct EmailRunner<S, M, L, B, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Sends.
    pub mailer: M,
    /// Links, hashes and the sender's pace.
    pub office: PostOffice<L>,
    /// Rings again for a mail whose place in the line comes later: the sweep of the next minute would have a
    /// whole minute's mails leave at once.
    pub doorbell: B,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// The deployment's way to send: SES, or a relay for those who run without it.
#[derive(Clone)]
pub enum AnyMailer {
    /// Amazon SES v2.
    Ses(SesMailer),
    /// SMTP.
    Relay(SmtpMailer),
}

impl Mailer for AnyMailer {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        match self {
            Self::Ses(ses) => ses.send(mail).await,
            Self::Relay(relay) => relay.send(mail).await,
        }
    }
}

/// What the runner needs of the store.
pub trait Stores: MailStores + TestMailStore + SearchStore + 'static {}

impl<T: MailStores + TestMailStore + SearchStore + 'static> Stores for T {}

/// What a message asks for.
enum Asked {
    Mail(RunId),
    Test(TestMailMessage),
}

fn decode(body: &str) -> Option<Asked> {
    let mail = stagepost_sqs::decode(body).map(Asked::Mail);
    mail.or_else(|_| stagepost_sqs::decode_test_mail(body).map(Asked::Test)).ok()
}

/// Answers one batch.
pub async fn handle<S, M, L, B, D>(
    runner: &Arc<EmailRunner<S, M, L, B, D>>,
    event: SqsEvent,
) -> SqsBatchResponse
where
    S: Stores,
    M: Mailer + 'static,
    L: TrackingLinks + 'static,
    B: Doorbell + 'static,
    D: DeadLetters + 'static,
{
    answer(event, CONCURRENCY, |body| {
        let runner = Arc::clone(runner);
        async move {
            match decode(&body) {
                Some(Asked::Mail(id)) => runner.mail(&id).await,
                Some(Asked::Test(test)) => runner.test(&test).await,
                None => bury(&*runner.dead, &body).await,
            }
        }
    })
    .await
}

impl<S: Stores, M: Mailer, L: TrackingLinks, B: Doorbell, D> EmailRunner<S, M, L, B, D> {
    async fn mail(&self, id: &RunId) -> Result<(), ComesBack> {
        let result = Box::pin(email(&self.core, &self.mailer, &self.office, id)).await;
        if let Ok(Answered::Recorded(run)) = &result
            && let (RunState::Pending { due }, Some(_)) = (&run.state, run.slot)
        {
            ring_at(&self.doorbell, id, *due, self.core.now()).await;
        }
        decided(id, result)
    }

    async fn test(&self, asked: &TestMailMessage) -> Result<(), ComesBack> {
        let sent = trial::send(&self.core, &self.mailer, &self.office, &asked.shop, &asked.test);
        match Box::pin(sent).await {
            Ok(mail) => {
                tracing::info!(test = %asked.test, state = ?mail.map(|mail| mail.state), "test mail");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(test = %asked.test, %error, "test mail not decided");
                Err(ComesBack)
            }
        }
    }
}
