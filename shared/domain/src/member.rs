//! People who work with a shop, and who may make whom what.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::Actor;
use crate::id::{MemberId, PersonId, ShopId};
use crate::run::later;
use crate::session::{Session, Who};
use crate::shop::{ApiKey, Role, Sealed};

/// A person who works with a shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Stable id, named by causes.
    pub id: MemberId,
    /// Its tenant.
    pub shop: ShopId,
    /// Whose address it is: the same for all memberships of one person. A shop has each person once.
    pub person: PersonId,
    /// The e-mail address.
    pub email: Sealed,
    /// As people see it.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they were invited first.
    pub created_at: Timestamp,
    /// Who invited them; nobody if an operator of the deployment did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<Actor>,
    /// When they signed in last, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_at: Option<Timestamp>,
    /// Sessions and links made before this do not count.
    pub sessions_from: Timestamp,
    /// Counts edits, from 1.
    pub version: u64,
}

/// How exactly a member's last sign-in is known.
const SIGN_IN_NOTED: SignedDuration = SignedDuration::from_hours(1);
/// A sign-out ends what was made up to this long after it: machines' clocks differ, and rather a link or a session
/// too many ends than one too few.
const SIGN_OUT_MARGIN: SignedDuration = SignedDuration::from_secs(1);

impl Member {
    /// Whether a sign-in at `now` is worth writing down.
    #[must_use]
    pub fn sign_in_is_news(&self, now: Timestamp) -> bool {
        self.signed_in_at.is_none_or(|at| now >= later(at, SIGN_IN_NOTED))
    }

    /// The time that something made for this member at `now` bears, so that it counts.
    #[must_use]
    pub fn counts_from(&self, now: Timestamp) -> Timestamp {
        now.max(self.sessions_from)
    }

    /// Whether something made at that time counts: nobody has signed the member out since.
    #[must_use]
    pub fn counts(&self, made: Timestamp) -> bool {
        made >= self.sessions_from
    }

    /// The member with all sessions and open links ended.
    #[must_use]
    pub fn signed_out(self, now: Timestamp) -> Self {
        let from = later(now, SIGN_OUT_MARGIN).max(self.sessions_from);
        Self { sessions_from: from, ..self }
    }

    /// A session that begins now.
    #[must_use]
    pub fn session(&self, id: [u8; 16], now: Timestamp) -> Session {
        Session::begun(id, Who::Member(self.id.clone()), self.shop.clone(), self.counts_from(now))
    }

    /// Whether the shop can be run by them. An owner who was invited and never came cannot be counted on.
    fn runs_the_shop(&self) -> bool {
        self.role == Role::Owner && self.signed_in_at.is_some()
    }
}

/// Why somebody may not be made what they were to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever asks has no such role to give or take away.
    #[error("nobody gives or takes away a role above their own, and only admins and owners do so at all")]
    AboveRole,
    /// A shop without an owner is one that nobody can run.
    #[error("it is the last owner")]
    LastOwner,
}

/// From this role on people make each other something.
const MANAGES: Role = Role::Admin;

/// Whether somebody of the role `by` may give `role` to a person or a key, or take it away.
///
/// # Errors
/// They may not.
pub fn may_give(by: Role, role: Role) -> Result<(), Refusal> {
    if by >= MANAGES && role <= by { Ok(()) } else { Err(Refusal::AboveRole) }
}

/// Everybody who gets into a shop.
#[derive(Debug, Clone, Copy)]
pub struct People<'a> {
    /// Its members.
    pub members: &'a [Member],
    /// Its keys.
    pub keys: &'a [ApiKey],
}

