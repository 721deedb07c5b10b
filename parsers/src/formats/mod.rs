//! One file a format; the list is [`crate::PARSERS`].

pub mod apache_access;
pub mod apache_error;
pub mod cef;
pub mod checkpoint;
pub mod cisco_asa;
pub mod cisco_fmc;
pub mod cron;
pub mod fortigate;
pub mod json;
pub mod keyvalue;
pub mod leef;
pub mod nginx_access;
pub mod nginx_error;
pub mod paloalto;
pub mod pam;
pub mod shadow;
pub mod sshd;
pub mod su;
pub mod sudo;
pub mod syslog;
pub mod windows_event;
pub mod winlogbeat;
