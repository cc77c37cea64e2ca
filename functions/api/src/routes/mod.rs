//! The routes, by resource.
//!
//! # Adding a route
//!
//! 1. Write the handler in the file of its resource. Its arguments say what it needs, in this order, each
//!    only if needed: `api: State<S, K>`; `caller: Caller` (any key), `Caller<Member>` (works with orders) or
//!    `Caller<Admin>` (changes configuration); `Named(id): Named<FlowId>` for what the path names;
//!    `IfMatch(expected): IfMatch` where a version is replaced or taken away; `Queried(q): Queried<Q>`;
//!    `Payload(input): Payload<I>`. Ids come from `api.core.entropy`, so that a call under an
//!    `Idempotency-Key`, which every POST takes, makes the same ones again.
//! 2. It gives `Answer<Found<V>>` (200), `Answer<Made<V>>` (201) or `Answer<Found<List<V>>>`; a versioned
//!    resource is a `Current<V>` or `MadeCurrent<V>`, which have an `ETag`. `V` is a struct
//!    of `crate::view` (or a type of the domain, with its schema behind the feature `schema`) that derives
//!    `Serialize` and `JsonSchema`; doc comments become descriptions. Inputs derive `Deserialize` and
//!    `JsonSchema` and deny unknown fields. A new kind of id in a path gets a line in `payload::path_ids!`.
//! 3. Add it to [`all`] with `about("operationId", "Summary")`; `.conflict("when")` if it can answer 409. The
//!    handler's types describe the rest in `/v1/openapi.json`. A new resource gets a line in
//!    `openapi::document::TAGS`.
//!
//! A part that does not describe itself does not compile, and a route cannot be added without its
//! description: [`Routes`] is the only way to the router.

mod carriers;
mod channels;
mod endpoints;
mod flows;
mod governor;
mod jobs;
mod keys;
mod members;
mod orders;
mod previews;
mod quarantine;
mod runs;
mod settings;
mod simulate;
mod suppressions;
mod table;
mod templates;

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use stagepost_app::Core;
use stagepost_app::ports::Secrets;

use crate::once::Source;
use crate::openapi::{Describe, Operation, about};
use crate::{Api, Stores};
pub use table::Routes;

/// What a handler acts with: the API, and a core whose ids and secrets follow from the request's
/// `Idempotency-Key` if it has one.
pub struct State<S, K> {
    /// Store, clock, ids of this request.
    pub core: Core<S>,
    /// The same request came before under its key, and nobody knows what became of it.
    pub resumed: bool,
    api: Arc<Api<S, K>>,
}

impl<S, K> Deref for State<S, K> {
    type Target = Api<S, K>;

    fn deref(&self) -> &Api<S, K> {
        &self.api
    }
}

impl<S: Stores, K: Secrets + 'static> FromRequestParts<Arc<Api<S, K>>> for State<S, K> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api<S, K>>) -> Result<Self, Infallible> {
        let mut core = api.core.clone();
        let source: Option<&Source> = parts.extensions.get();
        if let Some(Source { entropy, .. }) = source {
            core.entropy = Arc::clone(entropy);
        }
        let resumed = source.is_some_and(|source| source.resumed);
        Ok(Self { core, resumed, api: Arc::clone(api) })
    }
}

impl<S, K> Describe for State<S, K> {
    fn describe(_: &mut Operation<'_>) {}
}

/// In which case taking configuration away answers 409.
const IN_USE: &str = "Stages name it; `users` says which.";

/// In which case editing configuration answers 409.
const EDITED: &str = "Somebody else changed the same thing meanwhile.";

/// In which case nobody is taken away or lowered.
const LAST_OWNER: &str = "It is the last owner: of the keys, and of the members who have signed in.";

/// Every route of the API.
pub fn all<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    let routes = people(runs_and_jobs(packages(orders(connections(mails(configuration(Routes::new())))))));
    routes
        .post("/v1/simulate", simulate::run, about("simulate", "Tell what would happen, step by step"))
        .get("/v1/governor", governor::read, about("getGovernor", "Read whether mails are stopped"))
        .post("/v1/governor/resume", governor::resume, about("resumeGovernor", "Let stopped mails go"))
        .get(
            "/v1/quarantine",
            quarantine::list,
            about("listQuarantine", "List what could not be read, newest first"),
        )
        .get(
            "/v1/quarantine/{id}",
            quarantine::body,
            about("getQuarantined", "Read the raw body of what could not be read")
                .detail("It may hold people's names and addresses."),
        )
        .post(
            "/v1/quarantine/{id}/replay",
            quarantine::replay,
            about("replayQuarantined", "Have it read again")
                .detail("It leaves the quarantine when it is taken, and stays with a new reason if not."),
        )
        .delete(
            "/v1/quarantine/{id}",
            quarantine::delete,
            about("deleteQuarantined", "Throw away what could not be read"),
        )
}

