#!/bin/sh
# Leaves of the workspace in this folder its manifests, each with an empty crate behind it, so that cargo can compile the
# dependencies alone, and an image layer with them stays good until a manifest changes. For use inside an image build.
set -eu
find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path './.cargo/*' -delete
find . -type d -empty -delete
for manifest in */Cargo.toml */*/Cargo.toml; do
    crate=$(dirname "$manifest")
    mkdir -p "$crate/src"
    : > "$crate/src/lib.rs"
    echo 'fn main() {}' > "$crate/src/main.rs"
done
# The build script that several crates share, and the one that compiles C++.
echo 'fn main() {}' > policy/build.rs
echo 'fn main() {}' > torch-extension/build.rs
