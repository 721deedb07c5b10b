//! A mail server on loopback that speaks RFC 5321 as far as a client can tell, with answers that a test can script.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::mime;

/// A message as it came over the wire.
#[derive(Clone, Debug)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
}

impl Received {
    pub fn subject(&self) -> String {
        mime::header(&self.data, "Subject").unwrap()
    }

    pub fn message_id(&self) -> String {
        mime::header(&self.data, "Message-ID").unwrap()
    }

    /// The plain-text part.
    pub fn text(&self) -> String {
        mime::part(&self.data, "text/plain").unwrap()
    }

    /// The path of the link to acknowledge.
    pub fn token(&self) -> String {
        let text = self.text();
        let (_, rest) = text.split_once("/ack/").unwrap_or_else(|| panic!("no link in {text}"));
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

/// What the server answers to the next `RCPT TO`s, then 250.
#[derive(Default)]
struct Script {
    rcpt: VecDeque<&'static str>,
    /// Takes the message, then closes without an answer.
    hang_up_after_data: usize,
}

pub struct SmtpServer {
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    script: Arc<Mutex<Script>>,
    accept: JoinHandle<()>,
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl SmtpServer {
    pub async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// On a port that a test already knows.
    pub fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(Script::default()));
        let (messages, answers) = (received.clone(), script.clone());
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, messages.clone(), answers.clone()));
            }
        });
        Self { port, received, script, accept }
    }

    pub fn refuse_next(&self, answer: &'static str) {
        self.script.lock().unwrap().rcpt.push_back(answer);
    }

    pub fn hang_up_after_next(&self) {
        self.script.lock().unwrap().hang_up_after_data += 1;
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Recipients in the order in which mail came.
    pub fn recipients(&self) -> Vec<String> {
        self.received().into_iter().flat_map(|mail| mail.to).collect()
    }
}

async fn serve(stream: TcpStream, messages: Arc<Mutex<Vec<Received>>>, script: Arc<Mutex<Script>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut mail = Received { from: String::new(), to: vec![], data: String::new() };
    say(&mut stream, "220 mail.tinh.example ESMTP").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        let verb = line.split([' ', ':']).next()?.to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => say(&mut stream, "250-mail.tinh.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING").await?,
            "MAIL" => {
                mail = Received { from: path(&line), to: vec![], data: String::new() };
                say(&mut stream, "250 ok").await?;
            }
            "RCPT" => {
                let refusal = script.lock().unwrap().rcpt.pop_front();
                if refusal.is_none() {
                    mail.to.push(path(&line));
                }
                say(&mut stream, refusal.unwrap_or("250 ok")).await?;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                mail.data = data(&mut stream).await?;
                messages.lock().unwrap().push(mail.clone());
                let hang_up = {
                    let mut script = script.lock().unwrap();
                    let hang_up = script.hang_up_after_data > 0;
                    script.hang_up_after_data -= usize::from(hang_up);
                    hang_up
                };
                if hang_up {
                    return None;
                }
                say(&mut stream, "250 2.0.0 queued as 4Xy").await?;
            }
            "RSET" | "NOOP" => say(&mut stream, "250 ok").await?,
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return None;
            }
            _ => say(&mut stream, "502 no").await?,
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Option<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()
}

fn path(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or_else(String::new, |(path, _)| path.to_owned())
}

async fn data(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end_matches(['\r', '\n']) {
            "." => return Some(data),
            line => {
                data.push_str(line.strip_prefix('.').unwrap_or(line));
                data.push_str("\r\n");
            }
        }
    }
}
