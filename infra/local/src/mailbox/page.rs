//! Captured mails as their customers would see them.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use http::{HeaderMap, HeaderName, StatusCode};

use super::{Captured, Mailbox};

/// A mail's HTML was written by somebody else: it runs no script, sends nothing, and pictures come by https.
const OF_A_MAIL: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src https: data:";
/// Our own pages hold a mail in a frame and run nothing.
const OF_OURS: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "mailbox.html")]
struct List<'a> {
    mails: &'a [Captured],
}

#[derive(Template)]
#[template(path = "mail.html")]
struct One<'a> {
    mail: &'a Captured,
}

/// Answers below `/_local/mailbox`; `None` is a page that there is not. Programs get the list as JSON.
pub fn answer(mailbox: &Mailbox, path: &[&str], headers: &HeaderMap) -> Option<Response> {
    let mut mails = mailbox.mails();
    mails.reverse();
    let one = |id: &str| mails.iter().find(|mail| mail.id == id);
    match path {
        [] if wants_html(headers) => Some(page(OF_OURS, List { mails: &mails }.render())),
        [] => Some(axum::Json(mails).into_response()),
        [id] => Some(page(OF_OURS, One { mail: one(id)? }.render())),
        [id, "html"] => Some(page(OF_A_MAIL, Ok(one(id)?.html.clone()?))),
        _ => None,
    }
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn page(policy: &'static str, body: askama::Result<String>) -> Response {
    let headers: [(HeaderName, &str); 2] =
        [(CONTENT_SECURITY_POLICY, policy), (REFERRER_POLICY, "no-referrer")];
    match body {
        Ok(body) => (headers, Html(body)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use stagepost_app::ports::{Mail, Mailer};
    use stagepost_lambda::system::{SystemClock, SystemEntropy};

    use super::*;

    async fn shown(mailbox: &Mailbox, path: &[&str]) -> (String, String) {
        let headers = HeaderMap::from_iter([(ACCEPT, "text/html,*/*".parse().unwrap())]);
        let response = answer(mailbox, path, &headers).unwrap();
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (policy, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_mail_is_shown_as_it_is_and_can_do_nothing() {
        let mailbox = Mailbox::in_memory(Arc::new(SystemClock), Arc::new(SystemEntropy));
        assert!(shown(&mailbox, &[]).await.1.contains("No mail yet"));
        let html = "<script>alert(1)</script><b>Hello</b>";
        let mail = Mail {
            from: "Shop <a@shop.example>".into(),
            reply_to: None,
            to: "b@customer.example".into(),
            subject: "<i>Sent</i>".into(),
            html: Some(html.into()),
            text: Some("</pre><script>".into()),
            tags: std::collections::BTreeMap::new(),
            configuration_set: None,
        };
        let id = mailbox.send(&mail).await.unwrap();
        let (_, list) = shown(&mailbox, &[]).await;
        assert!(list.contains(&id) && !list.contains("<i>"), "{list}");
        let (policy, one) = shown(&mailbox, &[&id]).await;
        assert!(!policy.contains("script-src") && policy.contains("default-src 'none'"));
        assert!(!one.contains("<script") && one.contains("b@customer.example"), "{one}");
        let (policy, raw) = shown(&mailbox, &[&id, "html"]).await;
        assert_eq!(raw, html);
        assert!(policy.starts_with("sandbox;"), "no script runs in it, also when it is opened alone");
        assert!(answer(&mailbox, &["mail-x"], &HeaderMap::new()).is_none());
    }
}
