//! Delivery by mail: one message to one person over SMTP.
//!
//! Addresses and headers are built by lettre from typed parts; texts that could carry a line break are cleaned first. The
//! Message-ID is the same on every retry, so a mailbox that got both copies can tell.

use std::time::{Duration, SystemTime};

use event::Micros;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};

use crate::{
    Failure,
    settings::{Smtp, SmtpTls},
};

/// Sends mail through one server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// One message, ready to be sent.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    pub to: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
    pub html: &'a str,
    /// Same on every retry.
    pub key: &'a str,
    pub now: Micros,
}

/// Checks a mail address.
pub fn check_address(address: &str) -> Result<Address, String> {
    address.parse().map_err(|error| format!("{address:?} is not a mail address: {error}"))
}

impl Mailer {
    /// Fails on settings that cannot work; does not connect.
    pub fn new(smtp: &Smtp) -> Result<Self, String> {
        let from: Mailbox = smtp.from.parse().map_err(|error| format!("[respond.smtp].from {:?}: {error}", smtp.from))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port.unwrap_or(match smtp.tls {
                SmtpTls::Tls => 465,
                SmtpTls::Starttls => 587,
                SmtpTls::None => 25,
            }))
            .timeout(Some(Duration::from_secs(u64::from(smtp.timeout_seconds.clamp(1, 120)))))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()))
            .tls(match smtp.tls {
                SmtpTls::Tls => Tls::Wrapper(tls(smtp)?),
                SmtpTls::Starttls => Tls::Required(tls(smtp)?),
                SmtpTls::None => Tls::None,
            });
        match (&smtp.user, &smtp.password) {
            (Some(user), Some(password)) => {
                let password = password.fetch().map_err(|problem| format!("[respond.smtp] password: {problem}"))?;
                builder = builder.credentials(Credentials::new(user.clone(), password));
            }
            (None, None) => {}
            _ => return Err("[respond.smtp]: user and password belong together".into()),
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends; returns the server's answer.
    pub async fn send(&self, mail: Mail<'_>) -> Result<String, Failure> {
        let message = self.message(&mail).map_err(|detail| Failure { is_permanent: true, detail })?;
        match self.transport.send(message).await {
            Ok(answer) => Ok(format!("{} {}", answer.code(), answer.first_line().unwrap_or_default()).trim().to_owned()),
            Err(error) => {
                let is_permanent = error.status().is_some_and(|code| is_refusal(code.into()));
                Err(Failure { is_permanent, ..Failure::passing(&error) })
            }
        }
    }

    fn message(&self, mail: &Mail<'_>) -> Result<Message, String> {
        let sent = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(mail.now).unwrap_or(0));
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, check_address(mail.to)?))
            .subject(one_line(mail.subject))
            .date(sent)
            .message_id(Some(format!("<{}@{}>", one_line(mail.key), self.from.email.domain())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(mail.text.to_owned(), mail.html.to_owned()))
            .map_err(|error| error.to_string())
    }
}

/// RFC 5321 §4.2.2: this mailbox or message will not be taken later either. A refused log-in (53x) or a command the server does
/// not know is our configuration, which somebody will mend: pages wait for it.
fn is_refusal(code: u16) -> bool {
    matches!(code, 550..=556)
}

/// RFC 3834: keeps vacation notices from answering.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

fn tls(smtp: &Smtp) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(path) = &smtp.ca_file {
        let failed = |error: &dyn std::fmt::Display| format!("[respond.smtp].ca_file {}: {error}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(&error))?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| failed(&error))?);
    }
    builder.build().map_err(|error| format!("[respond.smtp]: {error}"))
}

/// Header text in one line: no control character survives.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mailer() -> Mailer {
        let smtp: Smtp =
            serde_json::from_str(r#"{"host":"localhost","from":"Chiêng <chieng@tinh.example>","tls":"none"}"#).unwrap();
        Mailer::new(&smtp).unwrap()
    }

    fn mail<'a>(to: &'a str, subject: &'a str) -> Mail<'a> {
        Mail { to, subject, text: "chữ", html: "<p>chữ</p>", key: "c1-s0", now: 1_700_000_000_000_000 }
    }

    #[test]
    fn a_line_break_in_a_header_starts_no_header() {
        let message = mailer().message(&mail("lan@tinh.example", "Sự cố\r\nBcc: all@example.com\n\nbody")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{head}");
        assert_eq!(message.envelope().to().len(), 1);
    }

    #[test]
    fn a_recipient_is_one_address() {
        for to in ["a@x.example, b@x.example", "a@x.example\r\nRCPT TO:<b@x.example>", "<a@x.example>", "a", ""] {
            assert!(mailer().message(&mail(to, "x")).is_err(), "{to:?}");
        }
    }

    #[test]
    fn a_retry_is_the_same_message() {
        let text = String::from_utf8(mailer().message(&mail("lan@tinh.example", "x")).unwrap().formatted()).unwrap();
        assert!(text.contains("Message-ID: <c1-s0@tinh.example>\r\n"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
        assert!(text.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"), "{text}");
    }
}
