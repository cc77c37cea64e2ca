//! In: JSON, ids and queries, with errors that name the field.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use stagepost_domain::id::{
    CarrierId, ChannelId, EndpointId, FlowId, JobId, KeyId, MailId, MemberId, OrderId, PackageId,
    QuarantineId, SuppressionId, TemplateId,
};
use stagepost_domain::run::RunId;
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use crate::failed::problem;
use crate::openapi::{Describe, Operation, Schemas};

/// Largest request body of the API.
pub const BODY_MAX: usize = 512 * 1024;

/// A JSON body; what does not fit is refused with the path of the field.
pub struct Payload<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Payload<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unreadable(&e))?;
        // Nothing sent is the empty object: every field may then still have its say.
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        json_object(bytes)?;
        let mut json = serde_json::Deserializer::from_slice(bytes);
        serde_path_to_error::deserialize(&mut json).map(Self).map_err(|e| misfit(&e))
    }
}

impl<T: JsonSchema> Describe for Payload<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.body::<T>();
        operation.problem(400, "The body is not JSON.");
        operation.problem(413, "The body, or what it makes, is too large.");
        operation.problem(422, "Some fields are not valid; `errors` names them.");
    }
}

/// What can stand in a path.
pub trait PathId: Sized + Send {
    /// What it names, for *There is no such …*.
    const WHAT: &'static str;
    /// Reads it; text that no id can be names nothing.
    fn parse(text: &str) -> Option<Self>;
    /// Its schema.
    fn schema(schemas: &mut Schemas) -> Value;
}

macro_rules! path_ids {
    ($($id:ident: $what:literal;)+) => {$(
        impl PathId for $id {
            const WHAT: &'static str = $what;

            fn parse(text: &str) -> Option<Self> {
                $id::parse(text).ok()
            }

            fn schema(schemas: &mut Schemas) -> Value {
                schemas.of_body::<$id>()
            }
        }
    )+};
}

path_ids! {
    FlowId: "flow";
    TemplateId: "e-mail template";
    EndpointId: "webhook endpoint";
    ChannelId: "channel";
    CarrierId: "carrier";
    OrderId: "order";
    PackageId: "package";
    RunId: "run";
    KeyId: "API key";
    QuarantineId: "notification in quarantine";
    JobId: "job";
    SuppressionId: "suppressed address";
    MailId: "test mail";
    MemberId: "member";
}

/// All that a path names, in order.
pub trait PathIds: Sized + Send {
    /// Reads it, or says what is not there.
    fn parse(texts: &[String]) -> Result<Self, &'static str>;
    /// The schema of each.
    fn schemas(schemas: &mut Schemas) -> Vec<Value>;
}

impl<A: PathId> PathIds for A {
    fn parse(texts: &[String]) -> Result<Self, &'static str> {
        texts.first().and_then(|text| A::parse(text)).ok_or(A::WHAT)
    }

    fn schemas(schemas: &mut Schemas) -> Vec<Value> {
        vec![A::schema(schemas)]
    }
}

impl<A: PathId, B: PathId> PathIds for (A, B) {
    fn parse(texts: &[String]) -> Result<Self, &'static str> {
        let a = texts.first().and_then(|text| A::parse(text)).ok_or(A::WHAT)?;
        Ok((a, texts.get(1).and_then(|text| B::parse(text)).ok_or(B::WHAT)?))
    }

    fn schemas(schemas: &mut Schemas) -> Vec<Value> {
        vec![A::schema(schemas), B::schema(schemas)]
    }
}

/// What the path names. Text that no id can be, such as half a character, names nothing.
pub struct Named<T>(pub T);

impl<T: PathIds, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let texts = Path::<Vec<String>>::from_request_parts(parts, state).await;
        let texts = texts.map(|Path(texts)| texts).unwrap_or_default();
        T::parse(&texts).map(Self).map_err(|what| problem(&Problem::not_found(what)))
    }
}

