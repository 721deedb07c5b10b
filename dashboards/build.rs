//! Rebuilds this crate when the browser application was built anew: its files are embedded in the binary.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
}
