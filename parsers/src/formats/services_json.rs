//! Services that write JSON of their own: access logs of Traefik, Caddy, Envoy, nginx and Apache (as sites format them), audit logs
//! of Kubernetes and Vault, logs of Nextcloud, GitLab, Grafana, Keycloak, Authelia, Docker and CoreDNS.
//!
//! Reference: Traefik "Access Logs" (JSON fields), Caddy "log" (`http.log.access`), Envoy "Access logging" (JSON of the default
//! format), Kubernetes `audit.k8s.io/v1 Event`, Vault "Audit devices", Nextcloud "Logging", GitLab "Log system"
//! (`production_json.log`), Keycloak "Logging" (JSON console), Authelia "Logging".
//!
//! Each service is a row of [`SERVICES`]: the key that only it writes, and where its values go ([`Slot`] names). Every value is
//! kept under the service's prefix as well.

use std::sync::LazyLock;

use event::{Event, Outcome, RawRecord, Value, field};

use crate::{
    Parser, Sniff, ecs, facts,
    formats::json,
    json::Leaf,
    keys::KeyTable,
    pattern::{self, Slot},
    text, time,
};

pub struct ServicesJson;

struct Service {
    /// Both stand in every record.
    marks: [&'static str; 2],
    dataset: &'static str,
    prefix: &'static str,
    vendor: &'static str,
    product: &'static str,
    process: &'static str,
    categories: &'static str,
    types: &'static str,
    /// Path in the JSON and slot; `time`, `status`, `nanos`, `micros`, `endpoint`, `message`, `seconds` are this file's own.
    paths: &'static [(&'static str, &'static str)],
}

const ACCESS: &str = "web";

const SERVICES: &[Service] = &[
    Service {
        marks: ["\"DownstreamStatus\"", "\"RequestMethod\""],
        dataset: "traefik.access",
        prefix: "traefik.access.",
        vendor: "Traefik Labs",
        product: "Traefik",
        process: "traefik",
        categories: ACCESS,
        types: "access",
        paths: &[
            ("ClientHost", "src"),
            ("ClientPort", "source.port"),
            ("ClientUsername", "user"),
            ("DownstreamStatus", "status"),
            ("DownstreamContentSize", "http.response.body.bytes"),
            ("Duration", "nanos"),
            ("RequestMethod", "http.request.method"),
            ("RequestPath", "url"),
            ("RequestHost", "url.domain"),
            ("RequestPort", "url.port"),
            ("RequestScheme", "url.scheme"),
            ("RequestProtocol", "protocol"),
            ("RequestContentSize", "http.request.body.bytes"),
            ("StartUTC", "time"),
            ("time", "time"),
            ("level", "log.level"),
            ("request_User-Agent", "user_agent.original"),
            ("request_Referer", "http.request.referrer"),
            ("TLSVersion", "tls.version"),
            ("TLSCipher", "tls.cipher"),
            ("ServiceAddr", "endpoint.destination"),
            ("RouterName", "rule.name"),
        ],
    },
    Service {
        marks: ["\"http.log.access", "\"request\":{"],
        dataset: "caddy.access",
        prefix: "caddy.access.",
        vendor: "Caddy",
        product: "Caddy",
        process: "caddy",
        categories: ACCESS,
        types: "access",
        paths: &[
            ("ts", "time"),
            ("level", "log.level"),
            ("request.remote_addr", "endpoint.source"),
            ("request.remote_ip", "src"),
            ("request.remote_port", "source.port"),
            ("request.client_ip", "src"),
            ("request.method", "http.request.method"),
            ("request.host", "url.domain"),
            ("request.uri", "url"),
            ("request.proto", "protocol"),
            ("request.headers.User-Agent", "user_agent.original"),
            ("request.headers.Referer", "http.request.referrer"),
            ("request.tls.server_name", "tls.client.server_name"),
            ("user_id", "user"),
            ("bytes_read", "http.request.body.bytes"),
            ("size", "http.response.body.bytes"),
            ("status", "status"),
            ("duration", "seconds"),
        ],
    },
    Service {
        marks: ["\"downstream_remote_address\"", "\"response_code\""],
        dataset: "envoy.access",
        prefix: "envoy.access.",
        vendor: "Envoy",
        product: "Envoy",
        process: "envoy",
        categories: ACCESS,
        types: "access",
        paths: &[
            ("start_time", "time"),
            ("downstream_remote_address", "endpoint.source"),
            ("x-forwarded-for", "forwarded"),
            ("x_forwarded_for", "forwarded"),
            ("upstream_host", "endpoint.destination"),
            ("method", "http.request.method"),
            ("path", "url"),
            ("x-envoy-origin-path", "url"),
            (":authority", "url.domain"),
            ("authority", "url.domain"),
            ("protocol", "protocol"),
            ("response_code", "status"),
            ("response_code_details", "event.reason"),
            ("user-agent", "user_agent.original"),
            ("user_agent", "user_agent.original"),
            ("bytes_received", "http.request.body.bytes"),
            ("bytes_sent", "http.response.body.bytes"),
            ("duration", "millis"),
            ("request_id", "http.request.id"),
            ("x-request-id", "http.request.id"),
            ("requested_server_name", "tls.client.server_name"),
        ],
    },
    Service {
        marks: ["\"auditID\"", "\"stage\""],
        dataset: "kubernetes.audit",
        prefix: "kubernetes.audit.",
        vendor: "Kubernetes",
        product: "Kubernetes",
        process: "kube-apiserver",
        categories: "configuration",
        types: "info",
        paths: &[
            ("auditID", "event.code"),
            ("verb", "event.action"),
            ("requestReceivedTimestamp", "time"),
            ("stageTimestamp", "time"),
            ("user.username", "user"),
            ("user.uid", "user.id"),
            ("impersonatedUser.username", "effective"),
            ("sourceIPs", "src"),
            ("userAgent", "user_agent.original"),
            ("requestURI", "url"),
            ("responseStatus.code", "status"),
            ("responseStatus.reason", "event.reason"),
            ("annotations.authorization.k8s.io/decision", "decision"),
            ("annotations.authorization.k8s.io/reason", "event.reason"),
            ("objectRef.namespace", "orchestrator.namespace"),
            ("objectRef.name", "orchestrator.resource.name"),
            ("objectRef.resource", "orchestrator.resource.type"),
        ],
    },
    Service {
        marks: ["\"type\":\"re", "\"client_token\":\"hmac-"],
        dataset: "vault.audit",
        prefix: "vault.audit.",
        vendor: "HashiCorp",
        product: "Vault",
        process: "vault",
        categories: "authentication configuration",
        types: "access",
        paths: &[
            ("time", "time"),
            ("type", "vault"),
            ("auth.display_name", "user"),
            ("auth.metadata.account_id", "user.id"),
            ("auth.metadata.email", "user.email"),
            ("auth.metadata.username", "user"),
            ("request.operation", "event.action"),
            ("request.path", "url.path"),
            ("request.remote_address", "src"),
            ("request.remote_port", "source.port"),
            ("request.id", "http.request.id"),
            ("error", "failed"),
        ],
    },
    // go-hclog: Vault, Consul, Nomad, Terraform.
    Service {
        marks: ["\"@level\"", "\"@message\""],
        dataset: "hashicorp.log",
        prefix: "hashicorp.",
        vendor: "HashiCorp",
        product: "HashiCorp",
        process: "vault",
        categories: "",
        types: "info",
        paths: &[
            ("@timestamp", "time"),
            ("@level", "log.level"),
            ("@message", "message"),
            ("@module", "log.logger"),
            ("path", "file.path"),
            ("error", "failed"),
        ],
    },
    Service {
        marks: ["\"reqId\"", "\"remoteAddr\""],
        dataset: "nextcloud.log",
        prefix: "nextcloud.",
        vendor: "Nextcloud",
        product: "Nextcloud",
        process: "Nextcloud",
        categories: "web",
        types: "info",
        paths: &[
            ("time", "time"),
            ("remoteAddr", "src"),
            ("user", "user"),
            ("method", "http.request.method"),
            ("url", "url"),
            ("message", "message"),
            ("userAgent", "user_agent.original"),
            ("level", "log.level"),
        ],
    },
    Service {
        marks: ["\"controller\"", "\"action\""],
        dataset: "gitlab.production",
        prefix: "gitlab.",
        vendor: "GitLab",
        product: "GitLab",
        process: "gitlab",
        categories: ACCESS,
        types: "access",
        paths: &[
            ("time", "time"),
            ("method", "http.request.method"),
            ("path", "url"),
            ("status", "status"),
            ("remote_ip", "src"),
            ("ua", "user_agent.original"),
            ("username", "user"),
            ("user_id", "user.id"),
            ("action", "event.action"),
            ("duration_s", "seconds"),
            ("correlation_id", "http.request.id"),
        ],
    },
    Service {
        marks: ["\"loggerName\"", "\"org.keycloak.events\""],
        dataset: "keycloak.log",
        prefix: "keycloak.",
        vendor: "Keycloak",
        product: "Keycloak",
        process: "keycloak",
        categories: "authentication",
        types: "info",
        paths: &[
            ("timestamp", "time"),
            ("level", "log.level"),
            ("hostName", "host"),
            ("processId", "process.pid"),
            ("message", "keycloak"),
        ],
    },
    Service {
        marks: ["\"log.logger\"", "\"org.keycloak.events\""],
        dataset: "keycloak.log",
        prefix: "keycloak.",
        vendor: "Keycloak",
        product: "Keycloak",
        process: "keycloak",
        categories: "authentication",
        types: "info",
        paths: &[
            ("@timestamp", "time"),
            ("log.level", "log.level"),
            ("host.hostname", "host"),
            ("process.pid", "process.pid"),
            ("process.name", "process.name"),
            ("message", "keycloak"),
        ],
    },
    Service {
        marks: ["\"remote_ip\"", "\"level\":\"error\",\"method\""],
        dataset: "authelia.log",
        prefix: "authelia.",
        vendor: "Authelia",
        product: "Authelia",
        process: "authelia",
        categories: "authentication",
        types: "info",
        paths: &[
            ("time", "time"),
            ("level", "log.level"),
            ("method", "http.request.method"),
            ("path", "url"),
            ("remote_ip", "src"),
            ("msg", "message"),
        ],
    },
    Service {
        marks: ["\"remote_addr\"", "\"request_method\""],
        dataset: "nginx.access",
        prefix: "nginx.access.",
        vendor: "F5",
        product: "nginx",
        process: "nginx",
        categories: ACCESS,
        types: "access",
        paths: &[
            ("time_iso8601", "time"),
            ("time_local", "time"),
            ("time", "time"),
            ("timestamp", "time"),
            ("@timestamp", "time"),
            ("msec", "time"),
            ("remote_addr", "src"),
            ("remote_port", "source.port"),
            ("remote_user", "user"),
            ("request_method", "http.request.method"),
            ("request_uri", "url"),
            ("uri", "url"),
            ("request", "request"),
            ("server_protocol", "protocol"),
            ("status", "status"),
            ("response_status", "status"),
            ("body_bytes_sent", "http.response.body.bytes"),
            ("bytes_sent", "http.response.bytes"),
            ("request_length", "http.request.body.bytes"),
            ("request_time", "seconds"),
            ("http_user_agent", "user_agent.original"),
            ("http_referrer", "http.request.referrer"),
            ("http_referer", "http.request.referrer"),
            ("http_host", "url.domain"),
            ("host", "url.domain"),
            ("server_name", "url.domain"),
            ("scheme", "url.scheme"),
            ("http_scheme", "url.scheme"),
            ("ssl_protocol", "tls.version"),
            ("ssl_cipher", "tls.cipher"),
            ("request_id", "http.request.id"),
            ("upstream_addr", "endpoint.destination"),
        ],
    },
];

/// What a path means: a slot, or a word of this file.
#[derive(Clone, Copy)]
enum Means {
    Slot(Slot),
    Time,
    Status,
    Nanos,
    Protocol,
    Endpoint { is_source: bool },
    Forwarded,
    Decision,
    Message,
    Keycloak,
    Vault,
    Failed,
}

static TABLES: LazyLock<Vec<KeyTable<Means>>> = LazyLock::new(|| {
    SERVICES
        .iter()
        .map(|service| {
            let entries: Vec<(&'static str, Means)> = service.paths.iter().map(|(path, name)| (*path, means(name))).collect();
            KeyTable::new(&entries)
        })
        .collect()
});

fn means(name: &'static str) -> Means {
    match name {
        "time" => Means::Time,
        "status" => Means::Status,
        "nanos" => Means::Nanos,
        "protocol" => Means::Protocol,
        "endpoint.source" => Means::Endpoint { is_source: true },
        "endpoint.destination" => Means::Endpoint { is_source: false },
        "forwarded" => Means::Forwarded,
        "decision" => Means::Decision,
        "message" => Means::Message,
        "keycloak" => Means::Keycloak,
        "vault" => Means::Vault,
        "failed" => Means::Failed,
        name => Means::Slot(Slot::of(name)),
    }
}

fn service(text: &str) -> Option<usize> {
    let object = json::object(text)?;
    SERVICES
        .iter()
        .position(|service| service.marks.iter().all(|mark| crate::text::find(object.as_bytes(), mark.as_bytes()).is_some()))
}

impl Parser for ServicesJson {
    fn name(&self) -> &'static str {
        "services_json"
    }

    /// Perhaps: the marks may stand in any JSON. Tried before the generic reader.
    fn starts(&self) -> &'static [u8] {
        crate::OBJECT
    }

