#!/usr/bin/env bash
# Checks the dependencies against deny.toml. Bans, licences and sources need no network and always count; advisories need
# their database, which lives in a git repository that not every build machine can reach.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# 60 s: a fetch of the whole database takes seconds; a firewall that drops packets would otherwise hold the check for minutes.
fetch_limit_seconds=60

main() {
  cargo deny --locked check --hide-inclusion-graph bans licenses sources
  if timeout "$fetch_limit_seconds" cargo deny --locked fetch db &>/dev/null; then
    cargo deny --locked check --disable-fetch advisories
  else
    echo "advisories were NOT checked: the advisory database could not be fetched"
  fi
}

main "$@"
