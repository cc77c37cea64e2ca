//! The console's keys, and notes that go to a browser and come back: signed, so that they come back as they went
//! or not at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use stagepost_domain::search::SearchKey;
use stagepost_domain::session::SessionKey;

/// Longest signed text that is looked at; a cookie has no more.
const TEXT_MAX: usize = 4_096;

/// The console's keys: each hangs on the deployment's, and is another than any of its other uses.
#[derive(Clone)]
pub struct Keys {
    /// Signs sessions and their forms.
    pub sessions: SessionKey,
    /// Hashes e-mail addresses.
    pub search: SearchKey,
    notes: [u8; 32],
}

impl Keys {
    /// Those of a deployment.
    #[must_use]
    pub fn of_deployment(key: &[u8; 32]) -> Self {
        let (sessions, search) = (SessionKey::of_deployment(key), SearchKey::of_deployment(key));
        Self { sessions, search, notes: mac(key, b"console notes") }
    }

    /// A note to a later page, as signed text.
    #[must_use]
    pub fn note<T: Serialize>(&self, value: &T) -> String {
        let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default());
        let tag = self.tag(&body);
        format!("{body}.{tag}")
    }

    fn tag(&self, body: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.notes, body.as_bytes()))
    }

    /// What a note says, if it is one of ours; compared in constant time.
    #[must_use]
    pub fn noted<T: DeserializeOwned>(&self, text: &str) -> Option<T> {
        let (body, tag) = text.split_once('.').filter(|_| text.len() <= TEXT_MAX)?;
        let own = self.tag(body);
        let differs = own.bytes().zip(tag.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) != 0;
        if own.len() != tag.len() || differs {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
    }
}

fn mac(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let tag = Hmac::<Sha256>::new_from_slice(key).map(|mut mac| {
        mac.update(text);
        mac.finalize().into_bytes().into()
    });
    // HMAC takes keys of every length.
    tag.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_comes_back_changed_says_nothing() {
        let keys = Keys::of_deployment(&[1; 32]);
        let text = keys.note(&"a");
        assert_eq!(keys.noted::<String>(&text).as_deref(), Some("a"));
        assert_eq!(Keys::of_deployment(&[2; 32]).noted::<String>(&text), None);
        let (body, tag) = text.split_once('.').unwrap();
        for bad in ["", ".", body, &format!("{body}x.{tag}"), &format!("{body}.{tag}x"), &"a".repeat(9_999)] {
            assert_eq!(keys.noted::<String>(bad), None, "{bad}");
        }
    }
}
