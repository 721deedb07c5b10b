//! What the API says when it cannot do what was asked: a public sentence, a code for programs, never an internal detail.
//!
//! The internal cause goes to the log with the same request id.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

pub type Result<T, E = ApiError> = std::result::Result<T, E>;

/// An answer that is not 2xx.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
    /// For syntax errors of the search box.
    pub misread: Option<Box<Misread>>,
    pub retry_after_s: Option<u32>,
    /// Which field of the form is wrong.
    pub field: Option<&'static str>,
    /// Joins the answer and a line of the log.
    pub request_id: Option<Box<str>>,
}

/// Where a search text is wrong, and how.
#[derive(Debug)]
pub struct Misread {
    /// In characters of the text.
    pub offset: usize,
    pub length: usize,
    /// What kind of mistake it is.
    pub problem: &'static str,
    /// The sentence in Vietnamese.
    pub vietnamese: String,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            misread: None,
            retry_after_s: None,
            field: None,
            request_id: None,
        }
    }

    pub fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} here, or it is outside what you may see"))
    }

    pub fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// An operation of ours failed: logged in full, told in one sentence.
    pub fn internal(what: &'static str, error: &dyn std::error::Error) -> Self {
        let request_id = request_id();
        tracing::error!(request_id, error = %chain(error), "{what}");
        let mut answer = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("{what}; the server's log says why"));
        answer.request_id = Some(request_id.into());
        answer
    }
}

/// Writes an error with its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// A short random name that joins an answer and a line of the log.
pub fn request_id() -> String {
    let mut bytes = [0_u8; 6];
    // Without randomness the id is merely not unique.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(hint) = self.hint {
            error["hint"] = hint.into();
        }
        if let Some(misread) = self.misread {
            error["offset"] = misread.offset.into();
            error["length"] = misread.length.into();
            error["problem"] = misread.problem.into();
            error["message_vi"] = misread.vietnamese.into();
        }
        if let Some(field) = self.field {
            error["field"] = field.into();
        }
        if let Some(request_id) = self.request_id {
            error["request_id"] = request_id.as_ref().into();
        }
        if let Some(seconds) = self.retry_after_s {
            error["retry_after"] = seconds.into();
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<state::Error> for ApiError {
    fn from(error: state::Error) -> Self {
        match error {
            state::Error::Invalid(message) => Self::bad("invalid", message),
            error => Self::internal("the state database did not answer", &error),
        }
    }
}
