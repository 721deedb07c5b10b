//! `chieng demo`: an invented province, loaded through the real pipe, then a live trickle, to look at.
//!
//! The clock stands in the past while history is loaded, so that the log's own time, retention and proof hours are the
//! past's; then it runs with the system's.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use event::{Micros, Role, Systems, seam::Clock as _};
use indicatif::{ProgressBar, ProgressStyle};
use state::{
    oncall::{NewSchedule, Rotation, Turn},
    register::{Author, ImportKind},
    users::NewUser,
};

use super::run;
use crate::{
    clock::{SettableClock, SystemClock},
    config::Settings,
    demo::{Estate, History, Live, Options as Story, estate, load},
    failure::{Failure, Result},
    wiring::{self, Offline, Running},
};

#[derive(Args)]
pub struct Options {
    /// Directory of the demo; what an earlier demo left there is replaced
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    dir: PathBuf,
    /// Where to listen; another port is taken when this one is not free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Load and start, then stop: for measuring
    #[arg(long)]
    once: bool,
    /// Write the listening addresses to this file, as JSON, once everything is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Further folders of Sigma rules
    #[arg(long, value_name = "DIR")]
    rules: Vec<PathBuf>,
}

/// Says that a directory was made by the demo and may be replaced by it.
const MARK: &str = "this-is-a-chieng-demo";

/// The people of the demo: account, name, role, systems.
const PEOPLE: [(&str, &str, Role, Option<&str>); 4] = [
    ("quantri", "Y Thanh · Quản trị", Role::Admin, None),
    ("phantich", "Nguyễn Thị Hoà · Chuyên viên phân tích", Role::Analyst, None),
    ("truc", "A Brôl · Người trực", Role::Oncall, None),
    ("kiemtra", "Trần Văn Đức · Kiểm tra viên", Role::Auditor, Some("dvc")),
];

pub async fn run(options: Options) -> Result {
    run::start_log();
    let begun = Instant::now();
    prepare(&options.dir)?;
    let clock = Arc::new(SettableClock::running());
    let story = Story::at(SystemClock.now());
    let settings = settings(&options);
    let password = dashboards::random_token().map_err(|error| Failure::of("failed to get randomness", &error))?[..16].to_owned();
    clock.set(story.now - (story.days + 2) * 86_400_000_000);
    let offline = wiring::offline(settings.clone(), clock.clone()).await?;
    furnish(&offline, &story, &password).await?;
    offline.core.learn().await?;
    let lines = history(&offline, story, &clock).await?;
    offline.close().await?;
    clock.release();
    let running = serve(settings, clock).await?;
    announce(&options, &running, &password, lines, begun.elapsed())?;
    if let Some(path) = &options.ready_file {
        run::write_ready(path, &running)?;
    }
    if options.once {
        return running.stop().await;
    }
    let trickle = tokio::spawn(trickle(running.core.store.sink(), story));
    let told = tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = terminated() => Ok(()),
        failure = running.failed() => Err(failure),
    };
    trickle.abort();
    running.stop().await?;
    told
}

/// Makes an empty directory; refuses to empty one that is not a demo's.
fn prepare(dir: &Path) -> Result {
    let failed = |error: std::io::Error| Failure::of(format!("failed to prepare {}", dir.display()), &error);
    let is_there = dir.exists() && fs::read_dir(dir).map_err(failed)?.next().is_some();
    if is_there && !dir.join(MARK).exists() {
        return Err(Failure::new(format!("{} is not empty and was not made by the demo", dir.display()))
            .hint("name another directory with --dir"));
    }
    if is_there && std::os::unix::net::UnixStream::connect(dir.join("data").join(super::SOCKET)).is_ok() {
        return Err(Failure::new(format!("a demo is running on {}", dir.display()))
            .hint("stop it first, or name another directory with --dir"));
    }
    if is_there {
        fs::remove_dir_all(dir).map_err(failed)?;
    }
    fs::create_dir_all(dir).map_err(failed)?;
    fs::write(dir.join(MARK), "replaced by the next `chieng demo`\n").map_err(failed)
}

fn settings(options: &Options) -> Settings {
    let mut settings = Settings::default();
    settings.server.listen = options.listen;
    settings.server.data_dir = options.dir.join("data");
    settings.ingest.sources = estate::sources();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.ingest.syslog.udp = vec![any];
    settings.ingest.syslog.tcp = vec![any];
    settings.ingest.netflow.udp = vec![any];
    settings.detect.rules = options.rules.clone();
    settings
}

