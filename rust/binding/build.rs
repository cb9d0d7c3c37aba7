//! Passes the Python version's cfgs and the facts of the build on to the crate.

use std::process::Command;

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
    let profile = std::env::var("PROFILE").unwrap_or_default();
    println!("cargo:rustc-env=SKY_RS_PROFILE={profile}");
    println!("cargo:rustc-env=SKY_RS_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    println!("cargo:rustc-env=SKY_RS_RUSTC={}", output(&std::env::var("RUSTC").unwrap_or_default(), &["--version"]));
    // A packager may name the commit; an sdist has none.
    let commit = std::env::var("SKY_RS_COMMIT").unwrap_or_else(|_| output("git", &["rev-parse", "--short=12", "HEAD"]));
    println!("cargo:rustc-env=SKY_RS_COMMIT={commit}");
    println!("cargo:rerun-if-env-changed=SKY_RS_COMMIT");
    // Every commit and checkout is noted there.
    let log = "../../.git/logs/HEAD";
    if std::path::Path::new(log).is_file() {
        println!("cargo:rerun-if-changed={log}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}
