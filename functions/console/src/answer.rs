//! Out: pages, parts of pages, and the way to the next page.

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use stagepost_lambda::http::header as text;
use url::Url;

use crate::error::{Failed, Trouble};
use crate::shell::Flash;

/// What a handler answers: a page, the way to one, or what went wrong.
pub type Answer = Result<Response, Failed>;

/// Ours alone: no script, style, picture or frame of anybody else, and none written into a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// The same for a page with a mail in a frame of it (`<iframe sandbox srcdoc>`), which is under the page's own
/// policy: a mail brings its styles with it, and pictures of the web. Still no script but ours, and in the frame
/// none at all.
const WITH_MAIL: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                         img-src 'self' https: data:; connect-src 'self'; frame-src 'self'; form-action 'self'; \
                         frame-ancestors 'none'; base-uri 'none'";

/// htmx stops asking when it is answered with this.
const STOP: u16 = 286;

/// 200 with a page.
pub fn page(page: &impl Template) -> Answer {
    page_as(StatusCode::OK, page)
}

/// A page with another status: 422 where a form comes back.
pub fn page_as(status: StatusCode, page: &impl Template) -> Answer {
    let text = page.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Failed::new(Trouble::broken())
    })?;
    Ok(html(status, text))
}

/// A part of a page that is asked for again and again, and need not be any more.
pub fn last_of(part: &impl Template) -> Answer {
    page_as(StatusCode::from_u16(STOP).unwrap_or(StatusCode::OK), part)
}

/// A page with a mail in a frame of it.
pub fn with_mail(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(WITH_MAIL);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// HTML as it is.
pub fn html(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

/// To another page of ours, which is then read: what a form that was acted on is answered with.
pub fn to(path: &str) -> Response {
    let path = local(path).unwrap_or("/");
    let place = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// The same, and what that page says first.
pub fn to_say(path: &str, flash: Flash) -> Answer {
    Ok(with(to(path), Some(flash)))
}

/// An answer with what the next page says first.
pub fn with(mut response: Response, flash: Option<Flash>) -> Response {
    if let Some(flash) = flash {
        response.extensions_mut().insert(flash);
    }
    response
}

/// A path of ours, never a way to another site.
pub fn local(path: &str) -> Option<&str> {
    let second = path.as_bytes().get(1);
    let ours = path.starts_with('/') && !matches!(second, Some(b'/' | b'\\')) && path.len() <= 2_000;
    (ours && path.bytes().all(|b| b.is_ascii_graphic())).then_some(path)
}

/// The page that this request came from, if it was one of ours.
pub fn back(headers: &HeaderMap, otherwise: &str) -> String {
    let from = text(headers, "hx-current-url").or_else(|| text(headers, "referer"));
    let url = from.and_then(|from| Url::parse(from).ok());
    let path = url.map(|url| match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    });
    path.as_deref().and_then(local).unwrap_or(otherwise).to_owned()
}

/// Whether htmx asks, so that a part is enough.
pub fn from_script(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// Every answer's own protection, and a plain page for what went wrong outside of the console's frame.
pub async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(trouble) = response.extensions_mut().remove::<Trouble>() {
        response = trouble.bare();
    }
    let fixed = [
        (header::CACHE_CONTROL, "private, no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ];
    for (name, value) in fixed {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_leads_to_another_site() {
        for ours in ["/", "/orders?q=a&b=1"] {
            assert_eq!(local(ours), Some(ours));
        }
        for theirs in
            ["", "orders", "//evil.example", "/\\evil.example", "https://evil.example/", "/a\nb", "/ä"]
        {
            assert_eq!(local(theirs), None, "{theirs}");
        }
        let from = |referer: &str| {
            let value = HeaderValue::from_str(referer).unwrap();
            back(&HeaderMap::from_iter([(header::REFERER, value)]), "/")
        };
        assert_eq!(from("http://127.0.0.1:1/orders?stage=stg_a"), "/orders?stage=stg_a");
        assert_eq!(from("nonsense"), "/");
    }
}
