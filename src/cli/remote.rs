//! A running server as a sink and as a place to ask, through its control socket.

use std::{path::Path, sync::Arc};

use event::{
    RawBatch, Receipt,
    seam::{BoxFuture, Refused, Sink},
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};

/// Name of the socket in the data directory.
pub const SOCKET: &str = "control.sock";

/// A running server.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    runtime: tokio::runtime::Handle,
}

impl Remote {
    /// Connects to the server that owns a data directory; `None` when there is none.
    pub async fn connect(data_dir: &Path) -> Option<Self> {
        let socket = data_dir.join(SOCKET);
        tokio::net::UnixStream::connect(&socket).await.ok()?;
        let client = Client::builder().unix_socket(socket).no_proxy().build().ok()?;
        Some(Self { client, runtime: tokio::runtime::Handle::current() })
    }

    /// Asks; the answer's body is streamed to `write`.
    pub async fn query(&self, sql: &str, format: &str, mut write: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result {
        let failed = |error: reqwest::Error| Failure::of("failed to ask the running server", &error);
        let body = json!({ "sql": sql, "format": format }).to_string();
        let request = self.client.post("http://chieng/control/query").header("content-type", "application/json").body(body);
        let mut response = request.send().await.map_err(failed)?;
        if !response.status().is_success() {
            let text = response.text().await.map_err(failed)?;
            return Err(refusal(&text));
        }
        let is_complete = response.headers().get("x-chieng-complete").is_none_or(|value| value != "false");
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            write(&piece).map_err(|error| Failure::of("failed to write the answer", &error))?;
        }
        if is_complete {
            return Ok(());
        }
        Err(Failure::new("the answer is not complete: it was cut at a limit of rows, bytes or time")
            .hint("add a LIMIT, or ask for a shorter time"))
    }

    /// Reads a JSON answer.
    pub async fn get(&self, path: &str) -> Result<Value> {
        Self::json(self.client.get(format!("http://chieng{path}"))).await
    }

    /// Sends JSON, reads a JSON answer.
    pub async fn post(&self, path: &str, body: &impl serde::Serialize) -> Result<Value> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::of("failed to write the request", &error))?;
        Self::json(self.client.post(format!("http://chieng{path}")).header("content-type", "application/json").body(body)).await
    }

    async fn json(request: reqwest::RequestBuilder) -> Result<Value> {
        let failed = |error: reqwest::Error| Failure::of("failed to ask the running server", &error);
        let response = request.send().await.map_err(failed)?;
        let is_good = response.status().is_success();
        let text = response.text().await.map_err(failed)?;
        if !is_good {
            return Err(refusal(&text));
        }
        serde_json::from_str(&text).map_err(|error| Failure::of("failed to read the server's answer", &error))
    }

    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(self.clone())
    }

    async fn send(&self, batch: RawBatch) -> Result<Receipt, Refused> {
        let gone = |error: reqwest::Error| Refused::Failed(format!("the running server did not answer: {error}"));
        let body = dashboards::control::encode(&batch);
        let response = self.client.post("http://chieng/control/batch").body(body).send().await.map_err(gone)?;
        let status = response.status();
        let text = response.text().await.map_err(gone)?;
        match status {
            StatusCode::OK => {
                let receipt: Value = serde_json::from_str(&text).unwrap_or_default();
                let number = |key: &str| receipt[key].as_u64().unwrap_or_default();
                Ok(Receipt {
                    sequence: number("sequence"),
                    records: number("records") as u32,
                    duplicate: receipt["duplicate"].as_bool().unwrap_or_default(),
                })
            }
            StatusCode::TOO_MANY_REQUESTS => Err(Refused::Pressure { retry_after_ms: text.parse().unwrap_or(500) }),
            StatusCode::SERVICE_UNAVAILABLE => Err(Refused::Closing),
            _ => Err(Refused::Failed(text)),
        }
    }
}

impl Sink for Remote {
    fn submit(&self, batch: RawBatch) -> BoxFuture<'_, Result<Receipt, Refused>> {
        Box::pin(self.send(batch))
    }

    fn file_offset(&self, source: &str, file: &str) -> u64 {
        let ask = async {
            let query = [("source", source), ("file", file)].map(|(key, value)| format!("{key}={}", percent(value))).join("&");
            let answer = self.client.get(format!("http://chieng/control/offset?{query}")).send().await?.text().await?;
            Ok::<_, reqwest::Error>(
                serde_json::from_str::<Value>(&answer).unwrap_or_default()["offset"].as_u64().unwrap_or_default(),
            )
        };
        // Without an answer the file is sent from its beginning; the server drops what it has by the batch's cursor.
        tokio::task::block_in_place(|| self.runtime.block_on(ask)).unwrap_or_default()
    }
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The server's error in our form.
fn refusal(text: &str) -> Failure {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let message = answer["error"]["message"].as_str().unwrap_or(text);
    let failure = Failure::new(message);
    match answer["error"]["hint"].as_str() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
