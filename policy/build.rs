//! Build script of every package that links libtorch or names the source revision.
//!
//! Programs and tests find libtorch where the build found it, so that a binary runs from any folder without
//! LD_LIBRARY_PATH; and `LONGSHORE_REVISION` says which commit was built.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
    println!("cargo:rerun-if-changed=../.git/logs/HEAD");
    let revision = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok();
    let revision = revision.filter(|output| output.status.success());
    let revision = revision.and_then(|output| String::from_utf8(output.stdout).ok());
    println!("cargo:rustc-env=LONGSHORE_REVISION={}", revision.as_deref().unwrap_or("unknown").trim());
}
