//! The console's cookies: the session, and what the next page says first.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use stagepost_domain::Timestamp;
use stagepost_domain::session::Session;
use url::Url;

use crate::sealed::Keys;

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

/// The session of a request, unless it has ended.
#[must_use]
pub fn session(keys: &Keys, jar: Jar, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
    keys.sessions.session(&jar.read(headers, SESSION)?, now)
}

/// The cookie of a session that begins or goes on.
#[must_use]
pub fn session_cookie(keys: &Keys, jar: Jar, session: &Session, now: Timestamp) -> Option<HeaderValue> {
    jar.write(SESSION, &keys.sessions.token(session), session.until.duration_since(now).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(value).unwrap())])
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
