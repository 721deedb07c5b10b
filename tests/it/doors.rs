//! The doors for agents of others, through the whole program: `_bulk` of the Elasticsearch-compatible one, and syslog under
//! mutual TLS.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::harness::{Server, Site, client, wait_for};

/// What Winlogbeat sends for a failed logon, then a document that is none.
const WINLOGBEAT: &str = concat!(
    r#"{"create":{"_index":"winlogbeat-8.15.1"}}"#,
    "\n",
    r#"{"@timestamp":"2026-11-23T01:00:03.123Z","winlog":{"channel":"Security","event_id":"4625","provider_name":"Microsoft-Windows-Security-Auditing","computer_name":"DC01.tinh.local","record_id":91,"event_data":{"TargetUserName":"quantri","TargetDomainName":"TINH","IpAddress":"203.0.113.7","IpPort":"50111","LogonType":"3","Status":"0xc000006d","SubStatus":"0xc000006a"}},"event":{"code":"4625","kind":"event","provider":"Microsoft-Windows-Security-Auditing"},"host":{"name":"DC01"},"agent":{"type":"winlogbeat","version":"8.15.1"},"ecs":{"version":"8.0.0"},"message":"An account failed to log on."}"#,
    "\n",
    r#"{"create":{"_index":"winlogbeat-8.15.1"}}"#,
    "\n{half a document\n",
);

async fn bulk(base: &str, body: &str) -> (u16, String) {
    let request = client()
        .post(format!("{base}/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status"))
        .header("user-agent", "Elastic-winlogbeat/8.15.1 (windows; amd64)")
        .header("authorization", "Basic YXBpOnRlc3QtdG9rZW4tMDEyMzQ1Njc4OQ==")
        .header("content-type", "application/json; charset=UTF-8");
    let response = request.body(body.to_owned()).send().await.expect("an answer");
    let status = response.status().as_u16();
    assert_eq!(response.headers()["x-elastic-product"], "Elasticsearch");
    (status, response.text().await.expect("a body"))
}

#[tokio::test]
async fn a_bulk_of_winlogbeat_ends_as_events_at_both_addresses() {
    let site = Site::new("[ingest.elastic]\nlisten = [\"127.0.0.1:0\"]\n");
    let server = site.start();
    let own = format!("http://{}", server.address("elastic"));
    let expected = r#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#;
    for base in [&own, &format!("{}/elastic", server.http())] {
        assert_eq!(bulk(base, WINLOGBEAT).await, (200, expected.to_owned()));
    }
    wait_for("both events, twice", || (site.count("SELECT count(*) FROM events WHERE chieng.source = 'api'") == 4).then_some(()));
    let rows = site.query(
        "SELECT source.ip, user.name, host.name, event.outcome, winlog.event_data.LogonType AS kind FROM events WHERE event.code = '4625'",
    );
    assert_eq!(rows.len(), 2);
    assert_eq!(
        [&rows[0]["source.ip"], &rows[0]["user.name"], &rows[0]["event.outcome"], &rows[0]["kind"]],
        ["203.0.113.7", "quantri", "failure", "3"]
    );
    let bad = "SELECT count(*) FROM events WHERE event.original = '{half a document'";
    assert_eq!(site.count(bad), 2, "what is no document is kept as it came");
    assert_eq!(site.count("SELECT sum(unaccounted) FROM ledger"), 0);
    let without = client().get(&own).send().await.expect("an answer");
    assert_eq!(without.status().as_u16(), 401);
    server.stop();
}

/// Writes an authority, a server's and a sender's certificate beside the configuration.
fn certificates(site: &Site) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test root");
    fs::write(site.path("ca.pem"), params.self_signed(&key).expect("a root").pem()).expect("write");
    for (name, dns) in [("server", "localhost"), ("fw", "fw01.tinh.gov.vn")] {
        let own = KeyPair::generate().expect("a key");
        let request = CertificateParams::new(vec![dns.to_owned()]).expect("parameters");
        let issued = request.signed_by(&own, &Issuer::from_params(&params, &key)).expect("a certificate");
        fs::write(site.path(&format!("{name}.pem")), issued.pem()).expect("write");
        fs::write(site.path(&format!("{name}.key")), own.serialize_pem()).expect("write");
    }
}

/// Sends bytes under TLS, with the certificate of the sender or none; an error when the server refuses.
fn send_tls(site: &Site, server: &Server, with_certificate: bool, bytes: &[u8]) -> std::io::Result<()> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(site.path("ca.pem")).expect("the root")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let builder = builder.with_root_certificates(roots);
    let config = if with_certificate {
        let chain = vec![CertificateDer::from_pem_file(site.path("fw.pem")).expect("a certificate")];
        builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(site.path("fw.key")).expect("a key")).expect("a pair")
    } else {
        builder.with_no_client_auth()
    };
    let mut session = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().expect("a name"))
        .map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect(server.address("syslog_tls"))?;
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    tls.write_all(bytes)?;
    tls.conn.send_close_notify();
    tls.flush()?;
    let _ = tls.read(&mut [0; 16])?;
    Ok(())
}

#[test]
fn a_line_under_mutual_tls_ends_as_an_event_of_the_source_that_its_certificate_names() {
    let site = Site::new("");
    certificates(&site);
    let path = |name: &str| site.path(name).display().to_string();
    site.configure(&format!(
        "[[ingest.syslog.tls]]\nlisten = \"127.0.0.1:0\"\ncertificate = {:?}\nkey = {:?}\nclient_ca = {:?}\n\n\
         [[ingest.sources]]\nname = \"bien\"\nfrom_certificate = [\"fw01.tinh.gov.vn\"]\n",
        path("server.pem"),
        path("server.key"),
        path("ca.pem")
    ));
    let server = site.start();
    let line = "<38>Nov 23 08:00:01 web01 sshd[812]: Failed password for root from 203.0.113.9 port 40022 ssh2";
    assert!(send_tls(&site, &server, false, b"<13>Nov 23 08:00:01 x app: nobody\n").is_err());
    send_tls(&site, &server, true, format!("{} {line}", line.len()).as_bytes()).expect("sent");
    let count = "SELECT count(*) FROM events WHERE chieng.source = 'bien' AND user.name = 'root' AND source.ip = '203.0.113.9'";
    wait_for("the line", || (site.count(count) == 1).then_some(()));
    assert_eq!(site.count("SELECT count(*) FROM events"), 1, "nothing of the refused sender");
    server.stop();
    // A key that does not fit is told by the check of the configuration, with its place.
    fs::copy(site.path("fw.key"), site.path("server.key")).expect("copy");
    let output = site.chieng(&["validate"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && text.contains("ingest.syslog.tls[0].key") && text.contains("it is not the key of"),
        "{text}"
    );
}
