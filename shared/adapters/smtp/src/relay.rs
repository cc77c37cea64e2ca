//! Where mail goes, as a URL: `smtps://user:password@host:465`, `smtp://user:password@host:587`.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// Port of SMTP over TLS (RFC 8314).
const TLS_PORT: u16 = 465;
/// Port of submission (RFC 6409).
const SUBMISSION_PORT: u16 = 587;

/// How the conversation is kept secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (`smtps`).
    Tls,
    /// `STARTTLS`, and no mail without it (`smtp`).
    StartTls,
    /// Not at all: on this machine only.
    None,
}

/// A mail relay and how one is let in there.
#[derive(Clone, PartialEq, Eq)]
pub struct Relay {
    host: String,
    port: u16,
    security: Security,
    login: Option<(String, String)>,
}

/// Why a URL is no relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayRefused {
    /// It is no URL.
    #[error("is not a URL")]
    NoUrl,
    /// Another scheme.
    #[error("must start with smtps:// or smtp://")]
    Scheme,
    /// No host.
    #[error("must name a host")]
    NoHost,
    /// A user without a password, or the other way round, or not in UTF-8.
    #[error("must have both user and password, or neither")]
    Login,
    /// A path, a query or a fragment.
    #[error("must end with host or port")]
    Rest,
}

impl Relay {
    /// Reads the URL of a relay. User and password are percent-encoded, as in any URL.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, RelayRefused> {
        let url = Url::parse(text.trim()).map_err(|_| RelayRefused::NoUrl)?;
        let host = match url.host().ok_or(RelayRefused::NoHost)? {
            Host::Ipv6(ip) => ip.to_string(),
            other => other.to_string(),
        };
        let security = match url.scheme() {
            "smtps" => Security::Tls,
            "smtp" if is_loopback(&host) => Security::None,
            "smtp" => Security::StartTls,
            _ => return Err(RelayRefused::Scheme),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(RelayRefused::Rest);
        }
        let port = match security {
            Security::Tls => TLS_PORT,
            Security::StartTls | Security::None => SUBMISSION_PORT,
        };
        Ok(Self { host, port: url.port().unwrap_or(port), security, login: login(&url)? })
    }

    /// Host and port.
    #[must_use]
    pub fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// How the conversation is kept secret.
    #[must_use]
    pub fn security(&self) -> Security {
        self.security
    }

    pub(crate) fn login(&self) -> Option<(&str, &str)> {
        self.login.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({}:{})", self.host, self.port)
    }
}

/// The scheme is none that the `url` crate reads addresses in: they come as names.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn login(url: &Url) -> Result<Option<(String, String)>, RelayRefused> {
    let plain = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_| RelayRefused::Login)
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(RelayRefused::Login),
        (user, Some(password)) => Ok(Some((plain(user)?, plain(password)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_secure_unless_it_is_on_this_machine() {
        for (text, place, security) in [
            ("smtps://mail.example", ("mail.example", 465), Security::Tls),
            ("smtp://mail.example", ("mail.example", 587), Security::StartTls),
            ("smtp://mail.example:25/", ("mail.example", 25), Security::StartTls),
            ("smtp://127.0.0.1:1025", ("127.0.0.1", 1025), Security::None),
            ("smtp://[::1]:1025", ("::1", 1025), Security::None),
            ("smtp://localhost", ("localhost", 587), Security::None),
            ("smtps://localhost", ("localhost", 465), Security::Tls),
        ] {
            let relay = Relay::parse(text).unwrap();
            assert_eq!((relay.place(), relay.security()), (place, security), "{text}");
        }
    }

    #[test]
    fn what_is_no_relay_says_why() {
        use RelayRefused::{Login, NoHost, NoUrl, Rest, Scheme};
        for (text, why) in [
            ("mail.example", NoUrl),
            ("https://mail.example", Scheme),
            ("smtp:mail", NoHost),
            ("smtp://user@mail.example", Login),
            ("smtp://:secret@mail.example", Login),
            ("smtp://%ff:x@mail.example", Login),
            ("smtp://mail.example/inbox", Rest),
            ("smtp://mail.example?tls=no", Rest),
        ] {
            assert_eq!(Relay::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn law_19_nothing_prints_the_password() {
        let relay = Relay::parse("smtps://us%40er:p%2Fw@mail.example").unwrap();
        assert_eq!(relay.login(), Some(("us@er", "p/w")));
        assert_eq!(format!("{relay:?}"), "Relay(mail.example:465)");
    }
}
