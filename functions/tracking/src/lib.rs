//! `GET /t/{token}`: the page behind `{{trackingUrl}}`.
//!
//! The token is the whole permission: unguessable, for one order. The page shows the stages that the shop
//! lets customers see and the parcels, and no person: whoever it is forwarded to learns no name or address.
//! A wrong token and an order that is not there get the same answer.

mod language;
mod page;

use lambda_http::http::{HeaderValue, Method, StatusCode, header};
use lambda_http::{Body, Request, Response};
use stagepost_app::Core;
use stagepost_app::ports::{ConfigStore, OrderStore, StoreError};
use stagepost_lambda::http::{header as told, last_segment};
use stagepost_lambda::links::SignedLinks;

use crate::language::Language;
use crate::page::Seen;

/// What the page needs: reads only.
pub struct Tracking<S> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Knows tokens.
    pub links: SignedLinks,
}

/// Nothing but the page's own style and the logo in it; nobody else's script, picture or frame, and no word to
/// other sites.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Answers one visit.
pub async fn handle<S>(tracking: &Tracking<S>, request: Request) -> Response<Body>
where
    S: OrderStore + ConfigStore,
{
    let language = spoken(&request);
    let says = |status, text| html(status, language, page::message(language, text));
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return says(StatusCode::METHOD_NOT_ALLOWED, |words| words.read_only);
    }
    let answer = match render(tracking, language, last_segment(&request)).await {
        Ok(Some(page)) => html(StatusCode::OK, language, page),
        Ok(None) => says(StatusCode::NOT_FOUND, |words| words.no_order),
        Err(error) => {
            tracing::error!(%error, "the store failed");
            says(StatusCode::SERVICE_UNAVAILABLE, |words| words.away)
        }
    };
    tracing::info!(status = answer.status().as_u16(), "tracking page");
    answer
}

/// The language that was chosen on the page, or that the browser asks for.
fn spoken(request: &Request) -> Language {
    let chosen = request.uri().query().into_iter().flat_map(|query| query.split('&'));
    let chosen = chosen.filter_map(|pair| pair.strip_prefix("lang=")).next();
    Language::of(chosen, told(request.headers(), "accept-language").unwrap_or_default())
}

/// Two round trips: the order, then all that its page shows of it.
async fn render<S>(
    tracking: &Tracking<S>,
    language: Language,
    token: &str,
) -> Result<Option<String>, StoreError>
where
    S: OrderStore + ConfigStore,
{
    let Some(id) = SignedLinks::order_of(token) else { return Ok(None) };
    let store = &tracking.core.store;
    let Some(order) = store.order(&id).await?.filter(|order| tracking.links.opens(token, order)) else {
        return Ok(None);
    };
    let packages =
        async { if order.packages.total > 0 { store.packages(&id).await } else { Ok(Vec::new()) } };
    let flow = async {
        match order.flow() {
            Some(flow) => store.flow(&order.shop, flow).await,
            None => Ok(None),
        }
    };
    let (packages, flow, settings, brand) =
        tokio::try_join!(packages, flow, store.settings(&order.shop), store.brand(&order.shop))?;
    let shop = settings.map(|s| s.name).unwrap_or_default();
    let now = tracking.core.now();
    let seen =
        Seen { shop: &shop, brand: &brand, order: &order, flow: flow.as_ref(), packages: &packages, now };
    Ok(Some(page::order(language, &seen)))
}

fn html(status: StatusCode, language: Language, page: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(page));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.words().code));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}

#[cfg(test)]
mod tests;
