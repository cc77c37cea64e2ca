//! `GET /t/{token}`: the page behind `{{trackingUrl}}`.
//!
//! The token is the whole permission: unguessable, for one order. The page shows the stages that the shop
//! lets customers see and the parcels, and no person: whoever it is forwarded to learns no name or address.
//! A wrong token and an order that is not there get the same answer.

mod page;

use lambda_http::http::{HeaderValue, Method, StatusCode, header};
use lambda_http::{Body, Request, Response};
use stagepost_app::Core;
use stagepost_app::ports::{ConfigStore, OrderStore, StoreError};
use stagepost_lambda::http::last_segment;
use stagepost_lambda::links::SignedLinks;

/// What the page needs: reads only.
pub struct Tracking<S> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Knows tokens.
    pub links: SignedLinks,
}

/// Nothing but the page's own style; nobody else's script, picture or frame, and no word to other sites.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Answers one visit.
pub async fn handle<S>(tracking: &Tracking<S>, request: Request) -> Response<Body>
where
    S: OrderStore + ConfigStore,
{
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return html(StatusCode::METHOD_NOT_ALLOWED, page::message("This page can only be read."));
    }
    match render(tracking, last_segment(&request)).await {
        Ok(Some(page)) => html(StatusCode::OK, page),
        Ok(None) => {
            let words = "This link is not valid. Please use the link in the latest e-mail about your order.";
            html(StatusCode::NOT_FOUND, page::message(words))
        }
        Err(error) => {
            tracing::error!(%error, "tracking page");
            let words = "We cannot show your order right now. Please try again in a moment.";
            html(StatusCode::SERVICE_UNAVAILABLE, page::message(words))
        }
    }
}

async fn render<S>(tracking: &Tracking<S>, token: &str) -> Result<Option<String>, StoreError>
where
    S: OrderStore + ConfigStore,
{
    let Some(id) = SignedLinks::order_of(token) else { return Ok(None) };
    let store = &tracking.core.store;
    let Some(order) = store.order(&id).await?.filter(|order| tracking.links.opens(token, order)) else {
        return Ok(None);
    };
    let packages = if order.packages.total > 0 { store.packages(&id).await? } else { Vec::new() };
    let flow = match order.flow() {
        Some(flow) => store.flow(&order.shop, flow).await?,
        None => None,
    };
    let settings = store.settings(&order.shop).await?;
    let shop = settings.map(|s| s.name).unwrap_or_default();
    Ok(Some(page::order(&shop, &order, flow.as_ref(), &packages)))
}

fn html(status: StatusCode, page: String) -> Response<Body> {
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
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}