    fn sniff(&self, raw: RawRecord<'_>) -> Sniff {
        Sniff::maybe_if(service(raw.text()).is_some())
    }

    fn parse<'r>(&self, raw: RawRecord<'r>, event: &mut Event<'r>) -> Outcome {
        let Some(at) = service(raw.text()) else { return Outcome::Unreadable("no service known by its JSON") };
        let service = &SERVICES[at];
        let table = &TABLES[at];
        event.set_dataset(service.dataset);
        event.set(field::EVENT_KIND, "event");
        crate::linux::software(event, service.vendor, service.product, service.process);
        pattern::words(event, field::EVENT_CATEGORY, service.categories);
        pattern::words(event, field::EVENT_TYPE, service.types);
        json::read(raw, event, &mut |event, name, leaf| {
            if let Some(means) = table.get(name) {
                set(raw, event, service.prefix, means, leaf);
            }
            if !name.is_empty() && name.len() <= ecs::NAME_BYTES_MAX {
                event.set_extra(service.prefix, name, leaf.text());
            }
            true
        })
    }
}

fn set<'r>(raw: RawRecord<'r>, event: &mut Event<'r>, prefix: &'static str, means: Means, leaf: Leaf<'r>) {
    let mut value = leaf.text();
    // Headers and address lists come as arrays: their first element speaks.
    if let Leaf::List(list) = leaf {
        let mut first = None;
        crate::json::elements(event.arena(), list, &mut |leaf| {
            if first.is_none() {
                first = Some(leaf.text());
            }
        });
        value = first.unwrap_or_default();
    }
    if ecs::is_nothing(value) || value == "--" {
        return;
    }
    match means {
        Means::Slot(slot) => {
            if slot.accepts(value) {
                slot.set(prefix, event, value);
            }
        }
        Means::Time => {
            if let Some(micros) = time::any(value, raw) {
                event.set(field::TIMESTAMP, Value::Time(micros));
            }
        }
        Means::Status => {
            if let Ok(status) = value.parse::<i64>() {
                event.set(field::HTTP_RESPONSE_STATUS_CODE, status);
                event.set(field::EVENT_OUTCOME, if status < 400 { "success" } else { "failure" });
            }
        }
        Means::Nanos => drop(event.set_int(field::EVENT_DURATION, value)),
        Means::Protocol => event.set_present(field::HTTP_VERSION, value.strip_prefix("HTTP/").unwrap_or(value)),
        Means::Endpoint { is_source } => {
            let value = value.rsplit("://").next().unwrap_or(value);
            let (address, port) = match value.rsplit_once(':') {
                Some((address, port)) if !address.contains(':') || address.ends_with(']') => (address, port),
                _ => (value, ""),
            };
            let port_field = if is_source { field::SOURCE_PORT } else { field::DESTINATION_PORT };
            if is_source {
                ecs::source(event, address)
            } else {
                ecs::destination(event, address)
            }
            event.set_int(port_field, port);
        }
        Means::Forwarded => {
            if let Some(address) = ecs::ip(value.split(',').next().unwrap_or(value).trim()) {
                event.set(field::CLIENT_IP, address);
                event.set(field::RELATED_IP, address);
            }
        }
        Means::Decision => event.set(field::EVENT_OUTCOME, if value == "allow" { "success" } else { "failure" }),
        Means::Message => {
            event.set(field::MESSAGE, value);
            facts::read(event, value);
        }
        Means::Keycloak => {
            event.set(field::MESSAGE, value);
            crate::formats::keycloak::events(event, value);
        }
        Means::Vault => {
            event.set_extra(prefix, "kind", text::lower(event, value));
            if !event.has(field::EVENT_OUTCOME) {
                ecs::success(event);
            }
        }
        Means::Failed => {
            event.set(field::EVENT_REASON, value);
            ecs::failure(event);
        }
    }
}
