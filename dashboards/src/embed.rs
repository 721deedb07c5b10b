//! The browser application, embedded in the binary, with the headers that keep hostile log text harmless.
//!
//! Hashed assets are cached for good; `index.html` never. Every route of the application answers with `index.html`.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

/// `'self'` and nothing else: no inline script, no inline style, no frame, no foreign address.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Answers everything that is no API path.
pub async fn page(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if let Some(file) = Files::get(path) {
        let is_hashed = path.starts_with("assets/");
        let cache = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        return respond(file.metadata.mimetype(), cache, file.data.into_owned());
    }
    if path.starts_with("api/") || path.starts_with("assets/") {
        return crate::error::ApiError::not_found("such address").into_response();
    }
    match Files::get("index.html") {
        Some(file) => respond("text/html; charset=utf-8", "no-cache", file.data.into_owned()),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the browser application was not built into this binary; build it with `npm ci && npm run build` in dashboards/web and build chieng again",
        )
            .into_response(),
    }
}

fn respond(kind: &str, cache: &'static str, body: Vec<u8>) -> Response {
    let kind = HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static(cache))], body).into_response()
}

/// Adds the security headers to every answer, API answers included.
pub async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
