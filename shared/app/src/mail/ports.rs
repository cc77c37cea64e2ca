//! What mails need of the store beside runs and configuration.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stagepost_domain::Timestamp;
use stagepost_domain::governor::Tally;
use stagepost_domain::id::{
    AttemptId, MailId, MemberId, OrderId, PersonId, ShopId, SuppressionId, TemplateId,
};
use stagepost_domain::suppression::Suppression;

use crate::ports::{ActError, CommitError, DoorbellError, Page, StoreError};

/// Addresses that shops do not mail to.
pub trait SuppressionStore: Send + Sync {
    /// One of them, strongly consistent.
    fn suppression(
        &self,
        shop: &ShopId,
        id: &SuppressionId,
    ) -> impl Future<Output = Result<Option<Suppression>, StoreError>> + Send;
    /// Keeps one. The first reason stays: what is there already is left as it is, and given.
    fn suppress(
        &self,
        suppression: &Suppression,
    ) -> impl Future<Output = Result<Suppression, StoreError>> + Send;
    /// A shop's, in no order that means anything.
    fn suppressions(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Suppression>, StoreError>> + Send;
    /// Forgets one, there or not.
    fn unsuppress(
        &self,
        shop: &ShopId,
        id: &SuppressionId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a try to take a place in a sender's line came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It is taken.
    Moved,
    /// Somebody was faster: the next free place is this one.
    At(Timestamp),
}

/// The lines in which mails wait for their sender's rate.
pub trait PaceStore: Send + Sync {
    /// Moves a line on to `next` if its free place still is `seen`; without one seen, if the line is idle: its
    /// free place is `now` or before, or it never had any.
    fn move_line(
        &self,
        sender: &str,
        seen: Option<Timestamp>,
        now: Timestamp,
        next: Timestamp,
    ) -> impl Future<Output = Result<Line, StoreError>> + Send;
}

/// Something to count of a mail that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It arrived.
    Delivered,
    /// It came back for good.
    Bounced,
    /// Its reader called it spam.
    Complained,
}

/// What became of a shop's mails, by week.
pub trait TallyStore: Send + Sync {
    /// Counts one more; gives the week's tally with it.
    fn count_fate(
        &self,
        shop: &ShopId,
        week: i64,
        what: Counted,
    ) -> impl Future<Output = Result<Tally, StoreError>> + Send;
    /// A week's tally.
    fn tally(&self, shop: &ShopId, week: i64) -> impl Future<Output = Result<Tally, StoreError>> + Send;
}

/// Where a mail that was asked for stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AskedState {
    /// On its way.
    Pending,
    /// Given to the provider; if it stays so, nobody knows whether it left.
    Sending,
    /// Sent.
    Sent,
    /// Not sent.
    Failed {
        /// Why.
        error: String,
    },
}

/// What a mail that was asked for is to be. It holds neither addresses of people nor tokens: those are read and
/// made when it leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Asked {
    /// A template, for its author to see.
    Trial(Trial),
    /// A link to sign in by, for a person if it is one of ours.
    SignIn {
        /// Whoever has the address that was entered.
        person: PersonId,
    },
    /// A member's invitation, with a link.
    Invitation {
        /// Where to.
        shop: ShopId,
        /// Whom.
        member: MemberId,
    },
}

/// A template to be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its tenant.
    pub shop: ShopId,
    /// Which template.
    pub template: TemplateId,
    /// Which version of it.
    pub template_version: u64,
    /// Whose words fill it in; an invented order's unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Where to: an address of the shop's own.
    pub to: String,
}

/// With whom a mail that was asked for stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Asker {
    /// A shop.
    Shop(ShopId),
    /// A person, known or not, of no shop yet.
    Person(PersonId),
}

impl std::fmt::Display for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shop(shop) => shop.fmt(f),
            Self::Person(person) => person.fmt(f),
        }
    }
}

