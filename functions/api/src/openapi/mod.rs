//! The API's own description, OpenAPI 3.1, made of the handlers' types when somebody asks for it.
//!
//! A handler's arguments and its answer each say what they add to its operation ([`Describe`]): the caller
//! adds the key, its role and the answers 401 and 403; a body adds its schema and 400, 413 and 422; what the
//! path names adds its parameter and 404. So the document cannot say anything else than the code does. A
//! type that does not describe itself does not compile as part of a handler (docs/adr/0010).

mod document;
mod operation;
mod schemas;
#[cfg(test)]
mod tests;

pub use document::{Entry, document};
pub use operation::Operation;
pub use schemas::Schemas;

/// A part of a handler that says what it adds to the handler's operation.
pub trait Describe {
    /// Adds it.
    fn describe(operation: &mut Operation<'_>);
}

/// A handler all of whose parts describe themselves. `Parts` are the types of its arguments.
pub trait Documented<Parts> {
    /// Describes the whole operation.
    fn document(operation: &mut Operation<'_>);
}

macro_rules! documented {
    ($($part:ident)*) => {
        impl<F, Answer, $($part,)*> Documented<($($part,)*)> for F
        where
            F: Fn($($part,)*) -> Answer,
            Answer: Future,
            Answer::Output: Describe,
            $($part: Describe,)*
        {
            fn document(operation: &mut Operation<'_>) {
                $($part::describe(operation);)*
                Answer::Output::describe(operation);
            }
        }
    };
}

documented! {}
documented! { A }
documented! { A B }
documented! { A B C }
documented! { A B C D }
documented! { A B C D E }
documented! { A B C D E G }

impl<T: Describe, E: Describe> Describe for Result<T, E> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
        E::describe(operation);
    }
}

/// What a person wrote of an operation.
#[derive(Debug, Clone, Copy)]
pub struct About {
    id: &'static str,
    summary: &'static str,
    detail: Option<&'static str>,
    conflict: Option<&'static str>,
}

/// Names an operation: its id for generated clients, and what it does in a few words.
pub const fn about(id: &'static str, summary: &'static str) -> About {
    About { id, summary, detail: None, conflict: None }
}

impl About {
    /// Says more.
    pub const fn detail(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// The operation may answer 409: in which case.
    pub const fn conflict(self, when: &'static str) -> Self {
        Self { conflict: Some(when), ..self }
    }
}
