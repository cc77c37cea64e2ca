//! Mail by SMTP, at most once (law 11), for those who run without SES.
//!
//! A mail has left when the relay answers 2xx to its last line. Until `DATA` nothing has been said that anybody
//! could deliver, so whatever goes wrong before it counts as *not sent*; after it, only the relay's own refusal
//! does. That is why the conversation is led here, step by step, and not by a transport that tells one failure
//! from another only by its kind.

mod message;
mod relay;

use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use stagepost_app::ports::{ActError, Clock, Entropy, Mail, MailError, Mailer};
use tokio::time::timeout;

pub use relay::{Relay, RelayRefused, Security};

/// Longest until the relay is ready to take the mail.
const READY_WITHIN: Duration = Duration::from_secs(5);
/// Longest until it has taken it. With the time before, shorter than a claim's lease.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// What we call ourselves: a function has no name that means anything to anybody.
const HELLO: &str = "stagepost.invalid";

/// Sends by a relay: a connection for each mail.
#[derive(Clone)]
pub struct SmtpMailer {
    relay: Relay,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl SmtpMailer {
    /// Sends by `relay`, with dates and message ids from these.
    #[must_use]
    pub fn new(relay: Relay, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { relay, clock, entropy }
    }
}

impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let letter = message::put_together(mail, self.clock.now(), &self.entropy.id_body())?;
        let slow = |_| ActError::retry("the SMTP relay was not ready in time");
        let mut relay = timeout(READY_WITHIN, self.ready(&letter)).await.map_err(slow)??;
        let silent = |_| ActError::ambiguous("no answer from the SMTP relay in time");
        let taken = timeout(TAKEN_WITHIN, relay.message(&letter.bytes)).await.map_err(silent)?;
        taken.map_err(|error| after_data(&error))?;
        // Nothing that happens from here on changes what has been said.
        let _ = timeout(Duration::from_millis(200), relay.quit()).await;
        Ok(letter.id)
    }
}

impl SmtpMailer {
    /// Everything up to the relay's "go ahead".
    async fn ready(&self, letter: &message::Letter) -> Result<AsyncSmtpConnection, ActError> {
        let mut relay = self.connected().await.map_err(|error| before_data(&error))?;
        if let Some((user, password)) = self.relay.login() {
            let credentials = Credentials::new(user.to_owned(), password.to_owned());
            let login = relay.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            // Our credentials: nothing is wrong with the mail.
            login.map_err(|_| ActError::retry("the SMTP relay refused our credentials"))?;
        }
        let offer = async {
            relay.command(MailFrom::new(Some(letter.from.clone()), Vec::new())).await?;
            relay.command(Rcpt::new(letter.to.clone(), Vec::new())).await?;
            relay.command(Data).await
        };
        offer.await.map_err(|error| before_data(&error))?;
        Ok(relay)
    }

    async fn connected(&self) -> Result<AsyncSmtpConnection, Error> {
        let (host, port) = self.relay.place();
        let hello = ClientId::Domain(HELLO.to_owned());
        let tls = || TlsParameters::builder(host.to_owned()).build_rustls();
        let at_once = match self.relay.security() {
            Security::Tls => Some(tls()?),
            Security::StartTls | Security::None => None,
        };
        let opened = AsyncSmtpConnection::connect_tokio1((host, port), None, &hello, at_once, None);
        let mut relay = opened.await?;
        if self.relay.security() == Security::StartTls {
            relay.starttls(tls()?, &hello).await?;
        }
        Ok(relay)
    }
}

/// Nothing was sent: for good if the relay said so, else for now.
fn before_data(error: &Error) -> ActError {
    match error.is_permanent() {
        true => ActError::permanent(told("the SMTP relay refused the mail", error)),
        false if error.is_transient() => ActError::retry(told("the SMTP relay asks for patience", error)),
        false if error.is_tls() => ActError::retry("the SMTP relay did not agree on a secure connection"),
        false => ActError::retry("the SMTP relay could not be reached"),
    }
}

/// The relay has read the mail, or a part of it: only its own refusal says that it did not take it.
fn after_data(error: &Error) -> ActError {
    match error.is_permanent() {
        true => ActError::permanent(told("the SMTP relay refused the mail", error)),
        false if error.is_transient() => ActError::retry(told("the SMTP relay asks for patience", error)),
        false => ActError::ambiguous("the SMTP relay did not say whether it took the mail"),
    }
}

/// With the relay's code, and not with its words: they name addresses.
fn told(what: &str, error: &Error) -> String {
    let code = error.status().map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{what}{code}")
}

/// An address as the envelope wants it.
fn address(text: &str) -> Result<Address, ActError> {
    text.parse().map_err(|_| ActError::permanent("the customer's e-mail address is not valid"))
}

#[cfg(test)]
mod tests;
