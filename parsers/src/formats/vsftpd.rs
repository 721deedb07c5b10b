//! vsftpd: its own log (`vsftpd.log`) and syslog.
//!
//! Reference: vsftpd source, `logging.c`, `vsf_log_do_log` (`[pid 2] [an] OK LOGIN: Client "192.0.2.7"`).

use std::sync::LazyLock;

use event::{Event, field};

use crate::{linux::daemon::Daemon, pattern::Table, text};

pub static VSFTPD: Daemon = Daemon {
    name: "vsftpd",
    programs: &["vsftpd"],
    dataset: "vsftpd.log",
    vendor: "vsftpd",
    product: "vsftpd",
    process: "vsftpd",
    protocol: "ftp",
    category: "network",
    action: "ftp_message",
    table: &MESSAGES,
    is_sure: |message| message.contains(": Client \"") && message.starts_with('['),
    strip,
};

static MESSAGES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "vsftpd.",
        &[
            ("CONNECT: Client \"{src}\"{*}", "ftp_connect", "network", "connection start", "success"),
            ("OK LOGIN: Client \"{src}\"{*}", "ftp_login", "authentication session", "start", "success"),
            ("FAIL LOGIN: Client \"{src}\"{*}", "ftp_login", "authentication", "start", "failure"),
            (
                "OK UPLOAD: Client \"{src}\", \"{file.path*>}\"‹, {file.size} bytes›, {*}",
                "ftp_upload",
                "file",
                "creation",
                "success",
            ),
            ("FAIL UPLOAD: Client \"{src}\", \"{file.path*>}\"{*}", "ftp_upload", "file", "creation", "failure"),
            (
                "OK DOWNLOAD: Client \"{src}\", \"{file.path*>}\"‹, {file.size} bytes›, {*}",
                "ftp_download",
                "file",
                "access",
                "success",
            ),
            ("FAIL DOWNLOAD: Client \"{src}\", \"{file.path*>}\"{*}", "ftp_download", "file", "access", "failure"),
            ("OK DELETE: Client \"{src}\", \"{file.path*>}\"", "ftp_delete", "file", "deletion", "success"),
            ("FAIL DELETE: Client \"{src}\", \"{file.path*>}\"", "ftp_delete", "file", "deletion", "failure"),
            ("OK MKDIR: Client \"{src}\", \"{file.path*>}\"", "ftp_mkdir", "file", "creation", "success"),
            ("OK RMDIR: Client \"{src}\", \"{file.path*>}\"", "ftp_rmdir", "file", "deletion", "success"),
            ("OK RENAME: Client \"{src}\", \"{file.path*>}\"", "ftp_rename", "file", "change", "success"),
            ("OK CHMOD: Client \"{src}\", \"{file.path*>}\"", "ftp_chmod", "file", "change", "success"),
            ("FTP command: Client \"{src}\", \"{.command*>}\"", "ftp_command", "network", "protocol", ""),
            ("FTP response: Client \"{src}\", \"{.response*>}\"", "ftp_response", "network", "protocol", ""),
            ("DEBUG: Client \"{src}\", \"{event.reason*>}\"", "ftp_debug", "network", "info", ""),
        ],
    )
});

/// `[pid 2] [an] `.
fn strip<'r>(event: &mut Event<'r>, message: &'r str) -> &'r str {
    let mut rest = message;
    for _ in 0..2 {
        let Some((inside, after)) = rest.strip_prefix('[').and_then(|inside| text::split(inside, b']')) else { break };
        match inside.strip_prefix("pid ") {
            Some(pid) => drop(event.set_int(field::PROCESS_PID, pid)),
            None => crate::ecs::user(event, field::USER_NAME, inside),
        }
        rest = after.trim_start_matches(' ');
    }
    rest
}
