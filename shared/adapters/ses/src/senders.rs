//! Whether SES sends from an address.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::operation::get_email_identity::GetEmailIdentityOutput;
use aws_sdk_sesv2::types::VerificationStatus;
use stagepost_app::mail::ports::{SenderCheck, SenderState};
use stagepost_app::ports::ActError;

/// Asks SES about identities.
#[derive(Debug, Clone)]
pub struct SesSenders {
    client: Client,
}

impl SesSenders {
    /// `client` is from [`client`](crate::client).
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn identity(&self, name: &str) -> Result<SenderState, ActError> {
        let answer = self.client.get_email_identity().email_identity(name).send().await;
        match answer {
            Ok(identity) => Ok(state(&identity)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found_exception()) => {
                Ok(SenderState::Unknown)
            }
            // The role names the one identity that it may ask about, and send from.
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 403) => {
                Ok(SenderState::NotAllowed)
            }
            Err(_) => Err(ActError::retry("SES cannot be asked now")),
        }
    }
}

impl SenderCheck for SesSenders {
    async fn sender(&self, address: &str) -> Result<SenderState, ActError> {
        let own = self.identity(address).await?;
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        match (own, domain) {
            (SenderState::Unknown | SenderState::NotAllowed, Some(domain)) => self.identity(domain).await,
            (own, _) => Ok(own),
        }
    }
}

fn state(identity: &GetEmailIdentityOutput) -> SenderState {
    if identity.verified_for_sending_status() {
        return SenderState::Verified;
    }
    match identity.verification_status() {
        Some(VerificationStatus::Failed | VerificationStatus::TemporaryFailure) => SenderState::Failed,
        _ => SenderState::Pending,
    }
}