/// A mail that somebody asked for, beside those of orders. It is sent once at most, and forgotten after a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedMail {
    /// Its id.
    pub id: MailId,
    /// What it is to be.
    pub asked: Asked,
    /// When it was asked for.
    pub at: Timestamp,
    /// Its place in the sender's line, if it had to take one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    /// Counts writes, from 1.
    pub version: u64,
    /// The attempt that wrote this: two that begin at the same time are not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AttemptId>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: AskedState,
}

impl AskedMail {
    /// One that was asked for just now.
    #[must_use]
    pub fn new(id: MailId, asked: Asked, at: Timestamp) -> Self {
        Self { id, asked, at, slot: None, version: 1, by: None, state: AskedState::Pending }
    }

    /// With whom it stands.
    #[must_use]
    pub fn asker(&self) -> Asker {
        match &self.asked {
            Asked::Trial(Trial { shop, .. }) | Asked::Invitation { shop, .. } => Asker::Shop(shop.clone()),
            Asked::SignIn { person } => Asker::Person(person.clone()),
        }
    }
}

/// Mails of which there are only so many in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hourly<'a> {
    /// A shop's test mails.
    Trials(&'a ShopId),
    /// A shop's invitations.
    Invitations(&'a ShopId),
    /// Links for a person, asked for by whomever.
    Links(&'a PersonId),
}

/// Mails that somebody asked for.
pub trait AskedMailStore: Send + Sync {
    /// One of them, strongly consistent, unless it is a day old at `now`.
    fn asked_mail(
        &self,
        asker: &Asker,
        id: &MailId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<AskedMail>, StoreError>> + Send;
    /// Writes it over the version before it; version 1 where none is. The same write again is a success.
    fn put_asked_mail(&self, mail: &AskedMail) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Counts one more mail of an hour; gives the count with it.
    fn count_hourly(
        &self,
        what: Hourly<'_>,
        hour: i64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// The queue in front of the mail runner, for mails that somebody asked for.
pub trait AskedMailDoorbell: Send + Sync {
    /// Rings for one, not before `delay` is over.
    fn ring_asked_mail(
        &self,
        asker: &Asker,
        mail: &MailId,
        delay: Duration,
    ) -> impl Future<Output = Result<(), DoorbellError>> + Send;
}

/// How a provider stands to an address that mails are to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SenderState {
    /// Mails can come from it.
    Verified,
    /// It waits for its owner: a link to follow, or DNS records to be found.
    Pending,
    /// Its owner was not found in time, or was and is no more.
    Failed,
    /// The provider does not know it.
    Unknown,
    /// It is not the one that this deployment may send from.
    NotAllowed,
    /// Nobody checks senders here: the local host, or a relay.
    Unchecked,
}

impl SenderState {
    /// What to do about it; nothing if all is well.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::Verified => None,
            Self::Pending => Some(
                "SES waits for its owner: follow the link in its mail, or publish the DKIM records of the domain.",
            ),
            Self::Failed => Some(
                "SES did not find its owner in time: publish the domain's DKIM records and verify it again.",
            ),
            Self::Unknown => {
                Some("SES does not know it: verify the address, or better its domain, in this region.")
            }
            Self::NotAllowed => Some(
                "It is not the identity that this deployment may send from: take an address of that identity, or \
                 deploy with another SenderIdentity.",
            ),
            Self::Unchecked => Some("Nobody checks senders here: send a test mail to see."),
        }
    }
}

/// Asks the provider about senders.
pub trait SenderCheck: Send + Sync {
    /// How it stands to an address: by the address itself, else by its domain.
    fn sender(&self, address: &str) -> impl Future<Output = Result<SenderState, ActError>> + Send;
}

/// Where nobody checks senders.
#[derive(Debug, Clone, Copy)]
pub struct Unchecked;

impl SenderCheck for Unchecked {
    async fn sender(&self, _: &str) -> Result<SenderState, ActError> {
        Ok(SenderState::Unchecked)
    }
}
