//! Liveness, readiness and metrics (Prometheus text; Vector's names where Vector has one).

use std::fmt::Write as _;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::App;

/// One number about the program.
#[derive(Clone, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    /// Counters only grow; their names end in `_total`.
    pub is_counter: bool,
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

pub async fn live() -> Response {
    Json(json!({ "ok": true })).into_response()
}

pub async fn ready(State(app): State<App>) -> Response {
    let is_ready = app.facts.is_ready();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ok": is_ready }))).into_response()
}

pub async fn metrics(State(app): State<App>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], exposition(&app.facts.metrics())).into_response()
}

/// Writes metrics in the Prometheus text format; those of one name stand together.
fn exposition(metrics: &[Metric]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for metric in metrics {
        if !names.contains(&metric.name) {
            names.push(metric.name);
        }
    }
    let mut text = String::new();
    for name in names {
        let of_name = || metrics.iter().filter(|metric| metric.name == name);
        let Some(first) = of_name().next() else { continue };
        let kind = if first.is_counter { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", first.help);
        for metric in of_name() {
            let labels: Vec<String> = metric.labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {}", metric.value);
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_format_escapes_labels() {
        let metric = |source: &str, value| Metric {
            name: "component_received_events_total",
            help: "Records received.",
            is_counter: true,
            labels: vec![("source", source.to_owned())],
            value,
        };
        expect_test::expect![[r#"
            # HELP component_received_events_total Records received.
            # TYPE component_received_events_total counter
            component_received_events_total{source="a\"b"} 3
            component_received_events_total{source="c"} 0.5
        "#]]
        .assert_eq(&exposition(&[metric("a\"b", 3.0), metric("c", 0.5)]));
    }
}
