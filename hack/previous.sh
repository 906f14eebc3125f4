#!/usr/bin/env bash
# Builds the version that regions must work together with while they are upgraded, and prints where its program is.
#
# Which version that is stands in hack/previous-build: a commit, to be set to the last release when one is made. It is built
# once, in a directory of its own: $BONGSU_CACHE/previous/<commit>/bongsu.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${BONGSU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bongsu}
commit=$(<"$root/hack/previous-build")
home=$cache/previous/$commit
program=$home/bongsu

if [[ ! -x $program ]]; then
  if ! git -C "$root" cat-file -e "$commit^{commit}" 2>/dev/null; then
    echo "could not build the previous version: this clone has no commit $commit; run git fetch --unshallow" >&2
    exit 1
  fi
  echo "building the previous version, ${commit:0:8}: some minutes, once" >&2
  mkdir -p "$home"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  git -C "$root" archive "$commit" | tar -x -C "$work"
  # Not in the usual target directory: there it would take the place of the program under test.
  cargo build --manifest-path "$work/Cargo.toml" --target-dir "$work/target" --bin bongsu --locked -q >&2
  # Moved at once when it is whole, so that a build that was stopped does not count as one.
  cp "$work/target/debug/bongsu" "$program.part"
  mv "$program.part" "$program"
fi
echo "$program"
