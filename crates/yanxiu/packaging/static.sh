#!/bin/sh
# Builds static programs (musl) for x86-64 and ARM 64 that run on any Linux of the last ten years.
#
#   crates/yanxiu/packaging/static.sh [TARGET…]       default: both
#
# Needs rustup, and `pip install ziglang` with `cargo install cargo-zigbuild`: zig brings the C compiler and libc of
# every target (SQLite, zstd and ring are C). Without them, on a machine of the same kind, musl-tools is enough for that
# machine's own target.
set -eu
cd "$(dirname "$0")/../../.."
[ $# -gt 0 ] || set -- x86_64-unknown-linux-musl aarch64-unknown-linux-musl
for target in "$@"; do
    rustup target add "$target"
    if command -v cargo-zigbuild >/dev/null; then
        cargo zigbuild --release -p yanxiu --target "$target"
    else
        # Rust links its own musl; the C parts need its headers.
        CC=musl-gcc cargo build --release -p yanxiu --target "$target"
    fi
    program=target/$target/release/yanxiu
    # No interpreter, no needed libraries: else it is not static.
    if readelf -ld "$program" | grep -Eq 'INTERP|NEEDED'; then
        echo "static.sh: $program is not static" >&2
        exit 1
    fi
    ls -l "$program"
done
