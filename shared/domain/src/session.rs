//! Sessions: who is signed in, in a token that nobody else can make.
//!
//! A token says who somebody is and no more. What they may do is read at each request, so that a removed member,
//! a lowered role, a revoked key and a sign-out count at once (docs/adr/0017).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::id::{KeyId, MemberId, ShopId};
use crate::run::later;

/// How long a session lasts after it was begun or renewed.
pub const SESSION_KEPT: SignedDuration = SignedDuration::from_hours(12);
/// How old a member's session must be to be renewed.
pub const RENEWED_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// How long a session lasts at most, however often it is renewed.
pub const SESSION_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// As whom somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Who {
    /// A member of the shop.
    Member(MemberId),
    /// Whoever has an API key.
    Key(KeyId),
}

impl Who {
    fn parse(text: &str) -> Option<Self> {
        let member = MemberId::parse(text).map(Self::Member);
        member.or_else(|_| KeyId::parse(text).map(Self::Key)).ok()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Member(id) => id.as_str(),
            Self::Key(id) => id.as_str(),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody who signed in, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Tells two sessions of one person apart. It stays when the session is renewed, and so do the tokens of the
    /// forms that are open.
    pub id: [u8; 16],
    /// As whom.
    pub who: Who,
    /// Where.
    pub shop: ShopId,
    /// When they signed in. A renewed session is as old as it was, so that a sign-out ends it whenever it was
    /// renewed.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

impl Session {
    /// A session that begins at `since`.
    #[must_use]
    pub fn begun(id: [u8; 16], who: Who, shop: ShopId, since: Timestamp) -> Self {
        Self { id, who, shop, since, until: later(since, SESSION_KEPT) }
    }

    /// The session as it is to be told anew, if it is time: a member's goes on while they work, a key's ends.
    #[must_use]
    pub fn renewed(&self, now: Timestamp) -> Option<Self> {
        let until = later(now, SESSION_KEPT).min(later(self.since, SESSION_MAX));
        let told_at_latest = later(self.until, -SESSION_KEPT);
        let due = now >= later(told_at_latest, RENEWED_AFTER) && until > self.until;
        match self.who {
            Who::Member(_) if due => Some(Self { until, ..self.clone() }),
            Who::Member(_) | Who::Key(_) => None,
        }
    }
}

/// Signs sessions and the forms that are sent in them.
#[derive(Clone)]
pub struct SessionKey {
    sessions: [u8; 32],
    forms: [u8; 32],
}

/// The version of a token, in front of it.
const VERSION: &str = "1";
/// Longest token that is looked at.
const TOKEN_MAX: usize = 300;

impl SessionKey {
    /// The one of a deployment: two keys that hang on the deployment's, each for one purpose.
    #[must_use]
    pub fn of_deployment(key: &[u8; 32]) -> Self {
        let derived = |purpose: &[u8]| mac(key, purpose).finalize().into_bytes().into();
        Self { sessions: derived(b"console sessions"), forms: derived(b"console forms") }
    }

    /// The token of a session, as a cookie takes it.
    #[must_use]
    pub fn token(&self, session: &Session) -> String {
        let Session { id, who, shop, since, until } = session;
        let (since, until) = (since.as_millisecond(), until.as_millisecond());
        let told = format!("{VERSION}.{who}.{shop}.{since}.{until}.{}", URL_SAFE_NO_PAD.encode(id));
        let tag = mac(&self.sessions, told.as_bytes()).finalize().into_bytes();
        format!("{told}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The session of a token, if we made it and it has not ended. Nothing of it is read before its signature,
    /// which is compared in constant time.
    #[must_use]
    pub fn session(&self, token: &str, now: Timestamp) -> Option<Session> {
        let (told, tag) = token.rsplit_once('.').filter(|_| token.len() <= TOKEN_MAX)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        mac(&self.sessions, told.as_bytes()).verify_slice(&tag).ok()?;
        read(told).filter(|session| now < session.until)
    }

    /// What every form of a session carries, so that no other site's page can send one.
    #[must_use]
    pub fn csrf(&self, session: &Session) -> String {
        URL_SAFE_NO_PAD.encode(self.form_mac(session).finalize().into_bytes())
    }

    /// Whether a form was made for this session, told in constant time.
    #[must_use]
    pub fn is_csrf(&self, session: &Session, told: &str) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(told.get(..TOKEN_MAX).unwrap_or(told));
        tag.is_ok_and(|tag| self.form_mac(session).verify_slice(&tag).is_ok())
    }

    fn form_mac(&self, session: &Session) -> Hmac<Sha256> {
        let Session { id, who, shop, .. } = session;
        mac(&self.forms, format!("{who}.{shop}.{}", URL_SAFE_NO_PAD.encode(id)).as_bytes())
    }
}

fn read(told: &str) -> Option<Session> {
    let parts: Vec<&str> = told.split('.').collect();
    let [VERSION, who, shop, since, until, id] = parts.as_slice() else { return None };
    let time = |text: &str| text.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Some(Session {
        id: URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?,
        who: Who::parse(who)?,
        shop: ShopId::parse(shop).ok()?,
        since: time(since)?,
        until: time(until)?,
    })
}

fn mac(key: &[u8; 32], text: &[u8]) -> Hmac<Sha256> {
    // A short key is padded with zeros to HMAC's block, as HMAC itself does.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    fn hours(after: i64) -> Timestamp {
        later("2026-03-01T10:00:00Z".parse().unwrap(), SignedDuration::from_hours(after))
    }

    fn key() -> SessionKey {
        SessionKey::of_deployment(&[7; 32])
    }

    fn member() -> Who {
        Who::Member(MemberId::parse("mem_a").unwrap())
    }

    fn session(who: Who) -> Session {
        Session::begun([1; 16], who, ShopId::parse("shop_a").unwrap(), hours(0))
    }

    #[test]
    fn a_token_says_who_until_it_ends_and_nobody_else_makes_one() {
        let session = session(member());
        let token = key().token(&session);
        assert_eq!(key().session(&token, hours(11)), Some(session.clone()));
        assert_eq!(key().session(&token, hours(12)), None, "it has ended");
        let other = SessionKey::of_deployment(&[8; 32]);
        assert_eq!(other.session(&token, hours(0)), None, "another deployment's");
        for forged in [
            token.replace("mem_a", "mem_b"),
            token.replace("shop_a", "shop_b"),
            token.replacen("1.", "2.", 1),
            token.trim_end_matches(|c| c != '.').to_owned(),
            format!("{token}."),
            format!("{token}A"),
            String::new(),
            "1.mem_a.shop_a.0.99999999999999.AQEBAQEBAQEBAQEBAQEBAQ.".to_owned(),
        ] {
            assert_eq!(key().session(&forged, hours(0)), None, "{forged}");
        }
    }

    #[test]
    fn a_members_session_is_renewed_after_an_hour_for_thirty_days_and_a_keys_never() {
        let begun = session(member());
        assert_eq!(begun.renewed(hours(0)), None);
        let renewed = begun.renewed(hours(1)).unwrap();
        assert_eq!((renewed.since, renewed.until), (hours(0), hours(13)));
        assert_eq!(renewed.renewed(hours(1)), None);
        assert_eq!(Session { until: begun.until, ..renewed.clone() }, begun, "it is the same session");
        let month = 30 * 24;
        let old = Session { until: hours(month - 2), ..begun };
        assert_eq!(old.renewed(hours(month - 3)).unwrap().until, hours(month));
        let last = Session { until: hours(month), ..old };
        assert_eq!(last.renewed(hours(month - 1)), None, "it ends there");
        let key = session(Who::Key(KeyId::parse("key_a").unwrap()));
        assert_eq!(key.renewed(hours(11)), None);
    }

    #[test]
    fn a_form_belongs_to_its_session_however_often_it_is_renewed() {
        let session = session(member());
        let form = key().csrf(&session);
        assert!(key().is_csrf(&session, &form));
        assert!(key().is_csrf(&session.renewed(hours(5)).unwrap(), &form));
        let another = Session { id: [2; 16], ..session.clone() };
        let elsewhere = Session { shop: ShopId::parse("shop_b").unwrap(), ..session.clone() };
        let somebody = Session { who: Who::Key(KeyId::parse("key_a").unwrap()), ..session.clone() };
        for other in [another, elsewhere, somebody] {
            assert!(!key().is_csrf(&other, &form));
        }
        let token = key().token(&session);
        let tag = token.rsplit('.').next().unwrap();
        for wrong in ["", "x", tag, &"A".repeat(43), &"ä".repeat(400)] {
            assert!(!key().is_csrf(&session, wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_session_is_read_back_as_it_was_written(
            id: [u8; 16],
            who in "(mem|key)_[a-zA-Z0-9]{1,40}",
            shop in "shop_[a-zA-Z0-9]{1,40}",
            since in 0_i64..4_000_000_000_000,
        ) {
            let since = Timestamp::from_millisecond(since).unwrap();
            let session = Session::begun(id, Who::parse(&who).unwrap(), ShopId::parse(&shop).unwrap(), since);
            prop_assert_eq!(key().session(&key().token(&session), since), Some(session));
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,350}") {
            prop_assert_eq!(key().session(&text, hours(0)), None);
        }
    }
}
