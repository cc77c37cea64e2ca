//! What went wrong, as a page: what happened, whether a customer was affected, what to do.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use stagepost_app::apply::ApplyError;
use stagepost_app::config::ConfigError;
use stagepost_app::jobs::JobRequestError;
use stagepost_app::mail::asked::AskedError;
use stagepost_app::people::RedeemError;
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_app::simulate::SimulateError;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::shop::Role;
use stagepost_domain::text::Invalid;

use crate::answer::html;
use crate::shell::Shell;
use crate::words::no_entry;

/// Seconds after which it is worth trying again when the store is away or busy.
const RETRY_AFTER: u32 = 2;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// HTTP status.
    pub status: StatusCode,
    /// What happened, in a few words.
    pub title: String,
    /// What that means: whether a customer was affected.
    pub meaning: String,
    /// What to do now.
    pub advice: String,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    trouble: &'a Trouble,
}

#[derive(Template)]
#[template(path = "bare.html")]
struct BarePage<'a> {
    trouble: &'a Trouble,
}

/// What no customer notices.
const NOTHING_DONE: &str = "Nothing was changed, and no customer was told anything.";

impl Trouble {
    /// Something that went wrong.
    pub fn new(
        status: StatusCode,
        title: impl Into<String>,
        meaning: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { status, title: title.into(), meaning: meaning.into(), advice: advice.into() }
    }

    /// Nothing here under that id, or nothing of yours: the answer is the same.
    pub fn not_found(what: &str) -> Self {
        let title = format!("There is no such {what}");
        let meaning = "It may have been taken away, or it belongs to another shop.";
        Self::new(StatusCode::NOT_FOUND, title, meaning, "Check the address, or look for it in the list.")
    }

    /// There is such a path, and it is not asked like this.
    pub fn not_this_way() -> Self {
        let title = "This address is not a page";
        let advice =
            "It is where a form goes. Go back to the page with the form, or begin from the navigation.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, title, NOTHING_DONE, advice)
    }

    /// The role is too low.
    pub fn forbidden(least: Role) -> Self {
        let advice =
            format!("Ask somebody who is {} or above to do it, or to give you that role.", least.as_str());
        Self::new(StatusCode::FORBIDDEN, "Your role does not allow that", NOTHING_DONE, advice)
    }

    /// It cannot be done as things stand.
    pub fn conflict(title: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, title, NOTHING_DONE, advice)
    }

    /// A form that no page of this session made.
    pub fn foreign_form() -> Self {
        let title = "This form is not from this session";
        let advice = "You may have signed in again since the page was opened. Open it again and send the form from there.";
        Self::new(StatusCode::FORBIDDEN, title, NOTHING_DONE, advice)
    }

    /// A form that was sent before and says something else now.
    pub fn sent_before() -> Self {
        let meaning = "What it said the first time was done. What you changed since was not.";
        let advice = "Open the page again: it shows how things are now.";
        Self::new(StatusCode::CONFLICT, "This form was sent before", meaning, advice)
    }

    /// The store is away or busy.
    pub fn away() -> Self {
        let meaning = "Nothing is lost: what was already on its way goes on by itself.";
        let advice = "Try again in a moment. If you sent a form, send it again: it is done once.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "We cannot reach our data right now", meaning, advice)
    }

    /// Something that no trying again can read.
    pub fn broken() -> Self {
        let title = "Something is wrong on our side";
        let advice = "Trying again will not help. The log names what could not be read.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, title, NOTHING_DONE, advice)
    }

    /// Some fields are not valid, where no form can show which.
    pub fn invalid(wrong: &[Invalid]) -> Self {
        let reasons: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let title = "This is not valid";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, title, NOTHING_DONE, reasons.join("; "))
    }

    /// As a page of the console.
    pub fn page(&self, shell: Shell) -> Response {
        self.answered(ErrorPage { shell, trouble: self }.render())
    }

    /// As a page of its own.
    pub fn bare(&self) -> Response {
        self.answered(BarePage { trouble: self }.render())
    }

    fn answered(&self, page: askama::Result<String>) -> Response {
        let mut response = html(self.status, page.unwrap_or_else(|_| self.title.clone()));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
        response
    }
}

/// Use cases' errors as pages. The page is made where the frame around it is known.
#[derive(Debug)]
pub struct Failed(Box<Trouble>);

