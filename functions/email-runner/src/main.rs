//! The Lambda binary of `email-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_app::mail::PostOffice;
use stagepost_domain::event::Action;
use stagepost_domain::pace::Pace;
use stagepost_domain::search::SearchKey;
use stagepost_dynamodb::DynamoStore;
use stagepost_email_runner::{AnyMailer, EmailRunner, handle};
use stagepost_lambda::{aws, env, links::SignedLinks, system, telemetry};
use stagepost_secrets::DeployedSecrets;
use stagepost_ses::SesMailer;
use stagepost_smtp::{Relay, SmtpMailer};
use stagepost_sqs::{SqsDeadLetters, SqsOwnQueue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let key = env::key()?;
    let dead = SqsDeadLetters::new(
        stagepost_sqs::client(&aws),
        env::text(env::DEAD_LETTER_QUEUE_URL)?,
        "email-runner",
    );
    let core = system::core(store, env::restored_at()?);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), Some(key), core.clock.clone())?;
    let mailer = match env::optional(env::SMTP_URL) {
        Some(url) => {
            let (clock, entropy) = (Arc::clone(&core.clock), Arc::clone(&core.entropy));
            AnyMailer::Relay(SmtpMailer::new(Relay::parse(&url)?, clock, entropy))
        }
        None => {
            let set = env::optional(env::SES_CONFIGURATION_SET);
            AnyMailer::Ses(SesMailer::new(stagepost_ses::client(&aws), set))
        }
    };
    let public_url = env::url(env::PUBLIC_URL)?;
    let function = &Arc::new(EmailRunner {
        core,
        secrets,
        mailer,
        office: PostOffice {
            links: SignedLinks::of_deployment(public_url.clone(), &key),
            addresses: SearchKey::of_deployment(&key),
            pace: env::number(env::MAILS_PER_SECOND)?.map_or_else(Pace::default, Pace::per_second),
            public_url,
        },
        doorbell: SqsOwnQueue::new(
            stagepost_sqs::client(&aws),
            Action::Email,
            env::text(env::EMAIL_QUEUE_URL)?,
        ),
        dead: Arc::new(dead),
    });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
