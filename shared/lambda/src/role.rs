//! Roles as types, so that a handler's arguments say whom it serves.

use stagepost_domain::shop::Role;

/// A role as a type.
pub trait AtLeast: Send + Sync {
    /// The lowest role that is served.
    const ROLE: Role;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl AtLeast for $name {
            const ROLE: Role = Role::$name;
        }
    )+};
}

roles! {
    /// Reads.
    Viewer;
    /// Works with orders.
    Member;
    /// Changes configuration.
    Admin;
}
