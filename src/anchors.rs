//! Carries roots of the proof out of the house: remote syslog (RFC 5424) and mail.
//!
//! A root covers everything before it, so only the newest one goes out; what failed is tried again with the newest one then.
//! Every attempt is stored. Neither way answers with a proof of its own: what counts is that the line lies where the owner of
//! this server cannot fetch it back.
//!
//! Absent: RFC 3161 time stamps, and the printed line (that is `chieng store anchor`).

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat};
use event::{Micros, seam::Clock};
use respond::email::{Mail, Mailer};
use store::{Store, proof::Attempt};
use tokio::{io::AsyncWriteExt as _, net};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Proof, SyslogAnchor, SyslogProtocol};

/// How often the newest root is compared with what went out.
const LOOK: Duration = Duration::from_secs(10);
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// First and longest wait after a failure.
const RETRY: Micros = 60 * 1_000_000;
const RETRY_MAX: Micros = 3_600 * 1_000_000;
/// Attempts that are read at the start, to know what went out before.
const REMEMBERED: u32 = 1_000;
/// `<110>`: facility 13 (log audit), severity 6 (informational).
const PRIORITY: u8 = 13 * 8 + 6;

/// Where roots go.
enum Way {
    Syslog(SyslogAnchor),
    Mail(String),
}

impl Way {
    fn name(&self) -> String {
        match self {
            Self::Syslog(to) => format!("syslog {} {}", to.protocol.name(), to.address),
            Self::Mail(to) => format!("mail {to}"),
        }
    }
}

/// One anchor and how it fares.
struct Anchor {
    way: Way,
    every: Micros,
    /// The last root that was taken, and when; failures since.
    taken: u64,
    taken_at: Micros,
    failures: u32,
    retry_at: Micros,
}

impl Anchor {
    fn is_due(&self, root: u64, now: Micros) -> bool {
        root > self.taken && now >= self.retry_at && (self.taken == 0 || now >= self.taken_at.saturating_add(self.every))
    }

    fn note(&mut self, attempt: &Attempt) {
        if attempt.is_taken {
            (self.taken, self.taken_at, self.failures, self.retry_at) = (attempt.root, attempt.at, 0, 0);
        } else {
            let wait = RETRY.saturating_mul(1 << self.failures.min(6)).min(RETRY_MAX);
            self.failures = self.failures.saturating_add(1);
            self.retry_at = attempt.at.saturating_add(wait);
        }
    }
}

/// Sends new roots to every anchor until stopped.
pub async fn run(
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    settings: Proof,
    smtp: Option<respond::settings::Smtp>,
    stop: CancellationToken,
) {
    let mut anchors = anchors(&settings);
    if anchors.is_empty() {
        return;
    }
    // `validate` has built it before.
    let mailer = smtp.as_ref().and_then(|smtp| Mailer::new(smtp).ok());
    let known: HashMap<String, Attempt> = match store.anchor_attempts(REMEMBERED).await {
        Ok(attempts) => attempts.into_iter().rev().filter(|one| one.is_taken).map(|one| (one.target.clone(), one)).collect(),
        Err(error) => {
            warn!(error = error.chain(), "failed to read which roots were anchored; the newest goes out again");
            HashMap::new()
        }
    };
    for anchor in &mut anchors {
        if let Some(attempt) = known.get(&anchor.way.name()) {
            anchor.note(attempt);
        }
    }
    let mut tick = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        for anchor in &mut anchors {
            let now = clock.now();
            let Some((root, hash)) = store.last_root().filter(|(root, _)| anchor.is_due(root.number, now)) else { continue };
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = send(&anchor.way, mailer.as_ref(), &root, now) => outcome,
            };
            let target = anchor.way.name();
            let is_taken = outcome.is_ok();
            let detail = outcome.unwrap_or_else(|reason| reason);
            match is_taken {
                true => info!(root = root.number, target, "anchored a root of the proof"),
                false => warn!(root = root.number, target, detail, "failed to anchor a root of the proof; tried again later"),
            }
            let attempt = Attempt { root: root.number, hash, target, at: now, is_taken, detail };
            anchor.note(&attempt);
            if let Err(error) = store.note_anchor(attempt).await {
                warn!(error = error.chain(), "failed to note an anchor of the proof");
            }
        }
    }
}

/// Names of the places that roots are to be sent to, as attempts name them.
pub fn targets(settings: &Proof) -> Vec<String> {
    anchors(settings).iter().map(|anchor| anchor.way.name()).collect()
}

fn anchors(settings: &Proof) -> Vec<Anchor> {
    let anchor = |way, every: Duration| Anchor {
        way,
        every: every.as_micros() as Micros,
        taken: 0,
        taken_at: 0,
        failures: 0,
        retry_at: 0,
    };
    let syslog = settings.syslog.iter().map(|to| anchor(Way::Syslog(to.clone()), settings.syslog_interval.0));
    let mail = settings.mail.iter().map(|to| anchor(Way::Mail(to.clone()), settings.mail_interval.0));
    syslog.chain(mail).collect()
}

/// Sends one root; gives what the other side answered.
async fn send(way: &Way, mailer: Option<&Mailer>, root: &proof::root::Anchor, now: Micros) -> Result<String, String> {
    match way {
        Way::Syslog(to) => {
            let message = syslog_message(root, now);
            let sending = async {
                match to.protocol {
                    SyslogProtocol::Udp => udp(&to.address, &message).await,
                    SyslogProtocol::Tcp => tcp(&to.address, &message).await,
                }
            };
            let sent = tokio::time::timeout(PATIENCE, sending).await;
            sent.map_err(|_| "no connection in time".to_owned())?.map_err(|error| error.to_string())?;
            Ok(format!("{} bytes sent", message.len()))
        }
        Way::Mail(to) => {
            let mailer = mailer.ok_or("no mail server: [respond.smtp]")?;
            let (text, html) = mail_text(root);
            let subject = format!("Chiêng {}: gốc chứng thực {} (log proof root)", root.node, root.number);
            let key = format!("proof-{}-{}", root.node, root.number);
            let mail = Mail { to, subject: &subject, text: &text, html: &html, key: &key, now };
            mailer.send(mail).await.map_err(|failure| failure.detail)
        }
    }
}

