#!/usr/bin/env bash
# Brings the real parts that tests and checks run: builds Go programs from the modules pinned under hack/parts, installs
# Debian packages and cargo's tools. What is there already is left alone, so a second run is quick.
#
#   hack/parts.sh                    everything
#   hack/parts.sh apiserver etcd     only these
#   hack/parts.sh test               what `make test` needs; `lint` and `fuzz` likewise
#   hack/parts.sh -q ...             says nothing of parts that are there already
#
# Programs land in $BONGSU_CACHE/parts/<name>-<version>-<hash>/, with links to all of them in $BONGSU_CACHE/parts/bin.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${BONGSU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bongsu}
parts=$cache/parts
bin=$parts/bin

readonly go_parts=(apiserver controllers kubectl etcd etcdctl etcdutl helm promtool prometheus cfssl)
readonly dns_parts=(bind9 dnsutils knot kdig)
readonly test_parts=(compiler openssl slapd chromium network faketime "${dns_parts[@]}" rust "${go_parts[@]}")
readonly lint_parts=(compiler rust helm cargo-deny)
readonly all_parts=("${test_parts[@]}" cargo-deny)
# Only hack/image.sh needs these, so they must be asked for.
readonly image_parts=(musl buildah)
# Nor does anything but `make fuzz` need these.
readonly fuzz_parts=(g++ cargo-fuzz)

declare -A cargo_versions=([cargo-deny]=0.20.2 [cargo-fuzz]=0.13.2)

# A Debian part is there when its programs are; asking for programs instead of packages also accepts other systems' builds.
declare -A programs=(
  [compiler]="cc make" [openssl]="openssl" [slapd]="slapd slapadd" [chromium]="chromium" [bind9]="named" [dnsutils]="dig nsupdate" [knot]="knotd knotc" [kdig]="kdig"
  [network]="ip iptables nsenter unshare" [faketime]="faketime" [musl]="musl-gcc" [buildah]="buildah" [g++]="c++"
)
declare -A packages=(
  [compiler]="gcc libc6-dev make" [openssl]="openssl" [slapd]="slapd" [chromium]="chromium" [bind9]="bind9" [dnsutils]="bind9-dnsutils" [knot]="knot"
  [kdig]="knot-dnsutils" [network]="iproute2 iptables util-linux" [faketime]="faketime" [musl]="musl-tools" [buildah]="buildah" [g++]="g++"
)

failed=0
quiet=0

report() { # part, text
  printf '%-11s %s\n' "$1" "$2"
}

report_found() { # part, text
  if [[ $quiet -eq 0 ]]; then report "$1" "found $2"; fi
}

could_not() { # part, why and what to do
  report "$1" "could not: $2"
  failed=1
}

progress() { # part, text; only for a person who watches, the one line that stays is printed by report
  if [[ -t 1 ]]; then
    printf '%-11s %s\r' "$1" "$2"
  fi
}

contains() { # word, list...
  local word=$1 other
  shift
  for other in "$@"; do
    if [[ $other == "$word" ]]; then return 0; fi
  done
  return 1
}

link() { # program, target
  ln -sfn "$2" "$bin/$1"
}

# ---- Go parts ---------------------------------------------------------------------------------------------------------

module_of() {
  case $1 in
    apiserver | controllers | kubectl) echo kubernetes ;;
    etcd | etcdctl | etcdutl) echo etcd ;;
    helm) echo helm ;;
    promtool | prometheus) echo prometheus ;;
    cfssl) echo cfssl ;;
  esac
}

package_of() {
  case $1 in
    apiserver) echo k8s.io/kubernetes/cmd/kube-apiserver ;;
    controllers) echo k8s.io/kubernetes/cmd/kube-controller-manager ;;
    kubectl) echo k8s.io/kubernetes/cmd/kubectl ;;
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    etcdctl | etcdutl) echo "go.etcd.io/etcd/$1/v3" ;;
    helm) echo helm.sh/helm/v3/cmd/helm ;;
    promtool | prometheus) echo "github.com/prometheus/prometheus/cmd/$1" ;;
    cfssl) echo github.com/cloudflare/cfssl/cmd/cfssl ;;
  esac
}

