#!/usr/bin/env bash
# Fuzzes the parsers of what comes from the network, one after the other:
#   FUZZ_SECONDS=60 hack/fuzz.sh            all of them, each for so long
#   hack/fuzz.sh ocsp dns                   only these
#
# What is found new is kept in $BONGSU_CACHE/fuzz/<target>, so that the next run goes on there. An answer at which a parser
# panics is written to fuzz/artifacts/<target>: put it into fuzz/corpus/<target>, where `make test` judges it from then on.
#
# The first run builds the product and all that it uses anew, with counters for the fuzzer: more than half an hour on two
# busy cores, and 4.5 GB of memory.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${FUZZ_SECONDS:-60}
# An answer that is judged for longer is a fault as well: a sample has seconds, and shares its thread with others.
readonly answer_seconds=5
# The largest answer: more than every parser needs to be led everywhere, and few enough for a thousand rounds in a second.
readonly answer_bytes=16384
found=${BONGSU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bongsu}/fuzz

# The versions that the product is built of, and of what fuzzing adds the one that Cargo.toml names.
cp Cargo.lock fuzz/Cargo.lock

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  mapfile -t targets < <(cargo fuzz list)
fi

failed=()
for target in "${targets[@]}"; do
  echo "=== $target, $seconds s"
  mkdir -p "$found/$target"
  # The product's toolchain is a stable one, which has no sanitizers; and the product has no unsafe code for them to watch.
  cargo fuzz run --sanitizer none "$target" "$found/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -timeout="$answer_seconds" -max_len="$answer_bytes" -rss_limit_mb=1024 -print_final_stats=1 \
    || failed+=("$target")
done

if [[ ${#failed[@]} -gt 0 ]]; then
  echo "fuzz.sh: ${failed[*]}: see above, and fuzz/artifacts" >&2
  exit 1
fi