/// RFC 5424 §6, without structured data; the message is the anchor's line.
fn syslog_message(root: &proof::root::Anchor, now: Micros) -> String {
    let time = DateTime::from_timestamp_micros(now).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true);
    format!("<{PRIORITY}>1 {time} {} chieng - proof-root - {}", root.node, root.line())
}

async fn udp(address: &str, message: &str) -> std::io::Result<()> {
    let target = resolve(address).await?;
    let local = if target.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = net::UdpSocket::bind(local).await?;
    socket.connect(target).await?;
    socket.send(message.as_bytes()).await.map(drop)
}

/// RFC 6587 §3.4.1: octet counting.
async fn tcp(address: &str, message: &str) -> std::io::Result<()> {
    let mut stream = net::TcpStream::connect(resolve(address).await?).await?;
    stream.write_all(format!("{} {message}", message.len()).as_bytes()).await?;
    stream.shutdown().await
}

async fn resolve(address: &str) -> std::io::Result<std::net::SocketAddr> {
    let mut found = net::lookup_host(address).await?;
    found.next().ok_or_else(|| std::io::Error::other(format!("{address} has no address")))
}

fn mail_text(root: &proof::root::Anchor) -> (String, String) {
    let line = root.line();
    let text = format!(
        "Dòng dưới đây chứng thực mọi nhật ký mà máy chủ {node} đã nhận đến lúc ký gốc {number}. Xin giữ thư này ở nơi người quản trị \
máy chủ không xoá được.\n\n{line}\n\nKiểm tra: chieng store verify --anchors TỆP, hoặc chieng-verify --anchors TỆP.\n\n\
The line above vouches for all logs that server {node} had received when root {number} was signed. Keep this mail where the \
server's administrators cannot delete it.\n",
        node = root.node,
        number = root.number
    );
    let paragraphs = text.split("\n\n").map(|part| format!("<p>{}</p>", part.replace('&', "&amp;").replace('<', "&lt;")));
    (text.clone(), paragraphs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> proof::root::Anchor {
        proof::root::Anchor::of("n1", 42, &[0xAB; 32])
    }

    #[test]
    fn a_syslog_message_carries_the_line() {
        let message = syslog_message(&root(), 1_790_000_000_000_000);
        assert!(
            message.starts_with("<110>1 2026-09-21T14:13:20.000000Z n1 chieng - proof-root - CHIENG-ROOT n1 42 abab-"),
            "{message}"
        );
        assert_eq!(proof::root::Anchor::find(&message), Some(Ok(root())));
    }

    #[test]
    fn a_mail_carries_the_line_once_and_whole() {
        let (text, html) = mail_text(&root());
        let (anchors, bad) = proof::chain::read_anchors(&text);
        assert_eq!((anchors, bad.len()), (vec![root()], 0));
        assert!(html.contains(&root().line()) && html.starts_with("<p>"));
    }

    #[test]
    fn failures_wait_longer_and_longer_and_new_roots_wait_for_their_turn() {
        let settings = Proof { mail: vec!["a@x.example".into()], ..Proof::default() };
        let mut anchor = anchors(&settings).remove(0);
        let attempt =
            |root, at, is_taken| Attempt { root, hash: [0; 32], target: String::new(), at, is_taken, detail: String::new() };
        assert!(!anchor.is_due(0, 1) && anchor.is_due(1, 1));
        let mut at = 1;
        for wait in [60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
            anchor.note(&attempt(1, at, false));
            assert!(!anchor.is_due(1, at + wait * 1_000_000 - 1) && anchor.is_due(2, at + wait * 1_000_000));
            at += wait * 1_000_000;
        }
        anchor.note(&attempt(2, at, true));
        assert!(!anchor.is_due(2, at + 2 * 86_400_000_000), "nothing new");
        assert!(!anchor.is_due(3, at + 3_600_000_000) && anchor.is_due(3, at + 86_400_000_000), "once a day");
    }

    #[tokio::test]
    async fn goes_over_udp_and_tcp() {
        let receiver = net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = |address: std::net::SocketAddr, protocol| Way::Syslog(SyslogAnchor { address: address.to_string(), protocol });
        let way = to(receiver.local_addr().unwrap(), SyslogProtocol::Udp);
        send(&way, None, &root(), 5).await.unwrap();
        let mut buffer = [0; 2_000];
        let len = receiver.recv(&mut buffer).await.unwrap();
        assert_eq!(proof::root::Anchor::find(std::str::from_utf8(&buffer[..len]).unwrap()), Some(Ok(root())));

        let listener = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = to(address, SyslogProtocol::Tcp);
        let root = root();
        let (sent, text) = tokio::join!(send(&way, None, &root, 5), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text).await.unwrap();
            text
        });
        sent.unwrap();
        let (count, message) = text.split_once(' ').unwrap();
        assert_eq!(count.parse(), Ok(message.len()));
        drop(listener);
        assert!(send(&way, None, &root, 5).await.is_err(), "nobody listens");
        assert!(send(&Way::Mail("a@x.example".into()), None, &root, 5).await.unwrap_err().contains("[respond.smtp]"));
    }
}