fn people<S: Stores, K: Secrets + 'static>(routes: Routes<S, K>) -> Routes<S, K> {
    routes
        .get("/v1/api-keys", keys::list, about("listApiKeys", "List API keys"))
        .post(
            "/v1/api-keys",
            keys::create,
            about("createApiKey", "Make an API key").detail("Its token is shown this once."),
        )
        .delete(
            "/v1/api-keys/{id}",
            keys::revoke,
            about("revokeApiKey", "Revoke an API key").conflict(LAST_OWNER),
        )
        .get("/v1/members", members::list, about("listMembers", "List the people who work with the shop"))
        .post(
            "/v1/members",
            members::create,
            about("createMember", "Invite somebody to work with the shop").detail(
                "They are mailed a link that signs them in to the console once, within 7 days. Each address is a \
                 member once; an address gets 5 links an hour at most, and a shop mails 30 invitations.",
            ),
        )
        .get("/v1/members/{id}", members::read, about("getMember", "Read a member"))
        .patch(
            "/v1/members/{id}",
            members::update,
            about("updateMember", "Change a member's name or role")
                .detail("It counts from their next request on.")
                .conflict("They are the last owner, or somebody else changed them meanwhile."),
        )
        .delete(
            "/v1/members/{id}",
            members::delete,
            about("deleteMember", "Take a member away")
                .detail("They are out with their next request.")
                .conflict(LAST_OWNER),
        )
        .post(
            "/v1/members/{id}/invite",
            members::invite,
            about("inviteMember", "Mail a member's invitation again"),
        )
        .post(
            "/v1/members/{id}/sign-out",
            members::sign_out,
            about("signOutMember", "End all sessions of a member")
                .detail("And the links that they have not used.")
                .conflict(EDITED),
        )
}

fn runs_and_jobs<S: Stores, K: Secrets + 'static>(routes: Routes<S, K>) -> Routes<S, K> {
    routes
        .get("/v1/runs/{id}", runs::read, about("getRun", "Read a run"))
        .post(
            "/v1/runs/{id}/retry",
            runs::retry,
            about("retryRun", "Try a run again").conflict("The run cannot be retried as it stands."),
        )
        .post(
            "/v1/runs/{id}/send-again",
            runs::send_again,
            about("sendRunAgain", "Send a mail or webhook once more")
                .detail(
                    "Whatever became of it, as a new run of the same event. A webhook has the same body and \
                     `webhook-id`, so that a receiver drops what it has; a mail is another mail.",
                )
                .conflict("It makes no sense, or is not confirmed: `reason` says which."),
        )
        .get(
            "/v1/runs/{id}/attempts",
            runs::attempts,
            about("listRunAttempts", "List a webhook's attempts, newest first")
                .detail("At most 100, of the last 30 days. Other runs have none."),
        )
        .get(
            "/v1/runs",
            runs::list,
            about("listRuns", "List what went wrong, newest first")
                .detail("Failed and uncertain runs of events of which no run is open any more."),
        )
        .get(
            "/v1/runs/recoverable",
            jobs::recoverable,
            about("countRecoverable", "Count what a recovery would try again")
                .detail("Among the latest 500 events that went wrong; `more` says whether there are others."),
        )
        .post(
            "/v1/runs/recover",
            jobs::recover,
            about("recoverRuns", "Have failed runs tried again, all of a time")
                .detail("Uncertain runs are left alone: trying one again may do it twice."),
        )
        .get("/v1/jobs", jobs::list, about("listJobs", "List jobs, newest first"))
        .get("/v1/jobs/{id}", jobs::read, about("getJob", "Read a job"))
        .post(
            "/v1/jobs/{id}/cancel",
            jobs::cancel,
            about("cancelJob", "Stop a job; what it did stands")
                .conflict("It has ended, recurs, or carries out what was decided."),
        )
}

