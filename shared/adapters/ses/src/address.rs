//! Addresses as header text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stagepost_app::ports::ActError;
use stagepost_domain::text::tidy;

/// Longest display name, in bytes.
const NAME_MAX: usize = 200;
/// Longest address (RFC 5321).
const ADDRESS_MAX: usize = 254;
/// Bytes in one encoded word: 60 letters of base64, and with `=?UTF-8?B?` and `?=` below 75 (RFC 2047 §2).
const WORD_BYTES: usize = 45;

/// `Name <address>` for a From header. A name with special characters is quoted, one beyond ASCII becomes
/// RFC 2047 encoded words (integrations §7.1); control characters, and with them line breaks, are dropped.
#[must_use]
pub fn from_header(name: &str, address: &str) -> String {
    let address: String = address.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    match tidy(name, NAME_MAX) {
        None => address,
        Some(name) => format!("{} <{address}>", phrase(&name)),
    }
}

fn phrase(name: &str) -> String {
    if !name.is_ascii() {
        return encoded_words(name);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&b);
    if name.bytes().all(plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', r"\\").replace('"', r#"\""#))
}

fn encoded_words(name: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in name.chars() {
        // A character is never split between two words.
        if word.len() + c.len_utf8() > WORD_BYTES {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    words.iter().map(|w| format!("=?UTF-8?B?{}?=", STANDARD.encode(w))).collect::<Vec<_>>().join(" ")
}

/// A sender as configured, `Name <address>` or an address, made fit for the header. What
/// [`from_header`] made stays as it is.
pub(crate) fn sender(from: &str) -> String {
    match from.trim().strip_suffix('>').and_then(|f| f.rsplit_once('<')) {
        Some((name, address)) => from_header(&unquoted(name.trim()), address),
        None => from_header("", from),
    }
}

fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    plain
}

/// One plain address and nothing else: a list or a display name smuggled into the field never leaves.
/// SES wants ASCII: an international domain is put in its ASCII form, an international local part cannot be.
pub(crate) fn recipient(to: &str) -> Result<String, ActError> {
    let refused = || ActError::permanent("the customer's e-mail address is not valid");
    let to = to.trim();
    let (local, domain) = to.rsplit_once('@').ok_or_else(refused)?;
    let special = |c: char| c.is_control() || c.is_whitespace() || r#",;:<>()[]"\@"#.contains(c);
    if local.is_empty() || domain.is_empty() || local.chars().chain(domain.chars()).any(special) {
        return Err(refused());
    }
    if !local.is_ascii() {
        return Err(ActError::permanent("SES cannot send to an address with such letters before the @"));
    }
    let address = match domain.is_ascii() {
        true => to.to_owned(),
        false => format!("{local}@{}", url::Host::parse(domain).map_err(|_| refused())?),
    };
    if address.len() > ADDRESS_MAX { Err(refused()) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_senders_name_survives_the_header() {
        for (name, header) in [
            ("", "shop@example.com"),
            ("The Shop", "The Shop <shop@example.com>"),
            ("Smith, Sons & Co.", r#""Smith, Sons & Co." <shop@example.com>"#),
            (r#"The "Best" \ Shop"#, r#""The \"Best\" \\ Shop" <shop@example.com>"#),
            ("Müller", "=?UTF-8?B?TcO8bGxlcg==?= <shop@example.com>"),
            ("Evil\r\nBcc: x@example.com", r#""Evil  Bcc: x@example.com" <shop@example.com>"#),
        ] {
            assert_eq!(from_header(name, "shop@example.com"), header, "{name}");
        }
    }

    #[test]
    fn a_sender_that_is_already_a_header_stays_as_it_is() {
        for name in ["", "The Shop", "Smith, Sons", r#"The "Best""#, "Müller & Söhne"] {
            let once = from_header(name, "shop@example.com");
            assert_eq!(sender(&once), once);
        }
        assert_eq!(sender("Café Größe <a@example.com>"), from_header("Café Größe", "a@example.com"));
    }

    #[test]
    fn a_recipient_is_one_plain_address() {
        assert_eq!(recipient(" anna@example.com ").unwrap(), "anna@example.com");
        assert_eq!(recipient("o'neil+x@example.com").unwrap(), "o'neil+x@example.com");
        assert_eq!(recipient("anna@bücher.example").unwrap(), "anna@xn--bcher-kva.example");
        for bad in [
            "",
            "anna",
            "@example.com",
            "anna@",
            "a@example.com,b@example.com",
            "Anna <a@example.com>",
            "a@b@example.com",
            "a b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "änna@example.com",
            &format!("{}@example.com", "a".repeat(250)),
        ] {
            assert!(recipient(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_header_is_one_ascii_line_of_short_words(name in "\\PC{0,300}|[\\x00-\\x7f]{0,300}") {
            let header = from_header(&name, "shop@example.com");
            prop_assert!(header.bytes().all(|b| (b' '..=b'~').contains(&b)), "{}", header);
            for word in header.split(' ').filter(|w| w.starts_with("=?UTF-8?B?")) {
                prop_assert!(word.len() <= 75, "{}", word);
            }
        }

        #[test]
        fn an_encoded_name_reads_back(name in "[äöü漢字🎁 a]{1,60}ß") {
            let words = phrase(&name);
            let bytes: Vec<u8> = words
                .split(' ')
                .map(|w| w.strip_prefix("=?UTF-8?B?").unwrap().strip_suffix("?=").unwrap())
                .flat_map(|w| STANDARD.decode(w).unwrap())
                .collect();
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), name);
        }
    }
}
