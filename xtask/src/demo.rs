//! `cargo xtask demo`: build, then hand over to `chieng demo`, which does the same from an installed binary.

use crate::run::{Result, build_web, cargo, step};

pub fn run(rest: &[&str]) -> Result {
    build_web()?;
    step("build chieng", cargo().args(["build", "--workspace"]))?;
    step("demo", cargo().args(["run", "--quiet", "--package", "chieng", "--", "demo", "--dir", "demo-data"]).args(rest))
}
