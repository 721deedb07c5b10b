//! Against programs that are not ours: Python's own HTTP server and mail parser, a mail server with STARTTLS and a password.
//! Skipped, visibly, where python3 or openssl is absent.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use state::channels::ChannelKind;

use crate::rig::Rig;

/// A server in a child process that is killed with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// The script prints its port first, then one line per thing it received.
    fn start(script: &str, arguments: &[&Path]) -> Option<(Self, BufReader<std::process::ChildStdout>)> {
        let child = Command::new("python3").arg("-u").arg("-c").arg(script).args(arguments).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: python3 is absent");
            return None;
        };
        let mut lines = BufReader::new(child.stdout.take()?);
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        let port = port.trim().parse().unwrap_or_else(|_| panic!("the server said {port:?}"));
        Some((Self { child, port }, lines))
    }
}

fn line(lines: &mut impl BufRead) -> serde_json::Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

const HTTP: &str = r#"
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        print(json.dumps({'path': self.path, 'type': self.headers['Content-Type'], 'body': json.loads(body)}))
        self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers(); self.wfile.write(b'ok')
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_port)
server.serve_forever()
"#;

#[tokio::test]
async fn a_webhook_reaches_an_http_server_in_another_process() {
    let Some((server, mut lines)) = Server::start(HTTP, &[]) else { return };
    let rig = Rig::new(1, |settings| {
        settings.smtp = None;
        settings.webhook.allow = vec!["localhost".into()];
    })
    .await;
    let hook = format!("http://localhost:{}/hook", server.port);
    rig.responder.add_channel(None, ChannelKind::Webhook, &hook).await.unwrap();
    rig.attack(1, "203.0.113.9").await;
    assert_eq!(rig.work().await.delivered, 1);
    let got = line(&mut lines);
    assert_eq!((&got["path"], &got["type"]), (&"/hook".into(), &"application/json; charset=utf-8".into()));
    assert_eq!((&got["body"]["incident"], &got["body"]["kind"]), (&1.into(), &"page".into()));
}

const SMTP: &str = r#"
import base64, email, email.policy, json, socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1])
while True:
    sock, _ = listener.accept()
    try:
        secure, user = False, None
        f = sock.makefile('rwb')
        def say(text):
            f.write(text.encode() + b'\r\n'); f.flush()
        say('220 mail ESMTP')
        while True:
            verb = f.readline().decode().strip()
            if not verb: break
            up = verb.upper()
            if up.startswith('EHLO'):
                say('250-mail'); say('250 AUTH PLAIN LOGIN' if secure else '250 STARTTLS')
            elif up == 'STARTTLS':
                say('220 go'); sock = context.wrap_socket(sock, server_side=True); f = sock.makefile('rwb'); secure = True
            elif up.startswith('AUTH PLAIN'):
                user = base64.b64decode(verb.split()[2]).decode().split('\0')[1:]; say('235 ok')
            elif up == 'DATA':
                say('354 go'); data = b''
                while True:
                    part = f.readline()
                    if part == b'.\r\n': break
                    data += part[1:] if part.startswith(b'.') else part
                message = email.message_from_bytes(data, policy=email.policy.default)
                print(json.dumps({'secure': secure, 'user': user, 'from': str(message['From']), 'subject': str(message['Subject']),
                    'text': message.get_body(('plain',)).get_content(), 'html': message.get_body(('html',)).get_content(),
                    'defects': [str(d) for d in message.defects]}))
                say('250 ok')
            elif up == 'QUIT':
                say('221 bye'); break
            else:
                say('250 ok')
    except Exception as error:
        print(json.dumps({'error': str(error)}))
    sock.close()
"#;

/// A certificate for `localhost` that nobody else knows.
fn certificate(dir: &Path) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(dir.join("key.pem"))
        .arg("-out")
        .arg(dir.join("cert.pem"))
        .stderr(Stdio::null())
        .status();
    let done = made.is_ok_and(|status| status.success());
    if !done {
        eprintln!("skipped: openssl is absent");
    }
    done
}

fn smtp(port: u16, ca: Option<&Path>) -> respond::settings::Smtp {
    let password = std::env::temp_dir().join(format!("chieng-smtp-password-{}", std::process::id()));
    std::fs::write(&password, "mật khẩu\n").unwrap();
    serde_json::from_value(serde_json::json!({
        "host": "localhost", "port": port, "tls": "starttls", "from": "Chiêng <chieng@tinh.example>",
        "user": "chieng", "password": { "file": password }, "ca_file": ca, "timeout_seconds": 5,
    }))
    .unwrap()
}

#[tokio::test]
async fn starttls_and_a_password_and_vietnamese_as_another_mail_reader_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    if !certificate(dir.path()) {
        return;
    }
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let Some((server, mut lines)) = Server::start(SMTP, &[&cert, &key]) else { return };
    let mut rig = Rig::new(1, |settings| settings.smtp = Some(smtp(server.port, Some(&cert)))).await;
    rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    assert_eq!(rig.work().await.delivered, 1, "{:?}", rig.told(1).await);
    let got = line(&mut lines);
    assert_eq!((&got["secure"], &got["user"]), (&true.into(), &serde_json::json!(["chieng", "mật khẩu"])));
    assert_eq!(got["subject"], "[Chiêng] Sự cố #1 · Cao · mot-cua");
    assert_eq!(got["from"], "Chiêng <chieng@tinh.example>");
    assert!(got["text"].as_str().unwrap().starts_with("Sự cố số 1\r\nMức độ: Cao\r\n"), "{got}");
    assert!(got["html"].as_str().unwrap().contains("<p>Mức độ: Cao</p>"), "{got}");
    assert_eq!(got["defects"], serde_json::json!([]));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_no_mail_and_no_password() {
    let dir = tempfile::tempdir().unwrap();
    if !certificate(dir.path()) {
        return;
    }
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let Some((server, mut lines)) = Server::start(SMTP, &[&cert, &key]) else { return };
    let mut rig = Rig::new(1, |settings| settings.smtp = Some(smtp(server.port, None))).await;
    rig.person("lan").await;
    rig.attack(1, "203.0.113.9").await;
    assert_eq!(rig.work().await.delivered, 0);
    assert!(line(&mut lines)["error"].is_string(), "the handshake failed");
    let told = rig.told(1).await;
    assert_eq!(told[0].0, "queued", "tried again: certificates get renewed");
}
