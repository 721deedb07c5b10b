//! Who is asking: passwords (argon2id), the session cookie, the header against forged requests, the lock against guessing.
//!
//! A handler that takes a [`Person`] cannot be reached without a session, and every request that is no GET must carry the
//! session's `csrf` in [`CSRF_HEADER`]; the cookie is `SameSite=Strict` besides. Over the control socket there is no cookie:
//! whoever may open that file owns the data directory.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _, password_hash::SaltString};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, Method, StatusCode, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use event::{Micros, Scope};
use state::{guard::LockPolicy, secret, sessions::NewSession, users::User};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use crate::{
    App,
    audit::{self, Action, Line},
    error::{ApiError, Result},
};

pub const COOKIE: &str = "chieng_session";
pub const CSRF_HEADER: &str = "x-chieng-csrf";

/// A session ends after a working day, or after an idle hour.
const SESSION: Micros = 12 * 3_600_000_000;
const IDLE: Micros = 2 * 3_600_000_000;

/// TCVN 14423:2026 x.6.2.2 b suggests 14 characters where there is no second factor; more than the second number cost us CPU
/// for nothing.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 14..=256;

/// Hashes and checks passwords off the async threads, few at a time: each costs 19 MiB and tens of milliseconds.
#[derive(Clone)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    /// A hash of nothing, checked when there is no such account, so that both answers take the same time.
    decoy: Arc<str>,
}

impl Passwords {
    pub fn new() -> Result<Self> {
        let decoy = hash_now("no account has this password")?;
        Ok(Self { slots: Arc::new(Semaphore::new(2)), decoy: decoy.into() })
    }

    /// Returns the PHC string of a password, or says why it is no good.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let count = password.chars().count();
        if !PASSWORD_CHARS.contains(&count) {
            let (least, most) = (PASSWORD_CHARS.start(), PASSWORD_CHARS.end());
            return Err(ApiError::bad("invalid", format!("a password has {least} to {most} characters, this one has {count}")));
        }
        let password = password.to_owned();
        self.run(move || hash_now(&password)).await?
    }

    /// Checks a password against an account's hash, or against the decoy where there is no account.
    pub async fn matches(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let is_account = hash.is_some();
        let (password, hash) = (password.to_owned(), hash.unwrap_or(&self.decoy).to_owned());
        let is_right = self.run(move || is_password(&password, &hash)).await?;
        Ok(is_right && is_account)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = |_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "closing", "the server is stopping");
        let _slot = self.slots.acquire().await.map_err(busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal("hashing a password failed", &error))
    }
}

fn hash_now(password: &str) -> Result<String> {
    let mut salt = [0_u8; 16];
    let failed = |what: String| ApiError::internal("hashing a password failed", &std::io::Error::other(what));
    getrandom::fill(&mut salt).map_err(|error| failed(error.to_string()))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| failed(error.to_string()))?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|error| failed(error.to_string()))?;
    Ok(hash.to_string())
}

fn is_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// The logged-in person behind a request.
#[derive(Clone, Debug)]
pub struct Person {
    pub user: User,
    pub scope: Scope,
    pub csrf: String,
    pub session: String,
    /// Where the request came from; `None` over the control socket.
    pub address: Option<IpAddr>,
}

impl Person {
    pub fn need_handler(&self) -> Result<()> {
        if self.scope.role.may_handle_incidents() {
            return Ok(());
        }
        Err(ApiError::forbidden("your role may read incidents, not handle them"))
    }

    pub fn need_holder(&self) -> Result<()> {
        if self.scope.role.may_place_holds() {
            return Ok(());
        }
        Err(ApiError::forbidden("legal holds are placed by administrators and analysts"))
    }

    pub fn need_admin(&self) -> Result<()> {
        if self.scope.role.may_administer() {
            return Ok(());
        }
        Err(ApiError::forbidden("only an administrator may do this"))
    }
}

impl FromRequestParts<App> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let unknown = || ApiError::new(StatusCode::UNAUTHORIZED, "unauthenticated", "log in first");
        let cookie = cookie(&parts.headers).ok_or_else(unknown)?;
        let hash = secret::hash(cookie);
        let (session, user) = app.state.session(&hash, app.clock.now()).await?.ok_or_else(unknown)?;
        if parts.method != Method::GET && parts.method != Method::HEAD {
            check_forgery(&parts.headers, &session.csrf)?;
        }
        let address = peer(&parts.extensions).map(|peer| peer.ip());
        Ok(Self { scope: user.scope(), csrf: session.csrf, session: hash, user, address })
    }
}

fn check_forgery(headers: &HeaderMap, csrf: &str) -> Result<()> {
    let sent = headers.get(CSRF_HEADER).map_or(&b""[..], |value| value.as_bytes());
    if bool::from(sent.ct_eq(csrf.as_bytes())) && is_same_origin(headers) {
        return Ok(());
    }
    Err(ApiError::new(StatusCode::FORBIDDEN, "csrf", "the request did not come from this application; load the page anew"))
}

