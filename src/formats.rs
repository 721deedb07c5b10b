//! The installation's own formats: mapping files (`*.toml`) of the folder `parsers` beside the configuration file.
//!
//! They are looked at again every few seconds and when the configuration is read again. While a file of the folder is wrong, a change
//! takes no effect: what was in force stays, and the log says which line of which file is wrong. What a mapping is and how it is compiled
//! is [`parsers::mapping`].

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use parsers::{
    Formats, Parser as _,
    mapping::{self, FILE_BYTES_MAX, Mapping},
};
use tracing::{error, info};

use crate::config::Problem;

/// Mapping files of one folder.
const FILES_MAX: usize = 256;

/// The formats in force.
#[derive(Debug, Default)]
pub struct Known {
    dir: Option<PathBuf>,
    current: RwLock<Arc<Formats>>,
    /// The files as they were when they were last looked at: name and content.
    seen: Mutex<Vec<(PathBuf, String)>>,
}

impl Known {
    /// Reads the folder, which need not exist. A start does not fail for a wrong file: it is left out, and the log says so.
    pub fn open(dir: Option<PathBuf>) -> Self {
        let files = dir.as_deref().map_or_else(|| Ok(Vec::new()), files);
        let (files, mut problems) = files.map_or_else(|problems| (Vec::new(), problems), |files| (files, Vec::new()));
        let (formats, wrong) = compile(&files);
        problems.extend(wrong);
        for problem in problems {
            error!(%problem, "left out a mapping");
        }
        Self { dir, current: RwLock::new(Arc::new(formats)), seen: Mutex::new(files) }
    }

    pub fn load(&self) -> Arc<Formats> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in what has changed in the folder; true when something did.
    pub fn refresh(&self) -> bool {
        let Some(dir) = &self.dir else { return false };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match files(dir) {
            Ok(files) if *seen == files => return false,
            Ok(files) => match compile(&files) {
                (formats, problems) if problems.is_empty() => Ok((files, formats)),
                (_, problems) => Err(problems),
            },
            Err(problems) => Err(problems),
        };
        match found {
            Ok((files, formats)) => {
                info!(mappings = formats.own().len(), "took in the installation's own formats");
                *seen = files;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(formats);
                true
            }
            Err(problems) => {
                for problem in problems {
                    error!(%problem, "failed to read a mapping; what was in force stays in force");
                }
                // Told once, and looked at again when it changes.
                if let Ok(files) = files(dir) {
                    *seen = files;
                }
                false
            }
        }
    }
}

/// The folder of a configuration file.
pub fn folder(config: Option<&Path>) -> Option<PathBuf> {
    Some(config?.parent()?.join("parsers"))
}

/// Reads one folder's files, none of which may be wrong; for `chieng validate` and other commands.
pub fn read(dir: &Path) -> Result<Formats, Vec<Problem>> {
    match compile(&files(dir)?) {
        (formats, problems) if problems.is_empty() => Ok(formats),
        (_, problems) => Err(problems),
    }
}

/// Reads what is right in a folder.
pub fn read_good(dir: &Path) -> Formats {
    files(dir).map(|files| compile(&files).0).unwrap_or_default()
}

fn files(dir: &Path) -> Result<Vec<(PathBuf, String)>, Vec<Problem>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(vec![problem(dir, 0, format!("failed to read the folder: {error}"))]),
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    if paths.len() > FILES_MAX {
        return Err(vec![problem(dir, 0, format!("{} mapping files, at most {FILES_MAX} are read", paths.len()))]);
    }
    let text = |path: PathBuf| text(&path).map(|text| (path, text)).map_err(|problem| vec![problem]);
    paths.into_iter().map(text).collect()
}

/// The text of a mapping file.
pub fn text(path: &Path) -> Result<String, Problem> {
    let length = fs::metadata(path).map_err(|error| problem(path, 0, format!("failed to read the file: {error}")))?.len();
    if length > FILE_BYTES_MAX as u64 {
        return Err(problem(path, 0, format!("{length} bytes, at most {FILE_BYTES_MAX} are read")));
    }
    fs::read_to_string(path).map_err(|error| problem(path, 0, format!("failed to read the file: {error}")))
}

/// Compiles files: the good ones, and all problems of the others.
fn compile(files: &[(PathBuf, String)]) -> (Formats, Vec<Problem>) {
    let (mut own, mut problems) = (Vec::new(), Vec::new());
    let mut names: HashMap<&str, &Path> = HashMap::new();
    for (path, text) in files {
        match mapping(text) {
            Ok(mapping) => match names.insert(mapping.name(), path) {
                None => own.push(mapping),
                Some(other) => {
                    problems.push(problem(path, 0, format!("{:?} is already the name of {}", mapping.name(), other.display())));
                }
            },
            Err(found) => {
                problems.extend(
                    found
                        .into_iter()
                        .map(|found| problem(path, found.line, format!("column {}: {}", found.column, found.message))),
                );
            }
        }
    }
    (Formats::new(own), problems)
}

/// Compiles a text once: a mapping lives as long as the program, however often its folder is read.
fn mapping(text: &str) -> Result<&'static Mapping, Vec<mapping::Problem>> {
    static COMPILED: Mutex<Vec<(blake3::Hash, &'static Mapping)>> = Mutex::new(Vec::new());
    let hash = blake3::hash(text.as_bytes());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, mapping)) = compiled.iter().find(|(known, _)| *known == hash) {
        return Ok(mapping);
    }
    let mapping: &'static Mapping = Box::leak(Box::new(mapping::compile(text)?));
    compiled.push((hash, mapping));
    Ok(mapping)
}

fn problem(path: &Path, line: usize, message: String) -> Problem {
    Problem { file: path.display().to_string(), line, message, hint: None }
}
