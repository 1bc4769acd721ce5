#!/usr/bin/env bash
# Usage: docker/images_test.sh BLUE GREEN
# Looks into the images baton:blue and baton:green, and builds the variant without a shell from the program BLUE, a path
# in the repository. That one must be small, become healthy, find names and CAs, and upgrade to the program GREEN.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. docker/await.sh
blue=$1 green=$2
bytes_max=40000000
limit_s=60  # for each wait
work=$(mktemp -d)
containers=()

main() {
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  chmod 755 "$work"  # the containers' user reads what is mounted

  expect_label baton:blue version "$(version_of baton:blue)"  # the Dockerfile's default
  expect_label baton:green version "$(version_of baton:green)"
  DOCKER_BUILDKIT=1 docker build -q -t baton:distroless --target distroless --build-arg BINARY=provided \
    --build-arg BATON="$blue" --build-arg REVISION=0123abcd --build-arg SOURCE=https://git.example.com/baton \
    --build-arg LICENSES=LicenseRef-Example . >"$work/id"
  expect_label baton:distroless title Baton
  expect_label baton:distroless version "$(version_of baton:blue)"
  expect_label baton:distroless revision 0123abcd
  expect_label baton:distroless source https://git.example.com/baton
  expect_label baton:distroless documentation \
    "https://git.example.com/baton/blob/v$(version_of baton:blue)/docs/containers.md"
  expect_label baton:distroless licenses LicenseRef-Example
  [[ -n $(label_of baton:distroless description) ]] || fail "there is no description"
  say "The images' labels are right."

  expect_small
  expect_no_other_programs
  expect_user
  expect_service_by_name
  expect_upgrade_without_a_shell
  expect_trust_in_the_systems_cas
}

finish() {
  local status=$? container
  trap - EXIT
  for container in "${containers[@]}"; do
    if ((status != 0)); then docker logs --tail 20 "$container" 2>&1 | sed "s/^/$container: /"; fi
    docker rm -f -v "$container" >/dev/null
  done
  docker network rm baton-images >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}

expect_label() {
  local label
  label=$(label_of "$1" "$2")
  [[ $label == "$3" ]] || fail "$1's label $2 is '$label' instead of '$3'"
}
label_of() { docker image inspect -f "{{index .Config.Labels \"org.opencontainers.image.$2\"}}" "$1"; }
version_of() { docker run --rm "$1" --version | sed -n '1s/^baton //p'; }

expect_small() {
  local bytes
  bytes=$(docker image inspect -f '{{.Size}}' baton:distroless)
  ((bytes < bytes_max)) || fail "baton:distroless has $bytes bytes, which is not below $bytes_max"
  say "baton:distroless has $((bytes / 1000000)) MB ($bytes bytes); baton:blue has" \
    "$(($(docker image inspect -f '{{.Size}}' baton:blue) / 1000000)) MB."
}

# Nothing can be executed but Baton and libraries; Docker itself puts some empty files into a container.
expect_no_other_programs() {
  local container programs
  container=$(docker create baton:distroless)
  programs=$(docker export "$container" | tar --list --verbose |
    awk '/^-..x/ && $3 > 0 && $6 !~ /\.so(\.|$)/ { print $6 }')
  docker rm -v "$container" >/dev/null
  [[ $programs == usr/bin/baton ]] || fail "programs in baton:distroless: $programs"
  say "It has no program but Baton."
}

expect_user() {
  local container users
  container=$(docker create baton:distroless)
  users=$(docker cp "$container:/etc/passwd" - | tar --extract --to-stdout | cut -d: -f1,3,4)
  docker rm -v "$container" >/dev/null
  [[ $users == $'root:0:0\nbaton:10001:10001' ]] || fail "its users are $users"
}

# The image's own configuration and health check, and a server's name that Docker's DNS knows.
expect_service_by_name() {
  docker network create baton-images >/dev/null
  start origin --network-alias app --entrypoint /usr/libexec/baton/baton-demo baton:blue origin
  start served --network-alias served -p 127.0.0.1::8080 -e BATON_UPSTREAM=app:8000 --cap-drop ALL \
    --security-opt no-new-privileges baton:distroless
  await "baton:distroless is healthy" healthy served
  [[ $(get served /) == "line 1 of "* ]] || fail "the server does not answer through baton:distroless"
  [[ $(docker exec baton-images-served baton ctl status --json) == *'"supervisor":1'* ]] || fail "it is not supervised"
  say "It becomes healthy, and serves."
}

expect_upgrade_without_a_shell() {
  docker cp "$green" baton-images-served:/usr/bin/baton.new >/dev/null
  docker exec baton-images-served baton ctl upgrade --binary /usr/bin/baton.new >"$work/log" || fail "$(<"$work/log")"
  [[ $(docker exec baton-images-served baton ctl status --json) == *"\"version\":\"$(version_of baton:green)\""* ]] ||
    fail "it still is the old version"
  docker stop -t "$limit_s" baton-images-served >/dev/null
  [[ $(docker wait baton-images-served) == 0 ]] || fail "it does not end cleanly"
  say "It upgrades without a shell, and stops."
}

# Baton is its own server over TLS, whose certificate is the only one in the system's file of CAs.
expect_trust_in_the_systems_cas() {
  local count
  count=$(docker cp baton-images-served:/etc/ssl/certs/ca-certificates.crt - | tar --extract --to-stdout |
    grep -c 'BEGIN CERTIFICATE') || fail "there are no CAs"
  ((count > 50)) || fail "there are only $count CAs"

  mkdir "$work/conf"
  chmod 777 "$work/conf"
  docker run --rm -v "$work/conf:/conf" --entrypoint /usr/libexec/baton/baton-demo baton:blue certificate /conf
  cat >"$work/conf/baton.yaml" <<'YAML'
version: 1
listeners:
  - { name: web, bind: ":8080" }
  - { name: secure, bind: ":8443", tls: { certificates: [ { cert: /etc/baton/site.pem, key: /etc/baton/site.key } ] } }
routes:
  - { match: { path: /answer }, respond: { status: 200, body: trusted } }
  - { path: { replace: /answer }, upstream: itself }
upstreams:
  - { name: itself, servers: [ { address: "127.0.0.1:8443" } ], tls: { server_name: baton.test } }
YAML
  start trusting -p 127.0.0.1::8080 -v "$work/conf:/etc/baton:ro" \
    -v "$work/conf/site.pem:/etc/ssl/certs/ca-certificates.crt:ro" baton:distroless
  await "baton:distroless is healthy" healthy trusting
  [[ $(get trusting /) == trusted ]] || fail "a server that the system's CAs vouch for is not trusted"
  start doubting -p 127.0.0.1::8080 -v "$work/conf:/etc/baton:ro" baton:distroless
  await "baton:distroless is healthy" healthy doubting
  if get doubting / >/dev/null 2>&1; then fail "a server is trusted that no CA vouches for"; fi
  say "It trusts those servers that the system's CAs vouch for ($count in the image)."
}

# start NAME ARGUMENTS...
start() {
  containers+=("baton-images-$1")
  docker run -d --name "baton-images-$1" --network baton-images --health-interval 1s "${@:2}" >/dev/null
}
healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "baton-images-$1") == healthy ]]; }
get() {
  python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode())' \
    "http://$(docker port "baton-images-$1" 8080/tcp)$2"
}

say() { echo "  $*"; }
fail() {
  echo "  $*" >&2
  exit 1
}

main
