#!/usr/bin/env bash
# Usage, as root: docker/test.sh BATON OTHER
# Tests the images, ../compose.yaml and kubernetes/ on a private Docker engine (engine.sh), and runs demo.sh there, with
# images of two given programs of different versions; baton-demo stands beside BATON. Exit code 77: no engine can run
# here; the output says why.
#
# The base image comes from the cache in build/, else from the registry, else from debootstrap.
set -euo pipefail
docker=$(dirname "$(readlink -f "$0")")
root=$(dirname "$docker")
cache=$root/build/containers
export DEBIAN=debian:bookworm-slim

main() {
  if [[ ${1:-} != --inside ]]; then
    mkdir -p "$cache"
    exec "$docker/engine.sh" "$cache/engine" "$docker/test.sh" --inside "$@"
  fi
  DOCKER_BUILDKIT=1 docker build --help >/dev/null 2>&1 || cannot "docker build has no BuildKit (package docker-buildx)"
  command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || cannot "there is no docker-compose"
  python3 -c 'import yaml' 2>/dev/null || cannot "python3 has no yaml (package python3-yaml)"
  base_image
  local demo
  demo=$(dirname "$2")/baton-demo
  build blue "$2" "$demo"
  build green "$3" "$demo" --build-arg VERSION="$("$3" --version | sed -n '1s/^baton //p')"
  "$docker/images_test.sh" build/containers/blue build/containers/green
  python3 "$docker/welcome/compose_test.py"
  "$docker/kubernetes/play.sh"
  BATON_HOSTS="127.0.0.1 $(ip -4 -br address show dev tap0 | awk '{ sub("/.*", "", $3); print $3 }')" "$docker/demo.sh"
}

cannot() {
  echo "SKIPPED: $*"
  exit 77
}

base_image() {
  local made=$cache/bookworm.tar
  if [[ ! -e $made ]] && docker pull -q "$DEBIAN"; then return; fi
  if [[ ! -e $made ]]; then
    command -v debootstrap >/dev/null || cannot "no registry can be reached, and there is no debootstrap"
    "$root/scripts/lib/make-tree" bookworm "$cache/engine/bookworm" >"$cache/debootstrap.log" 2>&1 ||
      { tail "$cache/debootstrap.log" && exit 1; }
    tar -C "$cache/engine/bookworm" -c . >"$made.part" && mv "$made.part" "$made"
    rm -rf "$cache/engine/bookworm"
  fi
  docker import "$made" "$DEBIAN"
}

# build COLOUR PROGRAM DEMO [ARGUMENTS...]. Without debug information, which is most of a program.
build() {
  install --strip "$2" "$cache/$1"
  install --strip "$3" "$cache/$1-demo"
  DOCKER_BUILDKIT=1 docker build -q -t "baton:$1" --build-arg BINARY=provided \
    --build-arg BATON="build/containers/$1" "${@:4}" "$root"
}

main "$@"
