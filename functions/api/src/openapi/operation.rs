//! One operation while it is being described.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use stagepost_domain::shop::Role;
use stagepost_lambda::http::Problem;

use super::{About, Schemas};

/// One operation of the document.
pub struct Operation<'a> {
    path: &'static str,
    schemas: &'a mut Schemas,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
    role: Option<Role>,
}

impl<'a> Operation<'a> {
    pub(super) fn new(path: &'static str, schemas: &'a mut Schemas) -> Self {
        let (parameters, answers) = (Vec::new(), Map::new());
        Self { path, schemas, parameters, body: None, answers, role: None }
    }

    /// The names in braces in the path, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The schemas, for parameters.
    pub fn schemas(&mut self) -> &mut Schemas {
        self.schemas
    }

    /// A key of at least this role is needed.
    pub fn needs(&mut self, role: Role) {
        self.role = Some(role);
    }

    /// A parameter in `path`, `query` or `header`.
    pub fn parameter(&mut self, place: &str, name: &str, required: bool, schema: Value, description: &str) {
        self.parameters.push(json!({
            "name": name, "in": place, "required": required, "schema": schema, "description": description,
        }));
    }

    /// The JSON body. One without any required member may be left out.
    pub fn body<T: JsonSchema>(&mut self) {
        let required = self.schemas.has_required::<T>();
        let content = json!({"application/json": {"schema": self.schemas.of_body::<T>()}});
        self.body = Some(json!({"required": required, "content": content}));
    }

    /// A JSON answer.
    pub fn answer<T: JsonSchema>(&mut self, status: u16, description: &str) {
        let content = json!({"application/json": {"schema": self.schemas.of_answer::<T>()}});
        self.answers.insert(status.to_string(), json!({"description": description, "content": content}));
    }

    /// An answer of bytes that are no JSON of ours.
    pub fn bytes(&mut self, status: u16, description: &str) {
        let content = json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}});
        self.answers.insert(status.to_string(), json!({"description": description, "content": content}));
    }

    /// An answer without a body.
    pub fn empty(&mut self, status: u16, description: &str) {
        self.answers.insert(status.to_string(), json!({"description": description}));
    }

    /// A problem. Several reasons for one status stand side by side.
    pub fn problem(&mut self, status: u16, when: &str) {
        let schema = self.schemas.of_answer::<Problem>();
        let answer = self.answers.entry(status.to_string()).or_insert_with(
            || json!({"description": "", "content": {"application/problem+json": {"schema": schema}}}),
        );
        let Some(description) = answer.get_mut("description") else { return };
        let told = description.as_str().unwrap_or_default();
        if !told.contains(when) {
            *description = format!("{told} {when}").trim().into();
        }
    }

    /// A header that an answer always has; the answer is described already.
    pub fn header(&mut self, status: u16, name: &str, description: &str) {
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            add_header(answer, name, true, description);
        }
    }

    /// A header that every good answer may have; they are described already.
    pub fn optional_header(&mut self, name: &str, description: &str) {
        let good = self.answers.iter_mut().filter(|(status, _)| status.starts_with('2'));
        good.for_each(|(_, answer)| add_header(answer, name, false, description));
    }

    pub(super) fn finish(mut self, about: &About) -> Value {
        if let Some(when) = about.conflict {
            self.problem(409, when);
        }
        let mut description: Vec<String> = about.detail.map(str::to_owned).into_iter().collect();
        if let Some(role) = self.role {
            description.push(format!("Role: {} or above.", role.as_str()));
        }
        let security = if self.role.is_some() { json!([{"key": []}]) } else { json!([]) };
        let mut operation = json!({
            "operationId": about.id,
            "summary": about.summary,
            "description": description.join(" "),
            "tags": [tag(self.path)],
            "security": security,
            "parameters": self.parameters,
            "responses": self.answers,
        });
        if let (Some(body), Some(operation)) = (self.body, operation.as_object_mut()) {
            operation.insert("requestBody".to_owned(), body);
        }
        operation
    }
}

fn add_header(answer: &mut Value, name: &str, required: bool, description: &str) {
    let Some(answer) = answer.as_object_mut() else { return };
    let headers = answer.entry("headers").or_insert_with(|| json!({}));
    let header = json!({"required": required, "schema": {"type": "string"}, "description": description});
    if let Some(headers) = headers.as_object_mut() {
        headers.insert(name.to_owned(), header);
    }
}

/// The resource: the first part of the path behind the version.
fn tag(path: &str) -> &str {
    path.split('/').nth(2).unwrap_or_default()
}
