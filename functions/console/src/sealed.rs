//! What goes to a browser and comes back: signed, so that it comes back as it went or not at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use stagepost_domain::search::SearchKey;

/// Longest signed text that is looked at; a cookie has no more.
const TEXT_MAX: usize = 4_096;

/// What a signature is for: one made for one purpose is none for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Who is signed in.
    Session,
    /// That a form is ours.
    Form,
    /// What the next page says first.
    Flash,
}

impl Purpose {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Session => b"session",
            Self::Form => b"form",
            Self::Flash => b"flash",
        }
    }
}

/// The console's keys: each hangs on the deployment's, and is another than any of its other uses.
#[derive(Clone)]
pub struct Keys {
    signing: [u8; 32],
    /// Hashes e-mail addresses.
    pub search: SearchKey,
}

impl Keys {
    /// Those of a deployment.
    #[must_use]
    pub fn of_deployment(key: &[u8; 32]) -> Self {
        Self { signing: mac(key, &[b"console"]), search: SearchKey::of_deployment(key) }
    }

    /// The tag of a text, in base64.
    #[must_use]
    pub fn tag(&self, purpose: Purpose, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.signing, &[purpose.word(), b"\0", text.as_bytes()]))
    }

    /// Whether a tag is the text's, told in constant time.
    #[must_use]
    pub fn fits(&self, purpose: Purpose, text: &str, tag: &str) -> bool {
        let own = self.tag(purpose, text);
        own.len() == tag.len() && own.bytes().zip(tag.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
    }

    /// A value as signed text.
    #[must_use]
    pub fn sign<T: Serialize>(&self, purpose: Purpose, value: &T) -> String {
        let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default());
        let tag = self.tag(purpose, &body);
        format!("{body}.{tag}")
    }

    /// The value of a signed text, if it is one of ours.
    #[must_use]
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Option<T> {
        let (body, tag) = text.split_once('.').filter(|_| text.len() <= TEXT_MAX)?;
        if !self.fits(purpose, body, tag) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
    }
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let tag = Hmac::<Sha256>::new_from_slice(key).map(|mut mac| {
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    });
    // HMAC takes keys of every length.
    tag.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_changed_or_for_another_purpose_is_nothing() {
        let keys = Keys::of_deployment(&[1; 32]);
        let text = keys.sign(Purpose::Flash, &"a");
        assert_eq!(keys.open::<String>(Purpose::Flash, &text).as_deref(), Some("a"));
        assert_eq!(keys.open::<String>(Purpose::Session, &text), None);
        assert_eq!(Keys::of_deployment(&[2; 32]).open::<String>(Purpose::Flash, &text), None);
        let (body, tag) = text.split_once('.').unwrap();
        for bad in ["", ".", body, &format!("{body}x.{tag}"), &format!("{body}.{tag}x"), &"a".repeat(9_999)] {
            assert_eq!(keys.open::<String>(Purpose::Flash, bad), None, "{bad}");
        }
    }
}
