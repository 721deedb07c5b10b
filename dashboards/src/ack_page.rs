//! The page behind the link in a message: what the incident is, and one button.
//!
//! GET changes nothing, because mail scanners follow links; the button is a POST that spends the single-use token. The page is
//! plain HTML of a few hundred bytes without script, so that it opens on any phone; every word from outside is escaped.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use state::{
    ack::{AckToken, Acked},
    incidents::Incident,
};

use crate::{App, api::incidents::done, error::Result, time::rfc3339};

pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response> {
    let found = done(app.responder.peek_ack(&token).await)?;
    Ok(match found {
        Some(AckToken { person, incident }) => {
            let button = format!(
                "<p>{} · {}</p><form method=\"post\"><button>Xác nhận đã nhận · Acknowledge</button></form>",
                escape(&person.display_name),
                escape(&person.name)
            );
            page(StatusCode::OK, &format!("{}{button}", about(&incident)))
        }
        None => spent(),
    })
}

pub async fn acknowledge(State(app): State<App>, Path(token): Path<String>) -> Result<Response> {
    let acked = done(app.responder.use_ack(&token).await)?;
    Ok(match acked {
        Acked::Now { person, incident } => {
            let words = format!("<p><b>Đã xác nhận · Acknowledged</b> — {}</p>", escape(&person.display_name));
            page(StatusCode::OK, &format!("{}{words}", about(&incident)))
        }
        Acked::Before { incident } => {
            let by = incident.acknowledged_by.as_deref().unwrap_or("—");
            let words = format!("<p>Sự cố đã được {} xác nhận trước đó · Already acknowledged</p>", escape(by));
            page(StatusCode::OK, &format!("{}{words}", about(&incident)))
        }
        Acked::Invalid => spent(),
    })
}

fn about(incident: &Incident) -> String {
    format!(
        "<h1>SC-{} · {} · {}</h1><p>{}</p>",
        incident.id,
        escape(incident.severity.name()),
        escape(&incident.system),
        escape(&rfc3339(incident.last_seen)),
    )
}

fn spent() -> Response {
    page(
        StatusCode::GONE,
        "<h1>Liên kết không còn hiệu lực</h1><p>Liên kết đã dùng hoặc đã hết hạn; hãy đăng nhập để xem sự cố. · This link was used or has expired; log in to see the incident.</p>",
    )
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"vi\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>Chiêng</title>{body}"
    );
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_never_markup() {
        assert_eq!(super::escape("<img src=x onerror='a'>&\""), "&lt;img src=x onerror=&#39;a&#39;&gt;&amp;&quot;");
    }
}
