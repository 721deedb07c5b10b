//! Starts the real binary on a temporary directory and port 0, talks to it, and takes it down again.

use std::{
    fs,
    io::Read as _,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything in these tests may take before it counts as never; generous, because machines are loaded.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const CHIENG: &str = env!("CARGO_BIN_EXE_chieng");

/// A directory with a configuration; servers are started and killed on it.
pub struct Site {
    pub dir: tempfile::TempDir,
}

/// A running server. Dropping it kills it.
pub struct Server {
    child: Child,
    pub ready: Value,
}

impl Site {
    /// A site with loopback listeners on port 0, an HTTP source `api` with token `test-token-0123456789`, and more TOML.
    pub fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let site = Self { dir };
        site.configure(more);
        site
    }

    pub fn configure(&self, more: &str) {
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\n\n[ingest.syslog]\nudp = [\"127.0.0.1:0\"]\ntcp = [\"127.0.0.1:0\"]\n\n\
             [[ingest.sources]]\nname = \"api\"\ntoken = {{ file = {:?} }}\n\n{more}\n",
            self.data(),
            self.path("token")
        );
        fs::write(self.path("token"), "test-token-0123456789\n").expect("write the token");
        fs::write(self.config(), text).expect("write the configuration");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("chieng.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Starts the server and waits until it says that it is ready.
    pub fn start(&self) -> Server {
        let ready_file = self.path("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("server.log")).expect("open the log");
        let mut child = Command::new(CHIENG)
            .args(["run", "--config"])
            .arg(self.config())
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("clone the log"))
            .stderr(log)
            .spawn()
            .expect("start chieng");
        let ready = wait_for("the server to be ready", || {
            if let Some(status) = child.try_wait().expect("wait for chieng") {
                panic!("chieng ended at start ({status}):\n{}", self.log());
            }
            serde_json::from_slice(&fs::read(&ready_file).ok()?).ok()
        });
        Server { child, ready }
    }

    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = fs::File::open(self.path("server.log")) {
            let _ = file.read_to_string(&mut text);
        }
        text
    }

    /// Runs a command of the binary on this site.
    pub fn chieng(&self, arguments: &[&str]) -> Output {
        Command::new(CHIENG).args(arguments).arg("--config").arg(self.config()).stdin(Stdio::null()).output().expect("run chieng")
    }

    /// Runs SQL through the command line, which asks the running server or opens the store itself.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let output = self.chieng(&["query", sql, "--format", "json"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "query failed: {sql}\n{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// Runs SQL that answers one number.
    pub fn count(&self, sql: &str) -> i64 {
        let rows = self.query(sql);
        let row = rows.first().and_then(Value::as_object).unwrap_or_else(|| panic!("no row: {sql}"));
        row.values().next().and_then(Value::as_i64).unwrap_or_else(|| panic!("no number: {sql}: {row:?}"))
    }
}

impl Server {
    /// The web address, for example `http://127.0.0.1:40123`.
    pub fn http(&self) -> String {
        self.ready["http"].as_str().expect("ready.http").to_owned()
    }

    pub fn address(&self, name: &str) -> SocketAddr {
        self.ready[name].as_str().unwrap_or_else(|| panic!("ready.{name}")).parse().expect("an address")
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("kill chieng");
        self.child.wait().expect("wait for chieng");
    }

    /// Asks the server to stop, as systemd does, and waits.
    pub fn stop(mut self) {
        // SAFETY: plain system call on a child that has not been waited for yet, so the pid is ours.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let status = wait_for("the server to stop", || self.child.try_wait().expect("wait for chieng"));
        assert!(status.success(), "chieng stopped with {status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition gives a value; panics at the deadline.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "gave up waiting for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// An HTTP client that follows nothing and knows no proxy.
pub fn client() -> reqwest::Client {
    // A second installation answers with an error: the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

/// A browser-like HTTP client that keeps cookies by hand.
pub struct Person {
    client: reqwest::Client,
    base: String,
    cookie: String,
    csrf: String,
}

impl Person {
    /// Sets the site up with its one-time token and logs in as its first administrator.
    pub async fn first_admin(site: &Site, server: &Server) -> Self {
        let token = fs::read_to_string(site.data().join("setup-token")).expect("the set-up token is in the data directory");
        let body = serde_json::json!({ "token": token.trim(), "name": "quantri", "password": "mật khẩu rất dài 1", "display_name": "Quản trị" });
        Self::enter(server, "/api/v1/setup", body).await
    }

    pub async fn login(server: &Server, name: &str, password: &str) -> Self {
        Self::enter(server, "/api/v1/session", serde_json::json!({ "name": name, "password": password })).await
    }

    async fn enter(server: &Server, path: &str, body: Value) -> Self {
        let client = client();
        let base = server.http();
        let response = client
            .post(format!("{base}{path}"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("an answer");
        let status = response.status();
        let cookie = response.headers().get("set-cookie").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = response.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status}: {text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let cookie = cookie.expect("a session cookie").split(';').next().unwrap_or_default().to_owned();
        Self { client, base, cookie, csrf: answer["csrf"].as_str().expect("csrf").to_owned() }
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        answer(request.send().await.expect("an answer")).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("x-chieng-csrf", &self.csrf)
            .header("content-type", "application/json")
            .body(body.to_string());
        answer(request.send().await.expect("an answer")).await
    }

    /// The answer of a GET, to be read as it comes.
    pub async fn open(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.base)).header("cookie", &self.cookie).send().await.expect("an answer")
    }

    pub async fn delete(&self, path: &str) -> u16 {
        let request = self.client.delete(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        request.header("x-chieng-csrf", &self.csrf).send().await.expect("an answer").status().as_u16()
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Posts records to a source; gives the status.
pub async fn post_records(
    client: &reqwest::Client,
    base: &str,
    source: &str,
    key: Option<&str>,
    body: String,
) -> reqwest::Result<u16> {
    let mut request = client
        .post(format!("{base}/ingest/v1/{source}"))
        .header("authorization", "Bearer test-token-0123456789")
        .header("content-type", "application/x-ndjson")
        .timeout(DEADLINE)
        .body(body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    Ok(request.send().await?.status().as_u16())
}
