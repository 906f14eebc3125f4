#!/usr/bin/env bash
# Writes go.mod and go.sum of one part anew, for a version bump:
#   hack/parts/update.sh kubernetes v1.36.3
# The modules hold no source: the `tool` lines name the programs, and Go's own checksums pin everything they need.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

die() {
  echo "update.sh: $*" >&2
  exit 1
}

usage() {
  die "usage: hack/parts/update.sh kubernetes|etcd|helm|prometheus|cfssl VERSION"
}

begin_module() {
  mkdir -p "$1"
  cd "$1"
  rm -f go.mod go.sum
  go mod init "parts/$1" 2>/dev/null
  # The oldest Go that all parts accept; without this line `go mod init` would ask for the newest Go that ran here.
  go mod edit -go=1.26.0
}

# Kubernetes' own go.mod points its staging modules at directories that the published module does not carry. Go ignores
# the replacements of a dependency, so each is repeated here and points at the module published for the same release.
replace_staging() {
  local version=$1 published="v0.${1#v1.}" go_mod module
  go_mod=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)",*/\1/p')
  sed -n 's|^[[:space:]]*\(k8s.io/[a-z-]*\) => \./staging/.*|\1|p' "$go_mod" | while read -r module; do
    go mod edit -replace "$module=$module@$published"
  done
}

# `go mod tidy` reads the packages of every build tag, and Prometheus is built without its service discovery plugins: they
# would pull in a dozen cloud SDKs for a server that scrapes one address. So only what that build needs is recorded.
resolve() {
  if [[ $1 == prometheus ]]; then
    go list -mod=mod -tags=remove_all_sd -deps tool >/dev/null
  else
    go mod tidy
  fi
}

main() {
  [[ $# -eq 2 ]] || usage
  local part=$1 version=$2 program modules=() programs=()
  case $part in
    kubernetes)
      modules=(k8s.io/kubernetes)
      programs=(k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kubectl)
      ;;
    etcd)
      modules=(go.etcd.io/etcd/server/v3 go.etcd.io/etcd/etcdctl/v3 go.etcd.io/etcd/etcdutl/v3)
      programs=("${modules[@]}")
      ;;
    helm)
      modules=(helm.sh/helm/v3)
      programs=(helm.sh/helm/v3/cmd/helm)
      ;;
    prometheus)
      modules=(github.com/prometheus/prometheus)
      programs=(github.com/prometheus/prometheus/cmd/promtool github.com/prometheus/prometheus/cmd/prometheus)
      ;;
    cfssl)
      # Later versions than 1.6.5 ask for a newer Go than the other parts.
      modules=(github.com/cloudflare/cfssl)
      programs=(github.com/cloudflare/cfssl/cmd/cfssl)
      ;;
    *) usage ;;
  esac

  begin_module "$part"
  for module in "${modules[@]}"; do
    go mod edit -require "$module@$version"
  done
  if [[ $part == kubernetes ]]; then
    replace_staging "$version"
  fi
  for program in "${programs[@]}"; do
    go mod edit -tool "$program"
  done
  resolve "$part"
}

main "$@"
