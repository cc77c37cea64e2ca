//! Links that let somebody in once: how long they hold, why one does not, and the mail that brings one.

use handlebars::html_escape;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, MemberId, ShopId, link_hash};
use crate::member::Member;
use crate::run::later;
use crate::template::Rendered;
use crate::text::tidy;

/// Most links that an address is mailed in an hour, asked for by whomever.
pub const LINKS_PER_HOUR: u64 = 5;
/// Longest name that stands in a mail's subject, in bytes.
const NAME_MAX: usize = 200;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Somebody asked for it in the console, or an operator had it printed.
    SignIn,
    /// Somebody was invited.
    Invitation,
}

impl LinkKind {
    /// How long it holds.
    #[must_use]
    pub fn holds(self) -> SignedDuration {
        match self {
            Self::SignIn => SignedDuration::from_mins(15),
            Self::Invitation => SignedDuration::from_hours(7 * 24),
        }
    }

    /// The same in words.
    fn holds_in_words(self) -> &'static str {
        match self {
            Self::SignIn => "15 minutes",
            Self::Invitation => "7 days",
        }
    }
}

/// A link that lets a member in once. It is found by the hash of its token, which is nowhere but in the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The token's hash.
    pub hash: String,
    /// Where it leads.
    pub shop: ShopId,
    /// Whom it lets in.
    pub member: MemberId,
    /// What it is for.
    pub kind: LinkKind,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it was used, if it was, and by which try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// The use of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// When.
    pub at: Timestamp,
    /// Which try: so that it knows its own write, if the answer was lost.
    pub by: AttemptId,
}

/// Why a link does not let anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoEntry {
    /// There is no such link, or it is long gone.
    #[error("this link is not known")]
    Unknown,
    /// It lets in once.
    #[error("this link has been used")]
    Used,
    /// Its time is over.
    #[error("this link has expired")]
    Expired,
    /// All that the member had was ended after it was made.
    #[error("this link was ended by a sign-out")]
    SignedOut,
    /// Whom it was for works with the shop no more.
    #[error("this link is for somebody who is no member of the shop any more")]
    NoMember,
}

impl Link {
    /// A link of this token for a member.
    #[must_use]
    pub fn made(token: &str, member: &Member, kind: LinkKind, now: Timestamp) -> Self {
        let (shop, id) = (member.shop.clone(), member.id.clone());
        let made_at = member.counts_from(now);
        Self { hash: link_hash(token), shop, member: id, kind, made_at, used: None }
    }

    /// When it ends, used or not.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        later(self.made_at, self.kind.holds())
    }

    /// Whether it lets anybody in.
    ///
    /// # Errors
    /// It does not; this is why.
    pub fn open(&self, now: Timestamp) -> Result<(), NoEntry> {
        match &self.used {
            Some(_) => Err(NoEntry::Used),
            None if now >= self.until() => Err(NoEntry::Expired),
            None => Ok(()),
        }
    }

    /// Whether it lets this member in, whom it is for.
    ///
    /// # Errors
    /// It does not; this is why.
    pub fn admits(&self, member: Option<Member>) -> Result<Member, NoEntry> {
        let member = member.ok_or(NoEntry::NoMember)?;
        if member.counts(self.made_at) { Ok(member) } else { Err(NoEntry::SignedOut) }
    }
}

/// The mail that brings somebody a link.
#[derive(Debug, Clone, Copy)]
pub struct LinkMail<'a> {
    /// What the link is for.
    pub kind: LinkKind,
    /// The shop's name.
    pub shop: &'a str,
    /// The member's name.
    pub name: &'a str,
    /// The link.
    pub url: &'a str,
}