/// A browser names the origin of a request that changes something; other programs need not.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, of)| of == host)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// A new secret of 256 random bits, in characters that need no escaping anywhere.
pub fn random_token() -> std::io::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Opens a session; returns the `Set-Cookie` value and the csrf.
pub async fn open(app: &App, user: &User, address: Option<SocketAddr>) -> Result<(String, String)> {
    let failed = |error| ApiError::internal("making a session failed", &error);
    let (cookie, csrf) = (random_token().map_err(failed)?, random_token().map_err(failed)?);
    let now = app.clock.now();
    let session = NewSession {
        hash: secret::hash(&cookie),
        user: user.id,
        csrf: csrf.clone(),
        expires: now + SESSION,
        idle: IDLE,
        address: address.map(|address| address.ip().to_string()),
    };
    app.state.open_session(session, now).await?;
    let secure = if app.settings.https { "; Secure" } else { "" };
    let seconds = SESSION / 1_000_000;
    Ok((format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"), csrf))
}

/// The `Set-Cookie` value that forgets a session.
pub fn forget() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// Checks name and password, with the lock against guessing on both the name and the address. What came of it is an audit
/// event; tries while the lock holds are not, so that guessing cannot fill the log.
pub async fn check(app: &App, name: &str, password: &str, address: Option<SocketAddr>) -> Result<User> {
    let now = app.clock.now();
    let keys = guard_keys(name, address);
    for (key, _) in &keys {
        if let Some(until) = app.state.login_locked(key, now).await? {
            return Err(locked(until - now));
        }
    }
    let account = app.state.user_by_name(name).await?;
    let from = address.map(|address| address.ip());
    let hash = account.as_ref().filter(|user| !user.disabled).map(|user| user.password_hash.as_str());
    let is_right = app.passwords.matches(password, hash).await?;
    match account {
        Some(user) if is_right => {
            app.state.login_succeeded(&keys[0].0).await?;
            app.state.note_login(user.id, now).await?;
            audit::record(app, Line::new(Action::Login, &user.name, "").from(from)).await;
            Ok(user)
        }
        account => {
            let why = match &account {
                None => "unknown account",
                Some(user) if user.disabled => "account is disabled",
                Some(_) => "wrong password",
            };
            let typed = account.map_or_else(|| audit::typed_name(name), |user| user.name);
            audit::record(app, Line::new(Action::Login, &typed, why).failed().from(from)).await;
            count_failure(app, keys, &typed, from).await?;
            Err(ApiError::new(StatusCode::UNAUTHORIZED, "wrong_login", "name or password is wrong"))
        }
    }
}

/// Checks the present password of a person who is logged in; guessing it is locked like guessing at the login.
pub async fn check_present(app: &App, person: &Person, password: &str) -> Result<()> {
    let now = app.clock.now();
    let keys: Vec<_> = guard_keys(&person.user.name, None);
    if let Some(until) = app.state.login_locked(&keys[0].0, now).await? {
        return Err(locked(until - now));
    }
    if app.passwords.matches(password, Some(&person.user.password_hash)).await? {
        app.state.login_succeeded(&keys[0].0).await?;
        return Ok(());
    }
    audit::record(app, Line::of(Action::PasswordChange, person, "wrong present password").failed()).await;
    count_failure(app, keys, &person.user.name, person.address).await?;
    let mut error = ApiError::bad("wrong_password", "the present password is wrong");
    error.field = Some("present");
    Err(error)
}

async fn count_failure(app: &App, keys: Vec<(String, LockPolicy)>, name: &str, from: Option<IpAddr>) -> Result<()> {
    let now = app.clock.now();
    for (key, policy) in keys {
        if let Some(until) = app.state.login_failed(&key, policy, now).await? {
            let what = if key.starts_with("name:") { "account" } else { "address" };
            let message = format!("too many wrong passwords: this {what} is shut for {} s", (until - now) / 1_000_000);
            audit::record(app, Line::new(Action::LoginLock, name, message).from(from)).await;
        }
    }
    Ok(())
}

/// An account is shut after a few tries, an address after more: a whole unit may sit behind one address.
fn guard_keys(name: &str, address: Option<SocketAddr>) -> Vec<(String, LockPolicy)> {
    let short: String = name.trim().to_lowercase().chars().take(64).collect();
    let mut keys = vec![(format!("name:{short}"), LockPolicy::default())];
    if let Some(address) = address {
        keys.push((format!("address:{}", address.ip()), LockPolicy { free: 30, ..LockPolicy::default() }));
    }
    keys
}

fn locked(left: Micros) -> ApiError {
    let seconds = u32::try_from((left / 1_000_000).max(1)).unwrap_or(u32::MAX);
    let mut error =
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many", format!("too many wrong tries; try again in {seconds} s"));
    error.retry_after_s = Some(seconds);
    error
}

/// The peer of a TCP request; `None` over the control socket.
pub struct Peer(pub Option<SocketAddr>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(peer(&parts.extensions)))
    }
}

fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(cookie(&headers(&[("cookie", "a=b; chieng_session=xyz; c=d")])), Some("xyz"));
        assert_eq!(cookie(&headers(&[("cookie", "xchieng_session=xyz")])), None);
        assert_eq!(cookie(&headers(&[("cookie", "chieng_sessionx=xyz")])), None);
    }

    #[test]
    fn foreign_origins_are_refused() {
        assert!(check_forgery(&headers(&[("x-chieng-csrf", "abc"), ("host", "a:1"), ("origin", "http://a:1")]), "abc").is_ok());
        assert!(check_forgery(&headers(&[("x-chieng-csrf", "abc"), ("host", "a:1")]), "abc").is_ok());
        assert!(check_forgery(&headers(&[("x-chieng-csrf", "abc"), ("host", "a:1"), ("origin", "http://b")]), "abc").is_err());
        assert!(check_forgery(&headers(&[("x-chieng-csrf", "abd"), ("host", "a:1")]), "abc").is_err());
        assert!(check_forgery(&headers(&[("host", "a:1")]), "").is_ok(), "an empty csrf is never issued");
    }

    #[test]
    fn passwords_are_argon2id() {
        let hash = hash_now("mật khẩu rất dài").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(is_password("mật khẩu rất dài", &hash) && !is_password("mật khẩu rất ngắn", &hash));
    }
}
