#!/bin/sh
# Makes base images for machines that reach Debian's packages but no image registry: one with Debian, by debootstrap, and
# one with Rust, from it and this machine's own toolchain. They have names of their own: an official tag must mean the
# official image. The last two lines of output choose them for a build: eval "$(deploy/docker/base-images.sh)".
# Images that are there already are left alone. Needs root (or sudo), Docker, and a Rust toolchain.
set -eu

DEBIAN_IMAGE=longshore-base:bookworm
RUST_IMAGE=longshore-base:rust
HOST_CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
# Beside Debian's own bundle, which installing ca-certificates would write anew.
CERTIFICATES=/etc/ssl/host-certificates.crt

say() { printf 'base-images: %s\n' "$*" >&2; }
present() { docker image inspect "$1" >/dev/null 2>&1; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

make_debian() {
    if ! command -v debootstrap >/dev/null && [ ! -x /usr/sbin/debootstrap ]; then
        say "installing debootstrap"
        as_root apt-get update -qq && as_root apt-get install -y -qq --no-install-recommends debootstrap >&2
    fi
    say "making $DEBIAN_IMAGE"
    work=$(mktemp -d)
    trap 'as_root rm -rf "$work"' EXIT
    as_root env PATH="/usr/sbin:/sbin:$PATH" debootstrap --variant=minbase bookworm "$work/root" >&2
    # A network that inspects traffic has certificates of its own: what this machine trusts, the image trusts.
    as_root mkdir -p "$work/root/etc/ssl"
    as_root cp "$HOST_CERTIFICATES" "$work/root$CERTIFICATES"
    as_root rm -rf "$work/root/var/cache/apt/archives" "$work/root/var/lib/apt/lists"
    as_root mkdir -p "$work/root/var/cache/apt/archives/partial" "$work/root/var/lib/apt/lists/partial"
    as_root tar -C "$work/root" -c . | docker import \
        --change "ENV SSL_CERT_FILE=$CERTIFICATES PIP_CERT=$CERTIFICATES CARGO_HTTP_CAINFO=$CERTIFICATES" \
        --change 'CMD ["bash"]' - "$DEBIAN_IMAGE" >&2
    as_root rm -rf "$work"
    trap - EXIT
}

make_rust() {
    command -v rustc >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    sysroot=$(rustc --print sysroot)
    say "making $RUST_IMAGE from $sysroot"
    builder=longshore-base-rust-$$
    trap 'docker rm -f "$builder" >/dev/null 2>&1 || true' EXIT
    docker run --name "$builder" "$DEBIAN_IMAGE" sh -c \
        'apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null && rm -rf /var/lib/apt/lists/*' >&2
    for folder in bin lib; do docker cp "$sysroot/$folder/." "$builder:/usr/local/$folder"; done
    docker commit --change 'CMD ["bash"]' "$builder" "$RUST_IMAGE" >&2
    docker rm -f "$builder" >/dev/null
    trap - EXIT
}

present "$DEBIAN_IMAGE" || make_debian
present "$RUST_IMAGE" || make_rust
echo "export DEBIAN_IMAGE=$DEBIAN_IMAGE"
echo "export RUST_IMAGE=$RUST_IMAGE"
