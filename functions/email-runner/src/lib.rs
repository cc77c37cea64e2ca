//! Mails customers: claims a run, sends by the deployment's mailer, records. Sends what somebody asked for, too: test
//! mails and links to sign in by.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::mail::asked::{self, AskedStores};
use stagepost_app::mail::ports::{AskedMail, AskedMailDoorbell};
use stagepost_app::mail::{MailStores, PostOffice, TrackingLinks, email};
use stagepost_app::ports::{BadMessage, DeadLetters, Doorbell, Mail, MailError, Mailer, Secrets};
use stagepost_app::run::{Answered, Rung};
use stagepost_domain::run::{RunId, RunState};
use stagepost_lambda::metrics::Figures;
use stagepost_lambda::runner::{CONCURRENCY, decided, ring_at, unread};
use stagepost_lambda::sqs::{ComesBack, answer};
use stagepost_ses::SesMailer;
use stagepost_smtp::SmtpMailer;
use stagepost_sqs::AskedMailMessage;

/// What the runner needs.
pub struct EmailRunner<S, K, M, L, B, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Opens members' addresses.
    pub secrets: K,
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
pub trait Stores: MailStores + AskedStores + 'static {}

impl<T: MailStores + AskedStores + 'static> Stores for T {}

/// What a message asks for.
enum Asked {
    Mail(RunId),
    Other(AskedMailMessage),
}

fn decode(body: &str) -> Result<Asked, BadMessage> {
    let mail = stagepost_sqs::decode(body).map(Asked::Mail);
    mail.or_else(|_| stagepost_sqs::decode_asked_mail(body).map(Asked::Other))
}

/// Answers one batch.
pub async fn handle<S, K, M, L, B, D>(
    runner: &Arc<EmailRunner<S, K, M, L, B, D>>,
    event: SqsEvent,
) -> SqsBatchResponse
where
    S: Stores,
    K: Secrets + 'static,
    M: Mailer + 'static,
    L: TrackingLinks + 'static,
    B: Doorbell + AskedMailDoorbell + 'static,
    D: DeadLetters + 'static,
{
    answer(event, CONCURRENCY, |body| {
        let runner = Arc::clone(runner);
        async move {
            match decode(&body) {
                Ok(Asked::Mail(id)) => runner.mail(&id).await,
                Ok(Asked::Other(mail)) => runner.asked(&mail).await.map(Figures::from),
                Err(why) => unread(&*runner.dead, &body, &why).await.map(Figures::from),
            }
        }
    })
    .await
}

impl<S, K, M, L, B, D> EmailRunner<S, K, M, L, B, D>
where
    S: Stores,
    K: Secrets,
    M: Mailer,
    L: TrackingLinks,
    B: Doorbell + AskedMailDoorbell,
{
    async fn mail(&self, id: &RunId) -> Result<Figures, ComesBack> {
        let result = Box::pin(email(&self.core, &self.mailer, &self.office, id)).await;
        if let Ok(Rung { answered: Answered::Recorded(run), .. }) = &result
            && let (RunState::Pending { due }, Some(_)) = (&run.state, run.slot)
        {
            ring_at(&self.doorbell, id, *due, self.core.now()).await;
        }
        decided(id, result, self.core.now())
    }

    async fn asked(&self, message: &AskedMailMessage) -> Result<(), ComesBack> {
        let AskedMailMessage { of, mail: id } = message;
        let sent = asked::send(&self.core, &self.secrets, &self.mailer, &self.office, of, id);
        match Box::pin(sent).await {
            Ok(mail) => {
                tracing::info!(mail = %id, state = ?mail.as_ref().map(|mail| &mail.state), "asked mail");
                self.ring_again(mail.as_ref()).await
            }
            Err(error) => {
                tracing::warn!(mail = %id, %error, "asked mail not decided");
                Err(ComesBack)
            }
        }
    }

    /// Nothing but this bell rings for a mail that waits for its place in the line: without it the message comes
    /// back.
    async fn ring_again(&self, mail: Option<&AskedMail>) -> Result<(), ComesBack> {
        let Some((mail, wait)) = mail.and_then(|mail| Some((mail, asked::wait(&self.core, mail)?))) else {
            return Ok(());
        };
        let (asker, delay) = (mail.asker(), wait.try_into().unwrap_or_default());
        let rung = self.doorbell.ring_asked_mail(&asker, &mail.id, delay);
        rung.await.map_err(|error| {
            tracing::warn!(mail = %mail.id, %error, "the message comes back instead");
            ComesBack
        })
    }
}
