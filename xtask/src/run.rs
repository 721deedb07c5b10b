//! Starting other programs, with a clear sentence when one is missing or fails.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

pub type Result<T = ()> = std::result::Result<T, String>;

/// The workspace root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}

/// The folder of the browser application.
pub fn web() -> PathBuf {
    root().join("dashboards/web")
}

/// The cargo that started us.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

pub fn program(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(dir);
    command
}

/// Runs one step; prints its name before and its time after.
pub fn step(name: &str, command: &mut Command) -> Result {
    println!("\n── {name}");
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("{name}: failed to start {:?}: {error}", command.get_program()))?;
    println!("── {name}: {} in {:.1} s", if status.success() { "ok" } else { "FAILED" }, start.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(format!("{name} failed ({status})")) }
}

/// Returns true when a program can be started with `--version`.
pub fn exists(name: &str) -> bool {
    Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Returns true when we are root and so may install packages.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Makes sure Node.js is there; it is the one tool besides Rust that the README asks for.
pub fn need_node() -> Result {
    if exists("node") && exists("npm") {
        return Ok(());
    }
    Err("Node.js 20 or newer with npm is needed to build the browser application; see https://nodejs.org (Debian: apt-get install nodejs npm)".into())
}

/// Finds Chromium, or installs it (Debian, as root), or says how.
pub fn need_chromium() -> Result<PathBuf> {
    let found = || {
        env::var_os("CHIENG_CHROMIUM")
            .map(PathBuf::from)
            .into_iter()
            .chain(["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from))
            .find(|path| path.exists())
    };
    if let Some(path) = found() {
        return Ok(path);
    }
    if is_root() && Path::new("/usr/bin/apt-get").exists() {
        step("install Chromium: apt-get update", Command::new("apt-get").args(["update", "-q"]))?;
        let packages = ["chromium", "fonts-noto-core"];
        step(
            "install Chromium: apt-get install",
            Command::new("apt-get")
                .args(["install", "-y", "-q", "--no-install-recommends"])
                .args(packages)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )?;
    }
    found().ok_or_else(|| {
        "the browser tests need Chromium: install it (Debian: sudo apt-get install chromium) or point CHIENG_CHROMIUM at one"
            .into()
    })
}

/// Builds the browser application into dashboards/web/dist, which the binary embeds.
pub fn build_web() -> Result {
    need_node()?;
    let dir = web();
    let stamp = dir.join("node_modules/.package-lock.json");
    let lock = dir.join("package-lock.json");
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if modified(&stamp).is_none() || modified(&stamp) < modified(&lock) {
        step("npm ci", program("npm", &dir).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    }
    step("build the browser application", program("npm", &dir).args(["run", "--silent", "build"]))
}