impl<T: PathIds> Describe for Named<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schemas = T::schemas(operation.schemas());
        for (name, schema) in operation.placeholders().zip(schemas) {
            operation.parameter("path", name, true, schema, "");
        }
        operation.problem(404, "Nothing of this shop has that id.");
    }
}

/// The version that the caller saw, from `If-Match`; `None` where anything goes.
pub struct IfMatch(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let Some(told) = parts.headers.get(http::header::IF_MATCH) else { return Ok(Self(None)) };
        let told = told.to_str().unwrap_or_default().trim();
        if told == "*" {
            return Ok(Self(None));
        }
        let tag = told.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        match tag.and_then(|tag| tag.parse().ok()) {
            Some(version) => Ok(Self(Some(version))),
            // Nothing here has such a tag.
            None => Err(stale()),
        }
    }
}

fn stale() -> Response {
    let title = "It has changed since you read it";
    let told = Problem::new(StatusCode::PRECONDITION_FAILED, "stale", title);
    problem(&told.detail("If-Match takes one ETag as it was given out, or *."))
}

impl Describe for IfMatch {
    fn describe(operation: &mut Operation<'_>) {
        let schema = serde_json::json!({"type": "string", "pattern": "^(\\*|\"[0-9]+\")$"});
        let about = "The `ETag` that was read: refused with 412 if it is another by now.";
        operation.parameter("header", "If-Match", false, schema, about);
        operation.problem(412, "It has changed since it was read; its `version` is told.");
    }
}

/// What the query says.
pub struct Queried<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Queried<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let query = Query::from_request_parts(parts, state).await;
        let refused = |e: axum::extract::rejection::QueryRejection| {
            problem(&Problem::invalid(vec![Invalid::new("query", e.body_text())]))
        };
        query.map(|Query(query)| Self(query)).map_err(refused)
    }
}

impl<T: JsonSchema> Describe for Queried<T> {
    fn describe(operation: &mut Operation<'_>) {
        for (name, required, schema) in operation.schemas().of_query::<T>() {
            let about = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
            operation.parameter("query", &name, required, schema, &about);
        }
        operation.problem(422, "The query is not valid; `errors` names what.");
    }
}

/// Most items of a page.
pub const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 25;

/// How many items of a list are wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Limit(#[schemars(range(min = 1, max = 100))] Option<usize>);

impl Limit {
    /// 1 to 100, 25 unless said.
    pub fn get(self) -> Result<usize, Problem> {
        match self.0.unwrap_or(LIMIT_DEFAULT) {
            n @ 1..=LIMIT_MAX => Ok(n),
            _ => Err(Problem::invalid(vec![Invalid::new("limit", format!("must be 1 to {LIMIT_MAX}"))])),
        }
    }
}

/// JSON first, so that half a body is told as what it is; and an object, because serde would take an array
/// for one, its items in the order of the fields.
fn json_object(bytes: &[u8]) -> Result<(), Response> {
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|e| not_json(&e.to_string()))?;
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(());
    }
    Err(problem(&Problem::invalid(vec![Invalid::new("", "must be a JSON object")])))
}

fn unreadable(rejection: &BytesRejection) -> Response {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    not_json("the body could not be read")
}

/// The body is larger than any that is taken.
pub fn too_large() -> Response {
    let title = "The body is too large";
    let detail = format!("At most {BODY_MAX} bytes are taken.");
    problem(&Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title).detail(detail))
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Response {
    if error.inner().is_syntax() || error.inner().is_eof() {
        return not_json(&error.inner().to_string());
    }
    let reason = error.inner().to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    let path = error.path().to_string();
    let parent = if path == "." { String::new() } else { path };
    // The path ends where the field is missing; the merchant wants to know which one.
    let missing = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let field = match missing {
        Some(name) if parent.is_empty() => name.to_owned(),
        Some(name) => format!("{parent}.{name}"),
        None => parent,
    };
    problem(&Problem::invalid(vec![Invalid::new(field, reason)]))
}

fn not_json(why: &str) -> Response {
    problem(&Problem::new(StatusCode::BAD_REQUEST, "not-json", "The body is not JSON").detail(why))
}