/// Register, people, duty.
async fn furnish(offline: &Offline, story: &Story, password: &str) -> Result {
    let state = &offline.core.state;
    let failed = |error: state::Error| Failure::of("failed to furnish the demo", &error);
    let author = Author { actor: "demo", at: story.now, reason: "tỉnh giả định" };
    let files = [
        (ImportKind::Organisations, Estate::organisations_csv().to_owned()),
        (ImportKind::Systems, Estate::systems_csv(story.now)),
        (ImportKind::Assets, Estate::assets_csv(story.now)),
    ];
    for (kind, csv) in files {
        let report = state.register_import(kind, csv.as_bytes(), &author, false).await.map_err(failed)?;
        if let Some(error) = report.errors.first() {
            return Err(Failure::new(format!("the demo's {kind:?} has a bad row: line {}: {}", error.line, error.en)));
        }
    }
    let passwords = dashboards::auth::Passwords::new().map_err(|_| Failure::new("failed to get randomness"))?;
    let hash = passwords.hash(password).await.map_err(|error| Failure::new(error.message))?;
    let mut on_duty = Vec::new();
    for (name, display_name, role, system) in PEOPLE {
        let systems = system.map_or(Systems::All, |id| Systems::Only([id.to_owned()].into()));
        let new = NewUser {
            name: name.into(),
            display_name: display_name.into(),
            role,
            systems,
            language: "vi".into(),
            password_hash: hash.clone(),
        };
        let user = state.create_user(new, story.now).await.map_err(failed)?;
        if role.may_handle_incidents() {
            on_duty.push(user.id);
        }
    }
    let start = chrono::DateTime::from_timestamp_micros(story.now).unwrap_or_default().date_naive() - chrono::Days::new(30);
    let hand_over = chrono::NaiveTime::from_hms_opt(7, 30, 0).unwrap_or_default();
    let rotation = Rotation { turn: Turn::Week, every: 1, start, hand_over };
    let schedule =
        NewSchedule { name: "Trực giám sát".into(), timezone: "Asia/Ho_Chi_Minh".into(), members: on_duty, rotation };
    state.create_schedule(&schedule).await.map_err(failed)?;
    Ok(())
}

/// Loads the past; returns the number of lines.
async fn history(offline: &Offline, story: Story, clock: &Arc<SettableClock>) -> Result<u64> {
    let bar = ProgressBar::new(1_000).with_message("loading the province");
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent} % {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let stand = |at: Micros| clock.set(at);
    let done = load::load(History::new(story), offline.core.store.sink(), stand, |loaded| {
        bar.set_position((loaded.done * 1_000.0) as u64)
    });
    let loaded = done.await.map_err(|refused| Failure::new(format!("the store did not take the demo: {refused}")))?;
    offline.settle().await;
    bar.finish_and_clear();
    Ok(loaded.lines)
}

/// Starts the server; when the port is taken, on a free one.
async fn serve(mut settings: Settings, clock: Arc<SettableClock>) -> Result<Running> {
    if std::net::TcpListener::bind(settings.server.listen).is_err() {
        settings.server.listen.set_port(0);
    }
    wiring::start(settings, clock).await
}

fn announce(options: &Options, running: &Running, password: &str, lines: u64, took: Duration) -> Result {
    let login = options.dir.join("login.txt");
    let failed = |error: std::io::Error| Failure::of(format!("failed to write {}", login.display()), &error);
    let names: Vec<&str> = PEOPLE.iter().map(|(name, ..)| *name).collect();
    let text = format!("{}\nname: {}\npassword: {password}\n", running.url(), names.join(" | "));
    wiring::write_private(&login, text.as_bytes()).map_err(failed)?;
    println!("\n  Chiêng · {lines} lines of an invented province, loaded in {:.0} s\n", took.as_secs_f64());
    println!("      address    {}", running.url());
    println!("      name       {}", names.join(" | "));
    println!("      password   {password}      (also in {})", login.display());
    println!("\n  Stop with Ctrl-C.\n");
    Ok(())
}

/// A few lines a second, as if the province went on.
async fn trickle(sink: Arc<dyn event::seam::Sink>, story: Story) {
    let mut live = Live::new(story);
    loop {
        tokio::time::sleep(live.pause()).await;
        let line = live.line(SystemClock.now());
        for batch in load::batches(&[line]) {
            // A refused line of the demo is not worth more than a word in the log.
            if let Err(refused) = sink.submit(batch).await {
                tracing::warn!(%refused, "a demo line was not taken");
            }
        }
    }
}

async fn terminated() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
