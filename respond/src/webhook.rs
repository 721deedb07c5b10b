//! Delivery by webhook: a signed POST to an address that passed the [guard](crate::guard).
//!
//! No redirects, no proxy, no cookies; the answer is read up to a cap and thrown away. The signature is HMAC-SHA256 over
//! `<timestamp>.<body>`, as hex in `X-Chieng-Signature: t=<seconds>,v1=<hex>`; `Idempotency-Key` is the same on every retry.

use std::{sync::Arc, time::Duration};

use event::Micros;
use reqwest::{Client, StatusCode, header, redirect::Policy};

use crate::{
    Failure,
    guard::{Allowed, Resolve, clear},
    settings,
};

/// Bytes of an answer that are read, for its first words in the record.
const ANSWER_MAX: usize = 64 * 1024;

/// Sends webhooks.
pub struct Webhooks {
    allowed: Allowed,
    timeout: Duration,
    resolver: Arc<dyn Resolve>,
}

/// One delivery.
pub struct Call<'a> {
    pub url: &'a str,
    pub secret: Option<&'a str>,
    /// Same on every retry.
    pub key: &'a str,
    pub body: &'a str,
    pub now: Micros,
}

impl Webhooks {
    /// Fails on a configuration that cannot be read.
    pub fn new(settings: &settings::Webhook, resolver: Arc<dyn Resolve>) -> Result<Self, String> {
        // reqwest takes the process's provider; another crate may have installed the same one already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let timeout = Duration::from_secs(u64::from(settings.timeout_seconds.clamp(1, 60)));
        Ok(Self { allowed: Allowed::parse(&settings.allow)?, timeout, resolver })
    }

    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Posts; any 2xx is delivered.
    pub async fn call(&self, call: Call<'_>) -> Result<String, Failure> {
        let cleared = clear(call.url, &self.allowed, &*self.resolver)
            .await
            .map_err(|refusal| Failure { is_permanent: refusal.is_permanent(), detail: refusal.to_string() })?;
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .resolve_to_addrs(&cleared.host, &cleared.addresses)
            .connect_timeout(self.timeout.min(Duration::from_secs(5)))
            .timeout(self.timeout)
            .user_agent("chieng")
            .build()
            .map_err(|error| Failure::passing(&error))?;
        let mut request = client
            .post(cleared.url)
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header("Idempotency-Key", call.key)
            .body(call.body.to_owned());
        if let Some(secret) = call.secret {
            request = request.header("X-Chieng-Signature", sign(secret, call.now, call.body));
        }
        let answer = request.send().await.map_err(|error| Failure::passing(&error))?;
        let status = answer.status();
        let words = first_words(answer).await;
        judge(status, &words)
    }
}

/// The value of the signature header.
pub fn sign(secret: &str, now: Micros, body: &str) -> String {
    let seconds = now.div_euclid(1_000_000);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = ring::hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

fn judge(status: StatusCode, words: &str) -> Result<String, Failure> {
    let detail = if words.is_empty() { status.as_u16().to_string() } else { format!("{} {words}", status.as_u16()) };
    match status.as_u16() {
        200..=299 => Ok(detail),
        300..=399 => Err(Failure { is_permanent: true, detail: format!("{detail}: redirects are not followed") }),
        408 | 425 | 429 | 500..=599 => Err(Failure { is_permanent: false, detail }),
        _ => Err(Failure { is_permanent: true, detail }),
    }
}

/// The start of an answer as one printable line; a body that is too long or breaks off does not matter.
async fn first_words(mut answer: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ANSWER_MAX {
            break;
        }
    }
    String::from_utf8_lossy(&body[..body.len().min(400)])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(100)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_of_time_and_body() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'bí mật'
        let header = sign("bí mật", 1_700_000_000_000_000, r#"{"a":1}"#);
        assert_eq!(header, "t=1700000000,v1=278f8e88995891a36d7612c5e9598a048120ea4512073ff8bf9167a347ec11e1");
    }

    #[test]
    fn answers_are_judged() {
        let judge = |status: u16| judge(StatusCode::from_u16(status).unwrap(), "").map_err(|failure| failure.is_permanent);
        assert_eq!(judge(204), Ok("204".into()));
        assert_eq!((judge(301), judge(302), judge(404)), (Err(true), Err(true), Err(true)));
        assert_eq!((judge(429), judge(500), judge(503)), (Err(false), Err(false), Err(false)));
    }
}
