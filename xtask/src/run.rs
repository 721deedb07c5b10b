//! Starting other programs, with a clear sentence when one is missing or fails.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::stamp;

pub type Result<T = ()> = std::result::Result<T, String>;

/// The workspace root: of the clone cargo runs us in, since two clones may share a build directory.
pub fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().expect("xtask lies in the workspace").to_path_buf()
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

/// Builds the browser application into dashboards/web/dist, which the binary embeds. When neither its sources nor what was
/// built from them changed, nothing is written: a new time on dist would rebuild `dashboards` and link the program again.
pub fn build_web() -> Result {
    need_node()?;
    let dir = web();
    let installed = dir.join("node_modules/.package-lock.json");
    let lock = dir.join("package-lock.json");
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if modified(&installed).is_none() || modified(&installed) < modified(&lock) {
        step("npm ci", program("npm", &dir).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    }
    // Beside the packages: installing others forgets it.
    let kept = dir.join("node_modules/.chieng-dist");
    let now = || web_stamp(&dir).map_err(|error| format!("failed to read {}: {error}", dir.display()));
    if dir.join("dist/index.html").exists() && fs::read_to_string(&kept).ok() == Some(now()?) {
        println!("\n── the browser application is as it was built");
        return Ok(());
    }
    step("build the browser application", program("npm", &dir).args(["run", "--silent", "build"]))?;
    fs::write(&kept, now()?).map_err(|error| format!("failed to write {}: {error}", kept.display()))
}

/// What goes into the build, and what came out of it.
fn web_stamp(dir: &Path) -> io::Result<String> {
    let names = [
        "index.html",
        "package.json",
        "package-lock.json",
        "vite.config.ts",
        "svelte.config.js",
        "tsconfig.json",
        "public",
        "src",
    ];
    let paths = names.map(|name| dir.join(name));
    let sources = stamp::of(&paths.each_ref().map(PathBuf::as_path))?;
    Ok(format!("{sources:016x} {:016x}", stamp::of(&[&dir.join("dist")])?))
}