program_of() {
  case $1 in
    apiserver) echo kube-apiserver ;;
    controllers) echo kube-controller-manager ;;
    *) echo "$1" ;;
  esac
}

version_in_go_mod() { # go.mod, module path
  awk -v module="$2" '$1 == module && $2 != "=>" { print $2; exit } $1 == "require" && $2 == module { print $3; exit }' "$1"
}

version_of() {
  local go_mod
  go_mod=$root/hack/parts/$(module_of "$1")/go.mod
  case $1 in
    apiserver | controllers | kubectl) version_in_go_mod "$go_mod" k8s.io/kubernetes ;;
    etcd) version_in_go_mod "$go_mod" go.etcd.io/etcd/server/v3 ;;
    etcdctl | etcdutl) version_in_go_mod "$go_mod" "go.etcd.io/etcd/$1/v3" ;;
    helm) version_in_go_mod "$go_mod" helm.sh/helm/v3 ;;
    promtool | prometheus) version_in_go_mod "$go_mod" github.com/prometheus/prometheus ;;
    cfssl) version_in_go_mod "$go_mod" github.com/cloudflare/cfssl ;;
  esac
}

# Release builds get their version from the linker. Without these values the API server says v0.0.0, and Helm believes
# that it talks to Kubernetes 1.20 and refuses charts that ask for more.
linker_values() { # part, version
  local package minor
  case $1 in
    apiserver | controllers | kubectl)
      minor=${2#v1.}
      for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf -- '-X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s ' \
          "$package" "$2" "$package" "$package" "${minor%%.*}"
      done
      ;;
    helm)
      minor=$(version_in_go_mod "$root/hack/parts/helm/go.mod" k8s.io/client-go)
      minor=${minor#v0.}
      printf -- '-X helm.sh/helm/v3/internal/version.version=%s ' "$2"
      for package in helm.sh/helm/v3/pkg/lint/rules helm.sh/helm/v3/pkg/chartutil; do
        printf -- '-X %s.k8sVersionMajor=1 -X %s.k8sVersionMinor=%s ' "$package" "$package" "${minor%%.*}"
      done
      ;;
    promtool | prometheus)
      # Prometheus 3.15.0 is published to Go as v0.315.0.
      minor=${2#v0.3}
      printf -- '-X github.com/prometheus/common/version.Version=3.%s' "$((10#${minor%%.*})).${minor#*.}"
      ;;
  esac
}

build_tags() {
  # promtool only checks rule files here, and prometheus only scrapes what it is told; without this tag both would compile
  # the SDKs of a dozen clouds.
  if [[ $1 == promtool || $1 == prometheus ]]; then echo remove_all_sd; fi
}

go_directory() { # part, version
  local module hash
  module=$root/hack/parts/$(module_of "$1")
  hash=$({ cat "$module/go.mod" "$module/go.sum"; linker_values "$@"; build_tags "$1"; } | sha256sum)
  echo "$parts/$1-$2-${hash:0:12}"
}

# -mod=readonly: a build that would need something go.mod and go.sum do not pin fails instead of fetching it.
go_build() { # part, version, output
  cd "$root/hack/parts/$(module_of "$1")"
  GOFLAGS='' GOWORK=off CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false \
    -tags="$(build_tags "$1")" -ldflags="-s -w $(linker_values "$1" "$2")" -o "$3" "$(package_of "$1")"
}

# The convention of Kubernetes' own envtest: this directory holds kube-apiserver, kubectl and etcd that someone else built.
given_assets() {
  [[ -n ${KUBEBUILDER_ASSETS:-} && ! $KUBEBUILDER_ASSETS -ef $bin && -x $KUBEBUILDER_ASSETS/$1 ]]
}

or_assets() { # part
  case $1 in
    apiserver | kubectl | etcd) echo ", or set KUBEBUILDER_ASSETS to a directory that has $(program_of "$1")" ;;
  esac
}

