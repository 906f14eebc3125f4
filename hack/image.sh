#!/usr/bin/env bash
# Builds the container image: one static binary on an empty file system, without root.
#
#   hack/image.sh                  bongsu:<version>, in Docker if its daemon answers, else in buildah's own storage
#   OUT=bongsu.tar hack/image.sh   also saves it to an archive for `docker load`, `podman load` or `ctr images import`
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache=${BONGSU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bongsu}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
target=$(uname -m)-unknown-linux-musl
version=$(sed -n '/^\[package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
image=bongsu:$version

# The musl target is asked for here and not in rust-toolchain.toml: only an image needs it, and its absence must not keep
# anybody from running the tests.
build_binary() {
  local compiler
  hack/parts.sh -q compiler rust musl
  if command -v rustup >/dev/null; then
    rustup target add "$target"
  fi
  # ring brings C and assembly; with the system's headers it would refer to symbols that only glibc has.
  compiler=CC_${target//-/_}
  env "$compiler=musl-gcc" cargo build --release --locked --bin bongsu --target "$target"
}

assert_static() { # binary
  if readelf --program-headers "$1" | grep -q INTERP; then
    echo "image.sh: $1 asks for a dynamic loader, which an empty image does not have" >&2
    exit 1
  fi
}

containerfile() {
  cat <<END
FROM scratch
LABEL org.opencontainers.image.title="bongsu" \\
      org.opencontainers.image.version="$version" \\
      org.opencontainers.image.revision="$commit" \\
      org.opencontainers.image.licenses="Apache-2.0"
COPY bongsu /bongsu
USER 65532:65532
ENTRYPOINT ["/bongsu"]
END
}

pack_with_docker() { # directory
  docker build --quiet --tag "$image" "$1"
  if [[ -n ${OUT:-} ]]; then docker save --output "$OUT" "$image"; fi
}

# vfs and chroot ask nothing of the kernel, so this also works inside a container.
pack_with_buildah() { # directory
  hack/parts.sh -q buildah
  buildah --storage-driver vfs build --isolation chroot --format docker --quiet --tag "$image" "$1"
  if [[ -n ${OUT:-} ]]; then
    # buildah adds to an archive that exists, and refuses a tag that is in it.
    rm -f "$OUT"
    buildah --storage-driver vfs push --quiet "$image" "docker-archive:$OUT:$image"
  fi
}

main() {
  local binary=$CARGO_TARGET_DIR/$target/release/bongsu
  build_binary
  assert_static "$binary"
  context=$(mktemp -d)
  trap 'rm -rf "$context"' EXIT
  install -m 0755 "$binary" "$context/bongsu"
  containerfile >"$context/Dockerfile"
  if docker version &>/dev/null; then
    pack_with_docker "$context"
    echo "$image is in Docker${OUT:+ and in $OUT}"
  else
    pack_with_buildah "$context"
    echo "$image is in buildah's storage (--storage-driver vfs)${OUT:+ and in $OUT}"
  fi
}

main "$@"
