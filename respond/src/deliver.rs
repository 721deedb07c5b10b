//! One attempt to deliver one notification: written down before it begins and after it ended.

use chrono_tz::Tz;
use event::{Micros, Scope};
use state::{
    attempts::Ended,
    channels::{Channel, ChannelKind},
    incidents::Status,
    notify::{Notification, NotificationKind},
};

use crate::{
    Error, Failure, Responder, Result,
    email::Mail,
    message::{self, About, Details, Facts},
    retry,
    settings::HOUR,
    webhook::Call,
};

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 24;

/// A fresh random token for a link or a secret, safe in a URL.
pub(crate) fn token() -> Result<String> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Responder {
    /// Tries once. Returns whether it was delivered.
    pub(crate) async fn attempt(&self, notification: &Notification) -> Result<bool> {
        let token = self.ack_token(notification)?;
        let hash = token.as_deref().map(state::secret::hash);
        let now = self.clock.now();
        let expires = now + Micros::from(self.settings.ack_hours) * HOUR;
        let Some(attempt) = self.state.begin_attempt(notification, hash.as_deref().map(|hash| (hash, expires)), now).await?
        else {
            return Ok(false);
        };
        let ended = match self.about(notification).await? {
            None => Ended::Cancelled { detail: "there is nothing left to tell".into() },
            Some(about) => {
                let link = self.link(&about, token.as_deref());
                let sent = self.send(notification, about, &link).await;
                self.ended(notification, sent)
            }
        };
        let delivered = matches!(ended, Ended::Delivered { .. });
        if let Err(error) = self.state.finish_attempt(notification, attempt, &ended, self.clock.now()).await {
            // It must not be sent again because the disk was full for a moment: remembered until it is written down.
            self.unrecorded.lock().await.insert(notification.id, (notification.clone(), attempt, ended));
            return Err(error.into());
        }
        Ok(delivered)
    }

    /// Writes down what could not be written down before.
    pub(crate) async fn record_ended(&self) -> Result<()> {
        let mut unrecorded = self.unrecorded.lock().await;
        while let Some((id, (notification, attempt, ended))) = unrecorded.iter().next().map(|(id, entry)| (*id, entry.clone())) {
            self.state.finish_attempt(&notification, attempt, &ended, self.clock.now()).await?;
            unrecorded.remove(&id);
        }
        Ok(())
    }

    /// Only a page to a person about an incident can be answered by a link.
    fn ack_token(&self, notification: &Notification) -> Result<Option<String>> {
        let is_page = matches!(notification.kind, NotificationKind::Page | NotificationKind::Escalation);
        let answerable = is_page && notification.person.is_some() && notification.incident.is_some();
        answerable.then(token).transpose()
    }

    async fn about(&self, notification: &Notification) -> Result<Option<About>> {
        Ok(match (notification.kind, notification.incident) {
            (NotificationKind::Test, _) => Some(About::Test { at: self.clock.now() }),
            (NotificationKind::Summary, _) => {
                let held = self.state.held_incidents(&notification.page).await?;
                (!held.is_empty()).then(|| About::Summary { incidents: held.iter().map(Facts::of).collect() })
            }
            (_, None) => None,
            (_, Some(id)) => {
                let incident = self.state.incident(&Scope::internal("respond"), id).await?;
                let open = incident.filter(|incident| incident.status == Status::Open);
                open.map(|incident| About::Incident { facts: Facts::of(&incident), details: Some(Details::of(&incident)) })
            }
        })
    }

    fn link(&self, about: &About, token: Option<&str>) -> String {
        let base = self.settings.public_url.trim_end_matches('/');
        match (token, about) {
            (Some(token), _) => format!("{base}/ack/{token}"),
            (None, About::Incident { facts, .. }) => format!("{base}/incidents/{}", facts.number),
            (None, About::Summary { .. }) => format!("{base}/alerts"),
            (None, About::Test { .. }) => format!("{base}/"),
        }
    }

    async fn send(&self, notification: &Notification, about: About, link: &str) -> Result<String, Failure> {
        let gone = |detail: &str| Failure { is_permanent: true, detail: detail.into() };
        let channel = match notification.channel {
            Some(id) => self.state.channel(id).await.map_err(|error| Failure::passing(&error))?,
            None => None,
        };
        let channel = channel.filter(|channel| channel.enabled).ok_or_else(|| gone("the channel was switched off"))?;
        match channel.kind {
            ChannelKind::Email => self.send_mail(notification, about, link, &channel).await,
            ChannelKind::Webhook => {
                let body = message::json(&about, notification.kind, link, &notification.key).to_string();
                let secret = channel.secret.as_deref();
                self.webhooks
                    .call(Call { url: &channel.address, secret, key: &notification.key, body: &body, now: self.clock.now() })
                    .await
            }
        }
    }

    async fn send_mail(
        &self,
        notification: &Notification,
        about: About,
        link: &str,
        channel: &Channel,
    ) -> Result<String, Failure> {
        let Some(mailer) = &self.mailer else {
            return Err(Failure { is_permanent: true, detail: "no mail server is configured: set [respond.smtp]".into() });
        };
        let about = match about {
            About::Incident { facts, .. } if !self.is_inside(&channel.address) => About::Incident { facts, details: None },
            about => about,
        };
        let zone: Tz = self.settings.timezone.parse().unwrap_or(chrono_tz::Asia::Ho_Chi_Minh);
        let message::Text { subject, text, html } = message::mail(&about, notification.kind, link, zone);
        let mail = Mail {
            to: &channel.address,
            subject: &subject,
            text: &text,
            html: &html,
            key: &notification.key,
            now: self.clock.now(),
        };
        mailer.send(mail).await
    }

    /// True for mailboxes that the setting lets read more.
    fn is_inside(&self, address: &str) -> bool {
        let domain = address.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        self.settings.inside_details && self.settings.inside_domains.iter().any(|inside| inside.to_ascii_lowercase() == domain)
    }

    fn ended(&self, notification: &Notification, sent: Result<String, Failure>) -> Ended {
        let now = self.clock.now();
        match sent {
            Ok(detail) => Ended::Delivered { detail },
            Err(Failure { is_permanent: true, detail }) => Ended::Dead { detail },
            Err(Failure { detail, .. }) => {
                match retry::next(&notification.key, notification.tries + 1, now, notification.expires) {
                    Some(due) => Ended::Retry { due, detail },
                    None => Ended::Dead { detail: format!("given up: {detail}") },
                }
            }
        }
    }
}