bring_go_part() {
  local part=$1 program version directory log started=$SECONDS
  program=$(program_of "$part")
  if given_assets "$program"; then
    link "$program" "$KUBEBUILDER_ASSETS/$program"
    report_found "$part" "in KUBEBUILDER_ASSETS"
    return
  fi
  version=$(version_of "$part")
  directory=$(go_directory "$part" "$version")
  if [[ -x $directory/$program ]]; then
    link "$program" "$directory/$program"
    report_found "$part" "$version"
    return
  fi
  if ! command -v go >/dev/null; then
    could_not "$part" "Go 1.26 or newer is not on PATH; install it$(or_assets "$part")"
    return
  fi
  progress "$part" "building $version; the API server takes minutes, the others less"
  log=$parts/$part.log
  if (go_build "$part" "$version" "$directory.new/$program") >"$log" 2>&1; then
    # Renamed only when complete, so that an interrupted build is never taken for a part.
    rm -rf "$directory" && mv "$directory.new" "$directory"
    rm -f "$log"
    link "$program" "$directory/$program"
    report "$part" "built $version in $((SECONDS - started)) s"
  else
    tail -n 15 "$log" >&2
    could_not "$part" "go build failed with the lines above; all of them are in $log. Is the Go module proxy reachable?"
  fi
}

# ---- Debian parts -----------------------------------------------------------------------------------------------------

# Daemons live in sbin, which is not on every user's PATH.
# Our own links must not count: they outlive the program that they point at, and would then point at themselves.
find_program() {
  PATH=${PATH//"$bin:"/}:/usr/sbin:/sbin command -v "$1"
}

programs_found() { # part
  local program
  for program in ${programs[$1]}; do
    find_program "$program" >/dev/null || return 1
  done
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

may_install() {
  [[ $EUID -eq 0 ]] || sudo -n true 2>/dev/null || { [[ -t 0 ]] && command -v sudo >/dev/null; }
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# Debian starts a daemon when it installs it, and a name server of the system would take port 53 from the machine's own.
# policy-rc.d is Debian's way to say no. It goes away afterwards unless somebody else's was there first.
policy=/usr/sbin/policy-rc.d
forbid_starts() {
  [[ ! -e $policy ]] || return 0
  trap allow_starts EXIT
  printf '#!/bin/sh\n# Written by hack/parts.sh; removed when it ends.\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 0755 "$policy"
}

allow_starts() {
  if grep -qs 'Written by hack/parts.sh' "$policy"; then
    as_root rm -f "$policy"
  fi
}

# The policy covers now; on a machine with systemd the new daemons would still start at the next boot.
forbid_boot() { # part...
  local part
  [[ -d /run/systemd/system ]] || return 0
  for part in "$@"; do
    case $part in
      bind9) as_root systemctl disable --quiet named || true ;;
      knot) as_root systemctl disable --quiet knot || true ;;
      slapd) as_root systemctl disable --quiet slapd || true ;;
    esac
  done
}

install_packages() { # part...
  local part log=$parts/apt.log wanted=()
  for part in "$@"; do
    read -ra names <<<"${packages[$part]}"
    wanted+=("${names[@]}")
  done
  forbid_starts
  if { apt update && apt install -y --no-install-recommends "${wanted[@]}"; } >"$log" 2>&1; then
    forbid_boot "$@"
  else
    tail -n 15 "$log" >&2
  fi
  allow_starts
}

# The compiler stays where it is: only programs that tests start by name need one place to find them.
link_programs() { # part
  local program
  contains "$1" openssl slapd chromium network "${dns_parts[@]}" || return 0
  for program in ${programs[$1]}; do
    link "$program" "$(find_program "$program")"
  done
}

# One call of apt-get for all of them: its start costs more than a package.
bring_debian_parts() { # part...
  local part why started=$SECONDS missing=()
  for part in "$@"; do
    if programs_found "$part"; then
      link_programs "$part"
      report_found "$part" "${programs[$part]}"
    else
      missing+=("$part")
    fi
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0

  if ! command -v apt-get >/dev/null; then
    why="there is no apt-get here"
  elif ! may_install; then
    why="neither root nor sudo"
  else
    why="apt-get failed, see above and $parts/apt.log"
    progress "${missing[0]}" "installing Debian packages"
    install_packages "${missing[@]}"
  fi
  for part in "${missing[@]}"; do
    if programs_found "$part"; then
      link_programs "$part"
      report "$part" "installed in $((SECONDS - started)) s"
    else
      could_not "$part" "$why; install ${programs[$part]} (Debian: apt-get install ${packages[$part]})"
    fi
  done
}

