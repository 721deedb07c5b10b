//! The list of routes: the router, the OpenAPI document and the tests are made from the same lines.
//!
//! A new API resource is one file under `api/` and its lines in `api::routes`.

use axum::{Router, routing::MethodRouter};
use serde_json::{Map, Value, json};

use crate::{App, shape};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, logged in or not.
    Open,
    /// A logged-in person; what is answered depends on their scope.
    Person,
    /// People who handle incidents.
    Handler,
    /// People who may place a legal hold.
    Holder,
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
    /// The shape of the request body; empty = none.
    pub body: &'static str,
    pub answer: Answer,
    pub handler: MethodRouter<App>,
}

/// What the good answer is.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// 200 with JSON of this shape.
    Json(&'static str),
    /// 200 with JSON of this shape, or in one of these media types when it is asked for.
    Also(&'static str, &'static [&'static str]),
    /// 200 in one of these media types, as it comes.
    Stream(&'static [&'static str]),
    /// No body (204).
    Nothing,
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
    let shapes = shape::definitions().expect("the shapes are read by a test");
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let item = paths.entry(format!("/api/v1{}", route.path)).or_insert_with(|| json!({}));
        item[route.method.to_lowercase()] = operation(route, &shapes);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Chiêng", "version": version, "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" } },
        "paths": paths,
        "components": {
            "securitySchemes": { "session": { "type": "apiKey", "in": "cookie", "name": crate::auth::COOKIE } },
            "schemas": shapes,
        },
    })
}

fn operation(route: &Route, shapes: &Map<String, Value>) -> Value {
    let in_path = route.path_parameters().map(|name| parameter(name, "path", "", true));
    let in_query = route.query.iter().map(|(name, meaning)| parameter(name, "query", meaning, false));
    let needs_csrf = route.method != "GET" && route.access != Access::Open;
    let in_header = needs_csrf.then(|| parameter(crate::auth::CSRF_HEADER, "header", "the `csrf` of the session", true));
    let parameters: Vec<Value> = in_path.chain(in_query).chain(in_header).collect();
    let mut operation = json!({ "summary": route.summary, "parameters": parameters, "responses": responses(route, shapes) });
    if route.access != Access::Open {
        operation["security"] = json!([{ "session": [] }]);
    }
    if !route.body.is_empty() {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": read(route.body, shapes) } } });
    }
    operation
}

fn read(text: &str, shapes: &Map<String, Value>) -> Value {
    shape::read(text, shapes).expect("the shapes of routes are read by a test")
}

fn parameter(name: &str, place: &str, meaning: &str, required: bool) -> Value {
    json!({ "name": name, "in": place, "required": required, "description": meaning, "schema": { "type": "string" } })
}

fn responses(route: &Route, shapes: &Map<String, Value>) -> Value {
    let as_json = |text: &str| json!({ "application/json": { "schema": read(text, shapes) } });
    let (status, good) = match route.answer {
        Answer::Json(text) => ("200", json!({ "description": "done", "content": as_json(text) })),
        Answer::Also(text, kinds) => {
            let mut content = as_json(text);
            for kind in kinds {
                content[*kind] = json!({});
            }
            ("200", json!({ "description": "done", "content": content }))
        }
        Answer::Stream(kinds) => {
            let content: Map<String, Value> = kinds.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
            ("200", json!({ "description": "done", "content": content }))
        }
        Answer::Nothing => ("204", json!({ "description": "done" })),
    };
    let failure = json!({ "description": "not done", "content": as_json("Error") });
    let mut responses = json!({ "4XX": failure, "5XX": failure });
    responses[status] = good;
    responses
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_route_has_shapes_that_can_be_read() {
        let document = crate::openapi("0");
        let operations = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        assert_eq!(operations.count(), crate::api::routes().len());
    }
}