fn configuration<S: Stores, K: Secrets + 'static>(routes: Routes<S, K>) -> Routes<S, K> {
    routes
        .get("/v1/settings", settings::read, about("getSettings", "Read the shop's settings"))
        .patch("/v1/settings", settings::update, about("updateSettings", "Change the shop's settings"))
        .get("/v1/flows", flows::list, about("listFlows", "List flows"))
        .post("/v1/flows", flows::create, about("createFlow", "Make a flow"))
        .get("/v1/flows/starters", flows::starters, about("listFlowStarters", "List flows to begin with"))
        .get(
            "/v1/flows/{id}",
            flows::read,
            about("getFlow", "Read a flow")
                .detail("With `warnings`: settings that are allowed and would surprise, each with its stage."),
        )
        .put("/v1/flows/{id}", flows::update, about("updateFlow", "Edit a flow").conflict(EDITED))
        .delete(
            "/v1/flows/{id}",
            flows::archive,
            about("deleteFlow", "Archive a flow")
                .conflict("It holds orders, or is a channel's default flow."),
        )
        .get("/v1/email-templates", templates::list, about("listTemplates", "List e-mail templates"))
        .post("/v1/email-templates", templates::create, about("createTemplate", "Make an e-mail template"))
        .get("/v1/email-templates/{id}", templates::read, about("getTemplate", "Read an e-mail template"))
        .put(
            "/v1/email-templates/{id}",
            templates::update,
            about("updateTemplate", "Save a new version of an e-mail template").conflict(EDITED),
        )
        .delete(
            "/v1/email-templates/{id}",
            templates::delete,
            about("deleteTemplate", "Delete an e-mail template").conflict(IN_USE),
        )
        .get("/v1/webhook-endpoints", endpoints::list, about("listEndpoints", "List webhook endpoints"))
        .post("/v1/webhook-endpoints", endpoints::create, about("createEndpoint", "Make a webhook endpoint"))
        .get("/v1/webhook-endpoints/{id}", endpoints::read, about("getEndpoint", "Read a webhook endpoint"))
        .put(
            "/v1/webhook-endpoints/{id}",
            endpoints::update,
            about("updateEndpoint", "Edit a webhook endpoint").conflict(EDITED),
        )
        .delete(
            "/v1/webhook-endpoints/{id}",
            endpoints::delete,
            about("deleteEndpoint", "Delete a webhook endpoint").conflict(IN_USE),
        )
        .post(
            "/v1/webhook-endpoints/{id}/test",
            endpoints::test,
            about("testEndpoint", "Send a webhook endpoint a test message").detail(
                "`endpoint.test`, signed, sent and logged like any other, once, also to an endpoint that is switched \
                 off. The job tells what came of it, and the endpoint's attempts show the answer.",
            ),
        )
        .get(
            "/v1/webhook-endpoints/{id}/attempts",
            endpoints::attempts,
            about("listEndpointAttempts", "List what a webhook endpoint was sent, newest first")
                .detail("Of the last 30 days; an attempt is shown a moment after it was made."),
        )
        .post(
            "/v1/webhook-endpoints/{id}/rotate-secret",
            endpoints::rotate_secret,
            about("rotateEndpointSecret", "Give a webhook endpoint a new secret").detail(
                "The new secret is shown this once. The one before it signs beside it for 24 hours, so that a \
                 receiver verifies with either until it has been told the new one.",
            ),
        )
}

fn mails<S: Stores, K: Secrets + 'static>(routes: Routes<S, K>) -> Routes<S, K> {
    routes
        .get(
            "/v1/settings/brand",
            settings::brand,
            about("getBrand", "Read how the shop looks on its tracking page"),
        )
        .patch(
            "/v1/settings/brand",
            settings::update_brand,
            about("updateBrand", "Change how the shop looks on its tracking page"),
        )
        .get(
            "/v1/settings/sender",
            settings::sender,
            about("getSender", "Read whether mails can come from the shop's sender, and what to do if not"),
        )
        .get(
            "/v1/email-templates/starters",
            previews::starters,
            about("listStarterTemplates", "List templates to begin with"),
        )
        .post(
            "/v1/email-templates/preview",
            previews::unsaved,
            about("previewParts", "See the mail that a template would make, without saving it"),
        )
        .post(
            "/v1/email-templates/{id}/preview",
            previews::saved,
            about("previewTemplate", "See the mail that an e-mail template makes"),
        )
        .post(
            "/v1/email-templates/{id}/test",
            previews::test,
            about("testTemplate", "Send a test mail").detail(
                "Its subject is marked. It goes to the shop's sender, reply-to or test address or to one of \
                 the settings' `test_recipients`, 20 times an hour at most, and leaves in a moment.",
            ),
        )
        .get(
            "/v1/email-tests/{id}",
            previews::test_mail,
            about("getTestMail", "Read what became of a test mail"),
        )
        .get(
            "/v1/suppressions",
            suppressions::list,
            about("listSuppressions", "List addresses that get no mail").detail(
                "Those of mails that came back for good or that were called spam, and those put there by hand.",
            ),
        )
        .post(
            "/v1/suppressions",
            suppressions::create,
            about("createSuppression", "Have an address get no mail")
                .detail("One that is there already stays as it is."),
        )
        .get(
            "/v1/suppressions/{id}",
            suppressions::read,
            about("getSuppression", "Read an address that gets no mail"),
        )
        .delete(
            "/v1/suppressions/{id}",
            suppressions::delete,
            about("deleteSuppression", "Let an address get mail again"),
        )
}

