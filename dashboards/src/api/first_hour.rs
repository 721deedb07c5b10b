//! The first hour: the exact lines that make a device send here, and the first line that came of it.

use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use state::secret;

use super::Body;
use crate::{
    App, ask,
    audit::{self, Action, Line},
    auth::{self, Person},
    error::{ApiError, Result},
    rows::Names,
    time::read,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    kind: String,
}

/// Writes the snippet of a device, with this server's real address; Windows gets an ingest token of its own.
pub async fn snippet(State(app): State<App>, person: Person, Body(device): Body<Device>) -> Result<Json<Value>> {
    person.need_admin()?;
    let udp = &app.settings.syslog_udp;
    let tcp = if app.settings.syslog_tcp.is_empty() { udp } else { &app.settings.syslog_tcp };
    let need = |address: &str| {
        let hint = "set `udp` and `tcp` under [ingest.syslog] in the configuration and start again";
        if !address.is_empty() {
            return Ok(());
        }
        let mut error = ApiError::bad("invalid", "this server does not listen for syslog");
        error.hint = Some(hint.into());
        Err(error)
    };
    match device.kind.as_str() {
        "rsyslog" => {
            need(tcp)?;
            let (host, port) = split(tcp);
            let text = format!(
                "# /etc/rsyslog.d/60-chieng.conf\n# systemctl restart rsyslog\naction(type=\"omfwd\" target=\"{host}\" port=\"{port}\" protocol=\"tcp\"\n       \
                 TCP_Framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\"\n       \
                 queue.type=\"LinkedList\" queue.filename=\"chieng\" queue.saveOnShutdown=\"on\" action.resumeRetryCount=\"-1\")\n"
            );
            Ok(Json(json!({ "snippet": text, "address": tcp, "source": "syslog", "path": "/etc/rsyslog.d/60-chieng.conf" })))
        }
        "fortigate" => {
            need(udp)?;
            let (host, port) = split(udp);
            let text = format!(
                "config log syslogd setting\n    set status enable\n    set server \"{host}\"\n    set mode udp\n    set port {port}\n    \
                 set facility local7\n    set format default\nend\n"
            );
            Ok(Json(json!({ "snippet": text, "address": udp, "source": "syslog", "path": "CLI" })))
        }
        "windows" => {
            let token = auth::random_token().map_err(|error| ApiError::internal("making a token failed", &error))?;
            let now = app.clock.now();
            app.state.create_ingest_token(&secret::hash(&token), "windows", "windows", None, &person.user.name, now).await?;
            app.facts.register_changed();
            audit::record(&app, Line::of(Action::TokenCreate, &person, "ingest token of the source windows")).await;
            let url = with_port(&app.settings.public_url);
            let text = format!(
                "# winlogbeat.yml; then: Restart-Service winlogbeat\nwinlogbeat.event_logs:\n  - name: Security\n  - name: System\n  \
                 - name: Microsoft-Windows-Sysmon/Operational\n  - name: Microsoft-Windows-PowerShell/Operational\n  \
                 - name: Microsoft-Windows-Windows Defender/Operational\noutput.elasticsearch:\n  hosts: [\"{url}/elastic\"]\n  \
                 username: \"windows\"\n  password: \"{token}\"\n  allow_older_versions: true\n  compression_level: 1\n\
                 setup.ilm.enabled: false\nsetup.template.enabled: false\n"
            );
            let path = "C:\\Program Files\\Winlogbeat\\winlogbeat.yml";
            Ok(Json(json!({ "snippet": text, "address": url, "source": "windows", "token": token, "path": path })))
        }
        kind => Err(ApiError::bad("invalid", format!("kind {kind:?} is none of rsyslog, fortigate, windows"))),
    }
}

/// The address with its port: Beats take 9200 where none is named.
fn with_port(url: &str) -> String {
    let (scheme, host) = url.split_once("://").unwrap_or(("http", url));
    let has_port =
        host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = if scheme == "https" { 443 } else { 80 };
    if has_port || host.contains('/') { url.to_owned() } else { format!("{url}:{port}") }
}

fn split(address: &str) -> (&str, &str) {
    address.rsplit_once(':').unwrap_or((address, "514"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    #[serde(default)]
    source: String,
    #[serde(default)]
    since: Option<String>,
}

/// The newest event of a source since a moment, or `null`.
pub async fn waiting(State(app): State<App>, person: Person, Query(waiting): Query<Waiting>) -> Result<Json<Value>> {
    person.need_admin()?;
    let since = match &waiting.since {
        Some(since) => read("since", since)?,
        None => app.clock.now() - 3_600_000_000,
    };
    let sql = format!(
        "SELECT event.id AS id FROM events WHERE chieng.source = {} AND event.ingested >= {} ORDER BY event.ingested DESC LIMIT 1",
        ask::literal(&waiting.source),
        ask::time(since)
    );
    let Some(id) = ask::rows(&app, &person.scope, &sql).await?.first().and_then(|row| row.get("id")?.as_str().map(str::to_owned))
    else {
        return Ok(Json(json!({ "first_line": null })));
    };
    let event = super::events::one(&app, &person.scope, &id).await?;
    let names = Names::load(&app).await?;
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let (sender, system) = (text("log.source.address").to_owned(), names.system(text("system.id"), None));
    Ok(Json(json!({ "first_line": { "event": event, "sender": sender, "system": system } })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestAlert {
    system: String,
}

/// Raises an alert that is marked as a test: it goes the way of real ones, and stays out of score and counts.
pub async fn test_alert(State(app): State<App>, person: Person, Body(test): Body<TestAlert>) -> Result<Json<Value>> {
    person.need_admin()?;
    let register = app.state.register(&person.scope).await?;
    let system = register.system(&test.system, app.clock.now()).ok_or_else(|| ApiError::not_found("system"))?;
    let failed = |error: respond::Error| ApiError::internal("the test alert could not be raised", &error);
    let incident = app.responder.test_alert(&system.id, &person.user.name).await.map_err(failed)?;
    Ok(Json(json!({ "incident": incident.to_string() })))
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_address_gets_the_port_of_its_scheme() {
        for (url, wanted) in [
            ("https://siem.tinh.gov.vn", "https://siem.tinh.gov.vn:443"),
            ("http://10.1.2.3", "http://10.1.2.3:80"),
            ("http://127.0.0.1:8443", "http://127.0.0.1:8443"),
            ("http://[::1]:8443", "http://[::1]:8443"),
            ("http://[fd00::1]", "http://[fd00::1]:80"),
        ] {
            assert_eq!(super::with_port(url), wanted);
        }
    }
}
