//! The plain twin of an HTML part.

use nanohtml2text::html2text;

use super::FULLEST_MAX;
use crate::text::truncated;

/// What a reader without HTML gets: words, links behind their words in brackets, one blank line between
/// blocks at most. Padding that only mail clients' previews look at (zero-width characters) is dropped.
pub(super) fn from_html(html: &str) -> String {
    let padding =
        |c: char| matches!(c, '\u{200b}'..='\u{200d}' | '\u{2007}' | '\u{feff}' | '\u{ad}' | '\u{34f}');
    let text = html2text(html).replace('\u{a0}', " ");
    let mut plain = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.lines() {
        let line: String = line.chars().filter(|c| !padding(*c)).collect();
        let line = line.trim();
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank <= 1 && !(line.is_empty() && plain.is_empty()) {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    truncated(plain.trim_end(), FULLEST_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::prop;
    use proptest::{prop_assert, proptest};

    use super::*;

    #[test]
    fn a_reader_without_html_gets_words_and_links() {
        for (html, text) in [
            ("", ""),
            ("<p>Hello &amp; welcome</p><p>Bye</p>", "Hello & welcome\n\nBye"),
            (
                "<a href=\"https://a.example/?a=1&amp;b=2\">Track it</a>",
                "Track it (https://a.example/?a=1&b=2)",
            ),
            ("<style>p{}</style><title>T</title><!--[if mso]><p>no</p><![endif]-->yes", "yes"),
            ("<table><tr><td>Boat</td></tr><tr><td>2 pieces</td></tr></table>", "Boat\n2 pieces"),
            (
                "<div>Soon there&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;</div>\n\n<div>Hello</div>",
                "Soon there\n\nHello",
            ),
            ("<br><br><br>a<br><br><br><br>b", "a\nb"),
        ] {
            assert_eq!(from_html(html), text, "{html}");
        }
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(1_000))]
        #[test]
        fn no_html_panics_or_grows(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "<", ">", "</", "a", " href=", "\"", "'", "<a href=\"x\">", "</a>", "<!--", "-->", "&", "&amp;", "&#x", ";",
                "<style>", "<p>", "é", "\u{a0}", "\n", "\u{0}", "<pre>", "</pre>", "<br/>", "=", "&#9999999999;",
            ]), 0..60),
        ) {
            let html = pieces.concat();
            prop_assert!(from_html(&html).len() <= html.len() * 4 + 100, "{}", html);
        }
    }
}
