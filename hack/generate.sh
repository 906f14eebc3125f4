#!/usr/bin/env bash
# Writes the files that come from the code: crds/, their copy in the chart, docs/reference.md and the schema of reports.
# With --check it changes nothing and fails, with the difference, when the committed files are not what the code says.
#
# BONGSU names a binary that is already built; without it cargo builds one.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

bongsu() {
  if [[ -n ${BONGSU:-} ]]; then
    "$BONGSU" "$@"
  else
    cargo run --quiet --locked -- "$@"
  fi
}

# Both modes write here first, so that a failure halfway leaves the committed files alone.
generate_into() { # directory
  mkdir -p "$1/crds" "$1/docs"
  bongsu crds --dir "$1/crds" --docs "$1/docs/reference.md"
  bongsu report schema >"$1/docs/drill-report.schema.json"
}

check() { # directory
  local drifted=0
  diff -ruN crds "$1/crds" || drifted=1
  diff -ruN charts/bongsu/files/crds "$1/crds" || drifted=1
  diff -uN docs/reference.md "$1/docs/reference.md" || drifted=1
  diff -uN docs/drill-report.schema.json "$1/docs/drill-report.schema.json" || drifted=1
  if [[ $drifted -eq 1 ]]; then
    echo "generated files differ from the code (- committed, + generated): run \`make generate\` and commit the result" >&2
    return 1
  fi
}

# A kind that the code no longer has must lose its file too, hence the removal.
replace() { # directory
  mkdir -p crds charts/bongsu/files/crds docs
  rm -f crds/*.yaml charts/bongsu/files/crds/*.yaml
  cp "$1"/crds/*.yaml crds/
  cp "$1"/crds/*.yaml charts/bongsu/files/crds/
  cp "$1/docs/reference.md" "$1/docs/drill-report.schema.json" docs/
}

main() {
  fresh=$(mktemp -d)
  trap 'rm -rf "$fresh"' EXIT
  generate_into "$fresh"
  case ${1:-} in
    --check) check "$fresh" ;;
    '') replace "$fresh" ;;
    *)
      echo "usage: hack/generate.sh [--check]" >&2
      exit 2
      ;;
  esac
}

main "$@"