# ---- Rust -------------------------------------------------------------------------------------------------------------

bring_rust() {
  local channel started=$SECONDS log=$parts/rust.log
  channel=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$root/rust-toolchain.toml")
  if ! command -v rustup >/dev/null; then
    if command -v cargo >/dev/null; then
      report_found rust "$(cargo --version) without rustup; the checks are made for $channel"
    else
      could_not rust "neither rustup nor cargo is on PATH; install rustup, it reads rust-toolchain.toml"
    fi
    return
  fi
  if rustup run "$channel" cargo fmt --version &>/dev/null && rustup run "$channel" cargo clippy --version &>/dev/null; then
    report_found rust "$channel"
  elif rustup toolchain install "$channel" --profile minimal --component rustfmt,clippy >"$log" 2>&1; then
    report rust "installed $channel in $((SECONDS - started)) s"
  else
    tail -n 15 "$log" >&2
    could_not rust "rustup could not install $channel, see above"
  fi
}

# A tool that runs for a second is not worth the minutes that its release profile asks for.
cargo_install() { # part, directory
  CARGO_TARGET_DIR=$2.build cargo install --quiet --locked "$1" --version "${cargo_versions[$1]}" --root "$2.new" \
    --config 'profile.release.opt-level=1' --config 'profile.release.lto=false' --config 'profile.release.debug=false' \
    --config 'profile.release.codegen-units=16'
}

bring_cargo_part() {
  local part=$1 version=${cargo_versions[$1]} log=$parts/$1.log started=$SECONDS
  local directory=$parts/$part-$version
  if [[ -x $directory/bin/$part ]]; then
    link "$part" "$directory/bin/$part"
    report_found "$part" "$version"
    return
  fi
  if ! command -v cargo >/dev/null; then
    could_not "$part" "cargo is not on PATH; install rustup, it reads rust-toolchain.toml"
    return
  fi
  progress "$part" "building $version, a few minutes"
  if (cd "$root" && cargo_install "$part" "$directory") >"$log" 2>&1; then
    rm -rf "$directory" && mv "$directory.new" "$directory"
    rm -rf "$directory.build" "$log"
    link "$part" "$directory/bin/$part"
    report "$part" "built $version in $((SECONDS - started)) s"
  else
    tail -n 15 "$log" >&2
    could_not "$part" "cargo install failed with the lines above; all of them are in $log. Is the crate registry reachable?"
  fi
}

# ---- Choice -----------------------------------------------------------------------------------------------------------

choose() { # argument...
  local argument
  [[ $# -gt 0 ]] || set -- "${all_parts[@]}"
  for argument in "$@"; do
    case $argument in
      test) chosen+=("${test_parts[@]}") ;;
      lint) chosen+=("${lint_parts[@]}") ;;
      fuzz) chosen+=(compiler rust "${fuzz_parts[@]}") ;;
      *)
        if ! contains "$argument" "${all_parts[@]}" "${image_parts[@]}" "${fuzz_parts[@]}"; then
          echo "parts.sh: no part is called '$argument'; there are: test lint fuzz ${all_parts[*]} ${image_parts[*]} ${fuzz_parts[*]}" >&2
          exit 2
        fi
        chosen+=("$argument")
        ;;
    esac
  done
}

main() {
  local part chosen=() debian=()
  if [[ ${1:-} == -q ]]; then
    quiet=1
    shift
  fi
  choose "$@"
  mkdir -p "$bin"
  # Two runs at once would build the same things against each other on few cores; the second waits and then finds them.
  exec 9>"$parts/.lock"
  flock 9
  for part in compiler openssl slapd chromium network faketime "${dns_parts[@]}" "${image_parts[@]}" g++; do
    if contains "$part" "${chosen[@]}"; then debian+=("$part"); fi
  done
  bring_debian_parts "${debian[@]}"
  if contains rust "${chosen[@]}"; then bring_rust; fi
  # One after the other: each build uses all cores by itself.
  for part in "${go_parts[@]}"; do
    if contains "$part" "${chosen[@]}"; then bring_go_part "$part"; fi
  done
  for part in cargo-deny cargo-fuzz; do
    if contains "$part" "${chosen[@]}"; then bring_cargo_part "$part"; fi
  done
  exit "$failed"
}

main "$@"