impl People<'_> {
    /// Whether somebody of the role `by` may give the member this role, or with none take them away.
    ///
    /// # Errors
    /// One of the roles is above the caller's, or nobody would be left to run the shop.
    pub fn may_change(&self, by: Role, member: &Member, role: Option<Role>) -> Result<(), Refusal> {
        may_give(by, member.role)?;
        may_give(by, role.unwrap_or(Role::Viewer))?;
        let stays = role == Some(Role::Owner) || !member.runs_the_shop();
        self.leaves_an_owner(stays)
    }

    /// Whether somebody of the role `by` may revoke the key.
    ///
    /// # Errors
    /// Its role is above the caller's, or nobody would be left to run the shop.
    pub fn may_revoke(&self, by: Role, key: &ApiKey) -> Result<(), Refusal> {
        may_give(by, key.role)?;
        self.leaves_an_owner(key.role != Role::Owner)
    }

    /// If what is to be changed was one that runs the shop, there is another.
    fn leaves_an_owner(&self, stays: bool) -> Result<(), Refusal> {
        let keys = self.keys.iter().filter(|key| key.role == Role::Owner).count();
        let members = self.members.iter().filter(|member| member.runs_the_shop()).count();
        if stays || keys.saturating_add(members) > 1 { Ok(()) } else { Err(Refusal::LastOwner) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::KeyId;
    use Role::{Admin, Member as Worker, Owner, Viewer};

    const ROLES: [Role; 4] = [Viewer, Worker, Admin, Owner];

    fn minutes(after: i64) -> Timestamp {
        later("2026-03-01T10:00:00Z".parse().unwrap(), SignedDuration::from_mins(after))
    }

    fn member(name: &str, role: Role, came: bool) -> Member {
        Member {
            id: MemberId::from_body(name).unwrap(),
            shop: ShopId::parse("shop_a").unwrap(),
            person: PersonId::from_body(name).unwrap(),
            email: Sealed("sealed".to_owned()),
            name: name.to_owned(),
            role,
            created_at: minutes(0),
            invited_by: None,
            signed_in_at: came.then(|| minutes(1)),
            sessions_from: minutes(0),
            version: 1,
        }
    }

    fn key(name: &str, role: Role) -> ApiKey {
        ApiKey {
            id: KeyId::from_body(name).unwrap(),
            shop: ShopId::parse("shop_a").unwrap(),
            name: name.to_owned(),
            role,
            prefix: "sp_".to_owned(),
            hash: name.to_owned(),
            created_at: minutes(0),
            last_used_at: None,
        }
    }

    #[test]
    fn nobody_gives_or_takes_a_role_above_their_own_and_who_only_works_gives_none() {
        for by in ROLES {
            for role in ROLES {
                let allowed =
                    matches!((by, role), (Owner, _) | (Admin, Viewer) | (Admin, Worker) | (Admin, Admin));
                assert_eq!(may_give(by, role).is_ok(), allowed, "{by:?} gives {role:?}");
            }
        }
        // Two owners more, so that nothing hangs on the last one.
        let keys = [key("a", Owner), key("b", Owner)];
        for by in ROLES {
            for was in ROLES {
                for to in ROLES.map(Some).into_iter().chain([None]) {
                    let him = member("him", was, true);
                    let people = People { members: std::slice::from_ref(&him), keys: &keys };
                    let allowed = by >= Admin && was <= by && to.is_none_or(|to| to <= by);
                    assert_eq!(people.may_change(by, &him, to).is_ok(), allowed, "{by:?}: {was:?} to {to:?}");
                }
                let people = People { members: &[], keys: &keys };
                let allowed = by >= Admin && was <= by;
                assert_eq!(people.may_revoke(by, &key("k", was)).is_ok(), allowed, "{by:?} revokes {was:?}");
            }
        }
    }

    #[test]
    fn the_last_owner_stays_and_one_who_never_came_is_none() {
        let (ann, ben, new) =
            (member("ann", Owner, true), member("ben", Owner, true), member("new", Owner, false));
        let (one, other) = (key("one", Owner), key("other", Owner));
        let lone_ann = People { members: &[ann.clone(), new.clone()], keys: &[key("x", Admin)] };
        assert_eq!(lone_ann.may_change(Owner, &ann, None), Err(Refusal::LastOwner));
        assert_eq!(lone_ann.may_change(Owner, &ann, Some(Admin)), Err(Refusal::LastOwner));
        assert_eq!(lone_ann.may_change(Owner, &ann, Some(Owner)), Ok(()), "another name is no other role");
        assert_eq!(lone_ann.may_change(Owner, &new, None), Ok(()), "nobody counts on them");
        let lone_key = People { members: std::slice::from_ref(&new), keys: std::slice::from_ref(&one) };
        assert_eq!(lone_key.may_revoke(Owner, &one), Err(Refusal::LastOwner));
        assert_eq!(lone_key.may_change(Owner, &new, None), Ok(()));
        for (members, keys) in [
            (vec![ann.clone(), ben], vec![]),
            (vec![ann.clone()], vec![one.clone()]),
            (vec![], vec![one.clone(), other]),
        ] {
            let people = People { members: &members, keys: &keys };
            if let Some(first) = members.first() {
                assert_eq!(people.may_change(Owner, first, None), Ok(()));
            }
            if let Some(first) = keys.first() {
                assert_eq!(people.may_revoke(Owner, first), Ok(()));
            }
        }
    }

    #[test]
    fn a_sign_out_ends_what_was_made_before_it_and_nothing_that_is_made_after() {
        let ann = member("ann", Owner, true);
        let before = ann.session([1; 16], minutes(5));
        assert!(ann.counts(before.since));
        let out = ann.signed_out(minutes(5));
        assert!(!out.counts(before.since), "made in the same moment");
        assert!(!out.counts(before.renewed(minutes(70)).unwrap().since), "a renewal makes nothing younger");
        let after = out.session([2; 16], minutes(5));
        assert!(out.counts(after.since));
        let twice = out.signed_out(minutes(4));
        assert!(!twice.counts(before.since), "a clock that is behind brings nothing back");
    }

    #[test]
    fn a_sign_in_is_noted_to_the_hour() {
        assert!(member("a", Viewer, false).sign_in_is_news(minutes(1)));
        let came = member("a", Viewer, true);
        assert!(!came.sign_in_is_news(minutes(60)) && came.sign_in_is_news(minutes(61)));
    }
}