impl LinkMail<'_> {
    /// The mail in HTML and in plain text. Names come from people: they are escaped, and are one line.
    #[must_use]
    pub fn render(&self) -> Rendered {
        let line = |text: &str| tidy(text, NAME_MAX).unwrap_or_default();
        let (shop, name) = (line(self.shop), line(self.name));
        let subject = match self.kind {
            LinkKind::SignIn => format!("Sign in to {shop}"),
            LinkKind::Invitation => format!("You are invited to {shop}"),
        };
        let [why, how, otherwise] = self.words(&shop);
        let url = self.url;
        let text = format!("Hello {name},\n\n{why}\n\n{url}\n\n{how}\n\n{otherwise}\n");
        let paragraph = |text: &str| format!("<p>{}</p>\n", html_escape(text));
        let link = html_escape(url);
        let html = format!(
            "{}{}<p><a href=\"{link}\">{}</a></p>\n<p>{link}</p>\n{}{}",
            paragraph(&format!("Hello {name},")),
            paragraph(&why),
            html_escape(&label(self.kind, &shop)),
            paragraph(&how),
            paragraph(&otherwise),
        );
        Rendered { subject, html: Some(html), text }
    }

    /// Why the mail came, how the link works, and what to do if nobody asked.
    fn words(&self, shop: &str) -> [String; 3] {
        let how = format!("The link works once, and for {}.", self.kind.holds_in_words());
        match self.kind {
            LinkKind::SignIn => [
                format!("Somebody asked in the console for a link to sign in to {shop} with your address:"),
                how,
                "If it was not you, leave the link alone and do nothing: nobody can sign in without it."
                    .to_owned(),
            ],
            LinkKind::Invitation => [
                format!("You are invited to work with the orders of {shop}. This link signs you in:"),
                format!("{how} After that, ask for a new one on the sign-in page, with this address."),
                "If you do not know the shop, leave the link alone and do nothing.".to_owned(),
            ],
        }
    }
}

fn label(kind: LinkKind, shop: &str) -> String {
    match kind {
        LinkKind::SignIn => format!("Sign in to {shop}"),
        LinkKind::Invitation => format!("Join {shop}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PersonId;
    use crate::shop::{Role, Sealed};

    fn minutes(after: i64) -> Timestamp {
        later("2026-03-01T10:00:00Z".parse().unwrap(), SignedDuration::from_mins(after))
    }

    fn member() -> Member {
        Member {
            id: MemberId::parse("mem_a").unwrap(),
            shop: ShopId::parse("shop_a").unwrap(),
            person: PersonId::parse("per_a").unwrap(),
            email: Sealed("sealed".to_owned()),
            name: "Ann".to_owned(),
            role: Role::Viewer,
            created_at: minutes(0),
            invited_by: None,
            signed_in_at: None,
            sessions_from: minutes(0),
            version: 1,
        }
    }

    #[test]
    fn a_link_lets_in_once_and_only_in_its_time() {
        for (kind, holds) in [(LinkKind::SignIn, 15), (LinkKind::Invitation, 7 * 24 * 60)] {
            let link = Link::made("token", &member(), kind, minutes(0));
            assert_eq!(link.open(minutes(holds - 1)), Ok(()), "{kind:?}");
            assert_eq!(link.open(minutes(holds)), Err(NoEntry::Expired), "{kind:?}");
            let by = AttemptId::parse("att_a").unwrap();
            let used = Link { used: Some(Used { at: minutes(1), by }), ..link };
            assert_eq!(used.open(minutes(1)), Err(NoEntry::Used), "{kind:?}");
            assert_eq!(
                used.open(minutes(holds)),
                Err(NoEntry::Used),
                "{kind:?}: told rather than that it is old"
            );
        }
    }

    #[test]
    fn a_link_is_for_who_is_still_there_and_was_not_signed_out_since() {
        let link = Link::made("token", &member(), LinkKind::SignIn, minutes(5));
        assert_eq!(link.admits(Some(member())), Ok(member()));
        assert_eq!(link.admits(None), Err(NoEntry::NoMember));
        let out = member().signed_out(minutes(6));
        assert_eq!(link.admits(Some(out.clone())), Err(NoEntry::SignedOut));
        let after = Link::made("token", &out, LinkKind::SignIn, minutes(6));
        assert_eq!(after.admits(Some(out.clone())), Ok(out));
    }

    #[test]
    fn a_links_mail_says_what_it_is_and_what_to_do_if_nobody_asked() {
        for kind in [LinkKind::SignIn, LinkKind::Invitation] {
            let url = "https://console.example/sign-in/TOKEN";
            let mail = LinkMail { kind, shop: "Paper & Boat", name: "Ann", url }.render();
            let name = format!("{kind:?}").to_lowercase();
            insta::assert_snapshot!(format!("{name}.subject"), mail.subject);
            insta::assert_snapshot!(format!("{name}.html"), mail.html.unwrap());
            insta::assert_snapshot!(format!("{name}.text"), mail.text);
        }
    }

    #[test]
    fn a_name_makes_no_header_and_no_markup() {
        let shop = "Boats\r\nBcc: all@shop.example";
        let name = "<script>alert(1)</script>";
        let url = "https://console.example/sign-in/\"><script>";
        let mail = LinkMail { kind: LinkKind::SignIn, shop, name, url }.render();
        assert!(!mail.subject.contains(['\r', '\n']));
        assert!(!mail.html.unwrap().contains("<script>"));
    }
}
