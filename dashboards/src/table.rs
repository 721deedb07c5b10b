//! The list of routes: the router, the OpenAPI document and the tests are made from the same lines.
//!
//! A new API resource is one file under `api/` and its lines in `api::routes`.

use axum::{Router, routing::MethodRouter};
use serde_json::{Map, Value, json};

use crate::App;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, logged in or not.
    Open,
    /// A logged-in person; what is answered depends on their scope.
    Person,
    /// People who handle incidents.
    Handler,
    /// Administrators.
    Admin,
}

/// One address and method.
pub struct Route {
    pub method: &'static str,
    /// As axum writes it: `/systems/{id}`.
    pub path: &'static str,
    pub access: Access,
    /// First words of what it does; the OpenAPI summary.
    pub summary: &'static str,
    /// Query parameters: name, meaning.
    pub query: &'static [(&'static str, &'static str)],
    /// Keys of the request body: name, JSON type, `true` = required.
    pub body: &'static [(&'static str, &'static str, bool)],
    pub answer: Answer,
    pub handler: MethodRouter<App>,
}

/// What a 200 answer is, as far as the document promises it.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// An object with at least these keys.
    Object(&'static [&'static str]),
    /// A list of objects with at least these keys.
    List(&'static [&'static str]),
    /// No body (204).
    Nothing,
    /// Something else, of these media types.
    Media(&'static [&'static str]),
}

impl Route {
    /// `{id}` and the like.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// Builds the router from the list.
pub fn router(routes: Vec<Route>) -> Router<App> {
    routes.into_iter().fold(Router::new(), |router, route| router.route(route.path, route.handler))
}

/// Writes the OpenAPI 3.1 document of the list.
pub fn document(routes: &[Route], version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let item = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        item[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Chiêng", "version": version, "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" } },
        "paths": paths,
        "components": {
            "securitySchemes": { "session": { "type": "apiKey", "in": "cookie", "name": crate::auth::COOKIE } },
            "schemas": { "Error": error_schema() },
        },
    })
}

fn operation(route: &Route) -> Value {
    let in_path = route.path_parameters().map(|name| parameter(name, "path", "", true));
    let in_query = route.query.iter().map(|(name, meaning)| parameter(name, "query", meaning, false));
    let needs_csrf = route.method != "GET" && route.access != Access::Open;
    let in_header = needs_csrf.then(|| parameter(crate::auth::CSRF_HEADER, "header", "the `csrf` of the session", true));
    let parameters: Vec<Value> = in_path.chain(in_query).chain(in_header).collect();
    let mut operation = json!({ "summary": route.summary, "parameters": parameters, "responses": responses(route) });
    if route.access != Access::Open {
        operation["security"] = json!([{ "session": [] }]);
    }
    if !route.body.is_empty() {
        let properties: Map<String, Value> =
            route.body.iter().map(|(name, kind, _)| ((*name).to_owned(), json!({ "type": kind }))).collect();
        let required: Vec<&str> = route.body.iter().filter(|(_, _, is_required)| *is_required).map(|(name, ..)| *name).collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn parameter(name: &str, place: &str, meaning: &str, required: bool) -> Value {
    json!({ "name": name, "in": place, "required": required, "description": meaning, "schema": { "type": "string" } })
}

fn responses(route: &Route) -> Value {
    let object = |keys: &[&str]| {
        let properties: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!({}))).collect();
        json!({ "type": "object", "properties": properties, "required": keys })
    };
    let as_json = |schema: Value| json!({ "description": "done", "content": { "application/json": { "schema": schema } } });
    let (status, good) = match route.answer {
        Answer::Object(keys) => ("200", as_json(object(keys))),
        Answer::List(keys) => ("200", as_json(json!({ "type": "array", "items": object(keys) }))),
        Answer::Nothing => ("204", json!({ "description": "done" })),
        Answer::Media(kinds) => {
            let content: Map<String, Value> = kinds.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
            ("200", json!({ "description": "done", "content": content }))
        }
    };
    let failure = json!({ "description": "not done", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } } });
    let mut responses = json!({ "4XX": failure, "5XX": failure });
    responses[status] = good;
    responses
}

fn error_schema() -> Value {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer" });
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": { "code": text, "message": text, "hint": text, "offset": number, "length": number, "retry_after": number },
        } },
    })
}