impl Failed {
    /// This went wrong.
    pub fn new(trouble: Trouble) -> Self {
        Self(Box::new(trouble))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(*self.0);
        response
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        if matches!(&error, StoreError::Corrupt { item, .. } if item == "cursor") {
            return Trouble::not_found("page of this list").into();
        }
        if matches!(error, StoreError::TooLarge) {
            return Trouble::invalid(&[Invalid::new("all of it", "is too large to store")]).into();
        }
        tracing::error!(%error, "the store failed");
        match error.disposition() {
            Disposition::Permanent => Trouble::broken().into(),
            _ => Trouble::away().into(),
        }
    }
}

impl From<ApplyError> for Failed {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => error.into(),
            ApplyError::Busy => Trouble::away().into(),
        }
    }
}

impl From<CommitError> for Failed {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            CommitError::LostRace | CommitError::Conflict => faster().into(),
        }
    }
}

fn faster() -> Trouble {
    Trouble::conflict(
        "Somebody else was faster",
        "Look at how it is now, and do it again if it is still wanted.",
    )
}

impl From<SimulateError> for Failed {
    fn from(error: SimulateError) -> Self {
        match error {
            SimulateError::NotFound => Trouble::not_found("order").into(),
            SimulateError::Invalid(wrong) => Trouble::invalid(&[wrong]).into(),
            SimulateError::Store(error) => error.into(),
        }
    }
}

impl From<JobRequestError> for Failed {
    fn from(error: JobRequestError) -> Self {
        match error {
            JobRequestError::NotFound => Trouble::not_found("job, store or stage").into(),
            JobRequestError::Invalid(wrong) => Trouble::invalid(&wrong).into(),
            JobRequestError::Step(step) => {
                Trouble::conflict("The job does not allow that", step.to_string()).into()
            }
            JobRequestError::Busy => Trouble::away().into(),
            JobRequestError::Store(error) => error.into(),
            JobRequestError::Id(error) => {
                tracing::error!(%error, "job");
                Trouble::broken().into()
            }
        }
    }
}

impl From<RedeemError> for Failed {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::NoEntry(why) => {
                let advice =
                    "Ask for a new link on the sign-in page. If you were invited, ask whoever invited you.";
                let title = "This link does not sign you in";
                Trouble::new(StatusCode::FORBIDDEN, title, no_entry(why), advice).into()
            }
            RedeemError::Store(error) => error.into(),
            RedeemError::Id(error) => {
                tracing::error!(%error, "a link");
                Trouble::broken().into()
            }
        }
    }
}

impl From<AskedError> for Failed {
    fn from(error: AskedError) -> Self {
        match error {
            AskedError::Store(error) => error.into(),
            AskedError::Secret(error) => ConfigError::Secret(error).into(),
            AskedError::Id(error) => ConfigError::Id(error).into(),
        }
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid(wrong) => Trouble::invalid(&wrong).into(),
            ConfigError::NotFound => Trouble::not_found("thing here").into(),
            ConfigError::Store(error) => error.into(),
            ConfigError::Conflict | ConfigError::Stale { .. } => faster().into(),
            ConfigError::InUse(users) => {
                let advice = format!("Take it out of these first: {}.", users.join(", "));
                Trouble::conflict("It is in use", advice).into()
            }
            ConfigError::AboveRole => {
                let advice = "Nobody gives or takes away what is above their own role.";
                Trouble::new(StatusCode::FORBIDDEN, "Your role does not allow that", NOTHING_DONE, advice)
                    .into()
            }
            ConfigError::LastOwner => {
                let advice = "A shop without an owner is one that nobody can run. Make another owner first; one who \
                              was invited and has not signed in yet does not count.";
                Trouble::conflict("This is the last owner", advice).into()
            }
            ConfigError::Busy => Trouble::away().into(),
            ConfigError::Secret(ref away) if away.disposition != Disposition::Permanent => {
                tracing::warn!(%error, "configuration");
                Trouble::away().into()
            }
            ConfigError::Secret(_) | ConfigError::Id(_) => {
                tracing::error!(%error, "configuration");
                Trouble::broken().into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_trouble_says_when_to_try_again_and_another_says_that_it_does_not_help() {
        let corrupt = StoreError::Corrupt { item: "ord_1".to_owned(), reason: "no version".to_owned() };
        for (error, status, retry) in [
            (corrupt, StatusCode::INTERNAL_SERVER_ERROR, false),
            (StoreError::Throttled, StatusCode::SERVICE_UNAVAILABLE, true),
            (StoreError::Unavailable("gone".to_owned()), StatusCode::SERVICE_UNAVAILABLE, true),
            (StoreError::TooLarge, StatusCode::UNPROCESSABLE_ENTITY, false),
        ] {
            let page = Failed::from(error).0.bare();
            assert_eq!((page.status(), page.headers().contains_key(header::RETRY_AFTER)), (status, retry));
        }
    }
}
