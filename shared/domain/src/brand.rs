//! How a shop looks to its customers: the colour and the logo of its tracking page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::text::Invalid;

/// Largest logo, in bytes: the page holds it, and a page is 50 KB at most.
pub const LOGO_MAX: usize = 10 * 1024;

/// How a shop looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brand {
    /// `#rrggbb`, for lines and marks: words stay in colours that everybody can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Its logo, if it has one. Kept here, so that a customer's browser asks nobody else for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
}

/// The colour of a tracking page whose shop chose none.
pub const COLOR: &str = "#2563eb";

/// `#rrggbb` in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color(String);

impl Color {
    /// Reads `#rrggbb`.
    ///
    /// # Errors
    /// It is not such a colour.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim().to_ascii_lowercase();
        if is_color(&text) {
            Ok(Self(text))
        } else {
            Err(Invalid::new("color", "must be a colour like #1a2b3c"))
        }
    }

    /// As in CSS.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a colour as `#rrggbb`, in either case.
pub(crate) fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl TryFrom<String> for Color {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|_| format!("not a colour: {text}"))
    }
}

impl From<Color> for String {
    fn from(color: Color) -> Self {
        color.0
    }
}

/// A picture in one of the formats that every browser shows, none of which can hold a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    kind: Picture,
    /// In base64.
    data: String,
}

/// Formats of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Picture {
    Png,
    Jpeg,
    Webp,
    Gif,
}

impl Logo {
    /// Reads a picture in base64. What it is follows from its first bytes, not from what it is called.
    ///
    /// # Errors
    /// It is no base64, too large, or none of PNG, JPEG, WebP and GIF.
    pub fn parse(data: &str) -> Result<Self, Invalid> {
        let refused = |reason: &str| Invalid::new("logo", reason);
        // A data: URL is how a browser hands a picture over.
        let data = data.trim();
        let data =
            data.strip_prefix("data:").and_then(|url| url.split_once(',')).map_or(data, |(_, data)| data);
        if data.len() > LOGO_MAX.div_ceil(3) * 4 {
            return Err(refused("must have at most 10 KB"));
        }
        let bytes = STANDARD.decode(data).map_err(|_| refused("must be a picture in base64"))?;
        let kind = Picture::of(&bytes).ok_or_else(|| refused("must be a PNG, JPEG, WebP or GIF"))?;
        if bytes.len() > LOGO_MAX {
            return Err(refused("must have at most 10 KB"));
        }
        Ok(Self { kind, data: data.to_owned() })
    }

    /// As a page holds it.
    #[must_use]
    pub fn data_url(&self) -> String {
        let kind = match self.kind {
            Picture::Png => "png",
            Picture::Jpeg => "jpeg",
            Picture::Webp => "webp",
            Picture::Gif => "gif",
        };
        format!("data:image/{kind};base64,{}", self.data)
    }
}

impl Picture {
    fn of(bytes: &[u8]) -> Option<Self> {
        let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            _ => webp.then_some(Self::Webp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_hex_digits_and_nothing_that_could_end_a_style() {
        assert_eq!(Color::parse(" #1A2b3C ").unwrap().as_str(), "#1a2b3c");
        for wrong in ["", "#", "red", "#12345", "#1234567", "#12345g", "1a2b3c", "#12;}x{"] {
            assert!(Color::parse(wrong).is_err(), "{wrong}");
            assert!(serde_json::from_value::<Color>(wrong.into()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_logo_is_what_its_bytes_say_and_small() {
        let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
        let png = b"\x89PNG\r\n\x1a\nrest";
        let logo = Logo::parse(&base64(png)).unwrap();
        assert_eq!(logo.data_url(), format!("data:image/png;base64,{}", base64(png)));
        assert_eq!(Logo::parse(&logo.data_url()).unwrap(), logo, "as a browser hands it over");
        assert!(
            Logo::parse(&format!("data:image/svg+xml;base64,{}", base64(png))).is_ok(),
            "the bytes count"
        );
        let full: Vec<u8> = png.iter().copied().chain(std::iter::repeat(0)).take(LOGO_MAX).collect();
        assert!(Logo::parse(&base64(&full)).is_ok());
        assert!(Logo::parse(&base64(&[&full[..], &[0]].concat())).is_err());
        for wrong in [&b"<svg onload=alert(1)>"[..], b"", b"RIFF1234WAVE", b"\x89PN"] {
            assert!(Logo::parse(&base64(wrong)).is_err(), "{wrong:?}");
        }
        assert!(Logo::parse("not base64!").is_err());
    }
}
