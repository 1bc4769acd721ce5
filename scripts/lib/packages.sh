# shellcheck shell=bash
# shellcheck disable=SC2034  # The groups are for the scripts that source this.
# The packages that Baton needs, in groups, and the installation of missing ones. Sourced after steps.sh.

: "${root:?}"

# `boost` stands for Boost's headers, 1.81 or later, whatever the distribution calls them.
packages_build=(g++ cmake ninja-build ccache git pkg-config ca-certificates boost libyaml-cpp-dev
  libprotobuf-dev protobuf-compiler libcli11-dev libfmt-dev libre2-dev libssl-dev libc-ares-dev libcrypt-dev
  libnghttp2-dev)
packages_test=(libgtest-dev libgmock-dev rapidjson-dev spin)
# What builds and judges the Debian package, and what is in it.
packages_deb=(debhelper lintian mandoc zsh logrotate)
packages_clang=(clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev
  llvm-19)  # llvm-19 has the symbolizer for the sanitizers' stack traces.
packages_peers=(nginx libnginx-mod-stream haproxy caddy dnsmasq-base curl wrk openssl valgrind nghttp2-client nghttp2-server
  nghttp2-proxy strace procps iproute2 supervisor prometheus libcap2-bin
  python3 python3-grpcio python3-h11 python3-h2 python3-websockets python3-yaml gnutls-bin wget testssl.sh)
# Keep an npm that came from elsewhere: the distribution's would conflict with it.
if ! command -v npm >/dev/null; then packages_peers+=(npm); fi
# Ubuntu has Chromium only as a snap; there its test is skipped.
if grep -qsx 'ID=debian' /etc/os-release; then packages_peers+=(chromium-headless-shell); fi
# A Docker engine, for the test that starts a private one. Only root can run that test, so only root installs it. Keep
# an engine that came from elsewhere: the distribution's would conflict with it.
packages_containers=()
if ((EUID == 0)); then
  packages_containers=(iptables slirp4netns debootstrap debian-archive-keyring python3-yaml)
  if ! command -v dockerd >/dev/null; then
    packages_containers+=(docker.io)
    for package in docker-cli docker-buildx; do  # parts of docker.io itself in Debian 12
      if apt-cache show "$package" >/dev/null 2>&1; then packages_containers+=("$package"); fi
    done
  fi
  if ! docker compose version >/dev/null 2>&1; then packages_containers+=(docker-compose); fi
fi

# Prints those of its arguments that are not installed. Asks only dpkg, so it is fast when nothing is missing.
missing_packages() {
  local package installed
  # shellcheck disable=SC2016  # The fields are dpkg's to expand.
  installed=" $(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${@/#boost/libboost1.*-dev}" 2>/dev/null |
    sed -n 's/^installed //p' | tr '\n' ' ') "
  if [[ $installed =~ \ libboost1\.(8[1-9]|9[0-9]|[1-9][0-9][0-9])-dev\  ]]; then installed+="boost "; fi
  for package in "$@"; do
    if [[ $installed != *" $package "* ]]; then echo "$package"; fi
  done
}

# Installs those of its arguments that are missing, as one numbered step. Only apt ever runs as root.
# BATON_INSTALL=no skips it.
ensure_packages() {
  local as_root=() missing=()
  if [[ ${BATON_INSTALL:-yes} == no ]]; then
    step_skipped "Packages" "not checked (BATON_INSTALL=no)"
    return
  fi
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    fail "This script installs packages with apt, on Debian 12, Ubuntu 24.04 or later. Elsewhere install the" \
      "counterparts of these and run it again with BATON_INSTALL=no:" "  $*"
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    step_skipped "Packages" "all installed"
    return
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      fail "Packages are missing, and installing them needs root or sudo. As root run:" \
        "  $root/scripts/lib/install-packages ${missing[*]}"
    fi
    echo "Installing packages needs root; everything else runs as $(id -un)."
    sudo -v || fail "sudo refused. As root run:" "  $root/scripts/lib/install-packages ${missing[*]}"
    as_root=(sudo)
  fi
  echo "Missing: ${missing[*]}"
  step "Install ${#missing[@]} packages" "${as_root[@]}" bash "$root/scripts/lib/install-packages" "${missing[@]}"
}