fn connections<S: Stores, K: Secrets + 'static>(routes: Routes<S, K>) -> Routes<S, K> {
    routes
        .get("/v1/channels", channels::list, about("listChannels", "List sales channels"))
        .post("/v1/channels", channels::create, about("createChannel", "Connect a store"))
        .get("/v1/channels/{id}", channels::read, about("getChannel", "Read a sales channel"))
        .patch("/v1/channels/{id}", channels::update, about("updateChannel", "Change a sales channel"))
        .delete(
            "/v1/channels/{id}",
            channels::delete,
            about("deleteChannel", "Disconnect a store")
                .detail("Its orders stay; connecting it again finds them."),
        )
        .post(
            "/v1/channels/{id}/backfill",
            jobs::backfill,
            about("backfillChannel", "Adopt a store's past orders, silently"),
        )
        .post(
            "/v1/channels/{id}/reconcile",
            jobs::reconcile,
            about("reconcileChannel", "Ask a store now for what changed")
                .conflict("It is being asked already."),
        )
        .post(
            "/v1/channels/{id}/check",
            channels::check,
            about("checkChannel", "Try a store's credentials out")
                .detail("One call that changes nothing there. New credentials are tried out by themselves."),
        )
        .get("/v1/carriers", carriers::list, about("listCarriers", "List carrier integrations"))
        .post("/v1/carriers", carriers::create, about("createCarrier", "Connect a carrier service"))
        .get("/v1/carriers/{id}", carriers::read, about("getCarrier", "Read a carrier integration"))
        .patch("/v1/carriers/{id}", carriers::update, about("updateCarrier", "Change a carrier integration"))
        .delete("/v1/carriers/{id}", carriers::delete, about("deleteCarrier", "Disconnect a carrier service"))
        .post(
            "/v1/carriers/{id}/check",
            carriers::check,
            about("checkCarrier", "Try a carrier service's key out")
                .detail("One call that changes nothing there. A new key is tried out by itself."),
        )
}

fn orders<S: Stores, K: Secrets + 'static>(routes: Routes<S, K>) -> Routes<S, K> {
    routes
        .get(
            "/v1/orders",
            orders::list,
            about("listOrders", "List orders of a stage, or untriaged ones, or search for orders").detail(
                "Say one of `stage`, `untriaged=true` and `q`. A stage's orders come newest entry first. A \
                 search gives whole numbers and words first, then what begins with them, of each the newest \
                 order first; a new order or name is found a moment after it came.",
            ),
        )
        .post(
            "/v1/orders",
            orders::create,
            about("createOrder", "Bring in an order, or tell of it again")
                .detail("The same `external_id` is the same order."),
        )
        .get("/v1/orders/{id}", orders::read, about("getOrder", "Read an order"))
        .get(
            "/v1/orders/{id}/timeline",
            orders::timeline,
            about("getTimeline", "Read what happened to an order, newest first"),
        )
        .post(
            "/v1/orders/{id}/move",
            orders::move_to,
            about("moveOrder", "Move an order to a stage").conflict(
                "The order has changed since you looked (the current `stage` and `seq` are told), is in no \
                 flow, or is on hold.",
            ),
        )
        .post(
            "/v1/orders/move",
            jobs::bulk_move,
            about("moveOrders", "Move many orders").detail("One after the other, as a job."),
        )
        .post(
            "/v1/orders/{id}/assign",
            orders::assign,
            about("assignOrder", "Put an order into a flow")
                .conflict("The order has changed since you looked, or is in this flow already."),
        )
        .post("/v1/orders/{id}/hold", orders::hold, about("holdOrder", "Stop an order until it is resumed"))
        .post(
            "/v1/orders/{id}/renew-link",
            orders::renew_link,
            about("renewTrackingLink", "Revoke the link to an order's tracking page, and make another").detail(
                "Links that customers have open nothing any more; mails sent from now on hold the new one.",
            ),
        )
        .delete(
            "/v1/orders/{id}/personal-data",
            orders::erase,
            about("erasePersonalData", "Erase an order's personal data, for good").detail(
                "Its people, what it is found by beside its number, frozen messages and the log of calls. What its \
                 platform tells of people later is left out. The order, its lines and its timeline stay.",
            ),
        )
        .post(
            "/v1/orders/{id}/resume",
            orders::resume,
            about("resumeOrder", "Release an order from its hold"),
        )
}

fn packages<S: Stores, K: Secrets + 'static>(routes: Routes<S, K>) -> Routes<S, K> {
    routes
        .post("/v1/orders/{id}/packages", orders::add_package, about("addPackage", "Add a package"))
        .patch(
            "/v1/orders/{id}/packages/{package}",
            orders::correct_package,
            about("updatePackage", "Correct a package").detail(
                "Another number is another package: in one step the old one is taken away and the new one \
                 added, to be reported by the carrier service in its place.",
            ),
        )
        .delete(
            "/v1/orders/{id}/packages/{package}",
            orders::remove_package,
            about("removePackage", "Take a package away"),
        )
}
