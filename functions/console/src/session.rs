//! Who is signed in, as the browser keeps it: a signed cookie that names the key (or member) and ends by itself.
//! It proves who came; what they may do is read anew for each request.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use stagepost_domain::id::ShopId;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};
use url::Url;

use crate::sealed::{Keys, Purpose};

/// How long somebody who signed in with a key stays signed in.
pub const LASTS: SignedDuration = SignedDuration::from_hours(12);

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The hash by which the API key is found that was signed in with.
    pub key: String,
    /// Its shop.
    pub shop: ShopId,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Session {
    /// One that begins now.
    #[must_use]
    pub fn new(key: String, shop: ShopId, now: Timestamp) -> Self {
        Self { key, shop, since: now, until: later(now, LASTS) }
    }

    /// The session of a request, with the text that it came as, unless it has ended.
    #[must_use]
    pub fn of(keys: &Keys, jar: &Jar, headers: &HeaderMap, now: Timestamp) -> Option<(Self, String)> {
        let text = jar.read(headers, SESSION)?;
        let session: Self = keys.open(Purpose::Session, &text)?;
        (session.since <= now && now < session.until).then_some((session, text))
    }
}

/// The cookie of the session.
pub const SESSION: &str = "stagepost";
/// The cookie of what the next page says first.
pub const FLASH: &str = "stagepost-flash";

/// Reads and writes the console's cookies. Over https they carry the prefix by which a browser takes them from
/// this very host alone.
#[derive(Debug, Clone, Copy)]
pub struct Jar {
    secure: bool,
}

impl Jar {
    /// The one of a console that people reach at `public`.
    #[must_use]
    pub fn of(public: &Url) -> Self {
        Self { secure: public.scheme() == "https" }
    }

    fn name(self, cookie: &str) -> String {
        if self.secure { format!("__Host-{cookie}") } else { cookie.to_owned() }
    }

    /// A cookie's value.
    #[must_use]
    pub fn read(self, headers: &HeaderMap, cookie: &str) -> Option<String> {
        let name = self.name(cookie);
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }

    /// A `Set-Cookie` for so many seconds; none takes it away.
    #[must_use]
    pub fn write(self, cookie: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
        let (name, secure) = (self.name(cookie), if self.secure { "; Secure" } else { "" });
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_session_ends_and_is_bound_to_the_keys_it_was_signed_with() {
        let (keys, jar) = (Keys::of_deployment(&[1; 32]), Jar { secure: false });
        let now = Timestamp::UNIX_EPOCH;
        let session = Session::new("h".to_owned(), ShopId::parse("shop_a").unwrap(), now);
        let text = keys.sign(Purpose::Session, &session);
        let headers = sent(&format!("a=b; stagepost={text}"));
        let found = |keys: &Keys, now| Session::of(keys, &jar, &headers, now).map(|(s, _)| s);
        assert_eq!(found(&keys, now), Some(session));
        assert_eq!(found(&keys, later(now, LASTS)), None);
        assert_eq!(found(&Keys::of_deployment(&[2; 32]), now), None);
    }

    #[test]
    fn over_https_a_cookie_is_this_hosts_alone() {
        let jar = Jar::of(&Url::parse("https://a.example/").unwrap());
        let cookie = jar.write(SESSION, "x", 1).unwrap();
        assert_eq!(cookie, "__Host-stagepost=x; Path=/; Max-Age=1; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(jar.read(&sent("stagepost=forged; __Host-stagepost=x"), SESSION).as_deref(), Some("x"));
        let plain = Jar::of(&Url::parse("http://127.0.0.1:8787/").unwrap()).write(SESSION, "x", 1).unwrap();
        assert!(!plain.to_str().unwrap().contains("Secure"));
    }
}
