#!/usr/bin/env bash
# Usage: docker/demo.sh
# Upgrades Baton from container to container and back, and once more within a single container, while clients of every
# kind hold their connections through the published ports and compare every byte. Wants Docker with Compose and python3,
# and ports 8080, 8443 and 9000. Origin and clients are parts of `baton-demo`, which is in the image.
#
# BATON_BLUE and BATON_GREEN name the two images, which are built where they are missing (compiling takes minutes).
# BATON_HOSTS are this machine's addresses that clients connect to: to loopback Docker relays in a process of its own, to
# any other it translates addresses in the kernel.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
export BATON_BLUE=${BATON_BLUE:-baton:blue} BATON_GREEN=${BATON_GREEN:-baton:green}
export BATON_PEERS=${BATON_PEERS:-baton:peers}
export COMPOSE_PROJECT_NAME=baton-demo
read -ra hosts <<<"${BATON_HOSTS:-127.0.0.1}"
limit_s=90  # for anything that is waited for
work=$(mktemp -d)
clients=""
started=$SECONDS

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi

main() {
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  provide_configuration
  build_images
  play "Two containers, in a network that a third one holds" from_container_to_container
  play "One container, where Baton is PID 1" within_one_container
  printf '\nPASSED in %d s: no client noticed anything.\n' $((SECONDS - started))
}

finish() {
  local status=$?
  trap - EXIT
  if ((status != 0)); then
    printf '\nFAILED. What the containers said last:\n'
    compose logs --no-color --tail 40 2>/dev/null || true
  fi
  if [[ -n $clients ]]; then kill "$clients" 2>/dev/null || true; fi
  compose --profile blue --profile green --profile single down --volumes --timeout 2 >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}

# The proxies run as another user, and the umask with which this was checked out may keep the configuration from it.
provide_configuration() {
  export BATON_DEMO_CONFIG=$work/configuration
  cp -R demo/baton "$BATON_DEMO_CONFIG"
  chmod -R a+rX "$BATON_DEMO_CONFIG"
}

build_images() {
  say "Images"
  have_image "$BATON_BLUE" || build "$BATON_BLUE"
  # The same program makes a fine successor; another image makes it visible which one runs.
  have_image "$BATON_GREEN" || build "$BATON_GREEN" --label colour=green
  # The first one has the origin and the clients, too.
  docker tag "$BATON_BLUE" "$BATON_PEERS"
}

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

build() {
  say "  building $1"
  logged env DOCKER_BUILDKIT=1 docker build -f Dockerfile -t "$@" ..
}

# play TITLE SCENE: the scene, with nothing left of the one before.
play() {
  say "" "$1"
  compose --profile blue --profile green --profile single down --volumes --timeout 2 >/dev/null 2>&1
  "$2"
}

from_container_to_container() {
  begin_with blue
  start_clients
  succeed_in_another_container blue green
  succeed_in_another_container green blue
  end_clients
}

within_one_container() {
  local container pid worker
  begin_with single
  container=$(container_of single)
  pid=$(docker inspect -f '{{.State.Pid}}' "$container")
  start_clients

  put_binary_of "$BATON_GREEN" "$container"
  docker kill --signal USR2 "$container" >/dev/null
  wait_until "the successor serves" serves "$container" 2
  expect_process "$container" "$pid"
  say "  USR2: $(version_in "$container") serves now, in the same container with the same PID 1"
  ask_clients
  end_clients

  worker=$(status_in "$container" pid)
  docker exec -u 0 "$container" sh -c "kill -KILL $worker"
  wait_until "another worker serves" served_by_another "$container" "$worker"
  expect_process "$container" "$pid"
  say "  the worker was killed: the container goes on with another one"
  start_clients
  end_clients
}

begin_with() {
  logged compose up -d "$1"
  wait_until "$1 is healthy" healthy "$(container_of "$1")"
  docker cp "$(container_of certificate):/etc/baton-tls/site.pem" "$work/ca.pem" >/dev/null
  chmod a+r "$work/ca.pem"  # the clients run as another user
  say "  $1 serves: $(version_in "$(container_of "$1")")"
}

# succeed_in_another_container OLD NEW: NEW takes over from OLD, which ends by itself and is removed.
succeed_in_another_container() {
  local old new code generation begun
  old=$(container_of "$1")
  generation=$(status_in "$old" generation)
  logged compose up -d "$2"
  new=$(container_of "$2")
  code=$(timeout "$limit_s" docker wait "$old") || fail "$1 did not end"
  [[ $code == 0 ]] || fail "$1 ended with $code"
  wait_until "$2 serves" serves "$new" $((generation + 1))
  say "  $2 has taken over: $(version_in "$new"); $1 ended with 0"
  ask_clients
  begun=$(begin_of "$old")
  logged compose up -d
  [[ $(begin_of "$old") == "$begun" ]] || fail "\`up -d\`, which names nobody, started $1"
  docker rm -v "$old" >/dev/null || fail "$1 did not stay ended"
  say "  $1 is removed"
  ask_clients
}

# put_binary_of IMAGE CONTAINER: by a rename, as always.
put_binary_of() {
  local other
  other=$(docker create "$1")
  docker cp "$other:/usr/bin/baton" "$work/baton" >/dev/null
  docker rm -v "$other" >/dev/null
  docker cp "$work/baton" "$2:/usr/bin/baton.new" >/dev/null
  docker exec -u 0 "$2" mv /usr/bin/baton.new /usr/bin/baton
}

expect_process() {
  [[ $(docker inspect -f '{{.State.Pid}} {{.RestartCount}} {{.State.Running}}' "$1") == "$2 0 true" ]] ||
    fail "the container was restarted, or PID 1 is another"
}

# The clients: a coprocess that answers a line with a line, when every client has received something more.

start_clients() {
  coproc CLIENTS {
    exec docker run --rm --interactive --network host --volume "$work/ca.pem:/ca.pem:ro" \
      --entrypoint /usr/libexec/baton/baton-demo "$BATON_PEERS" clients "${hosts[@]}" --ca /ca.pem
  }
  clients=$CLIENTS_PID
  exec {answers}<&"${CLIENTS[0]}" {questions}>&"${CLIENTS[1]}"
  # The coprocess's own descriptors would keep its input open.
  # shellcheck disable=SC1083,SC2093
  exec {CLIENTS[0]}<&- {CLIENTS[1]}>&-
  expect_answer ready
}

ask_clients() {
  echo >&"$questions"
  expect_answer alive
}

end_clients() {
  exec {questions}>&-
  expect_answer whole
  wait "$clients" || fail "the clients ended with $?"
  clients=""
  exec {answers}<&-
}

expect_answer() {
  local line
  IFS= read -r -t "$limit_s" line <&"$answers" || fail "the clients do not answer"
  say "    $line"
  if [[ $line != "$1: "* ]]; then
    while IFS= read -r -t 5 line <&"$answers"; do say "    $line"; done
    fail "a client noticed something"
  fi
}

# What the containers are.

compose() { "${compose[@]}" -f compose.yaml "$@"; }
container_of() { compose ps -aq "$1" 2>/dev/null; }
begin_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }
healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; }

# status_in CONTAINER KEY: of the instance that this container can reach.
status_in() {
  docker exec "$1" baton ctl status --json 2>/dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2" 2>/dev/null
}
serves() { [[ $(status_in "$1" generation) == "$2" ]]; }
served_by_another() { [[ $(status_in "$1" pid) != "$2" ]] && healthy "$1"; }
version_in() { printf 'version %s, generation %s' "$(status_in "$1" version)" "$(status_in "$1" generation)"; }

# wait_until WHAT CONDITION...
wait_until() {
  local what=$1 end=$((SECONDS + limit_s))
  shift
  until "$@"; do
    ((SECONDS < end)) || fail "$what: not within $limit_s s"
    sleep 0.2
  done
}

say() { printf '%s\n' "$@"; }
fail() { say "  $*" && exit 1; }

# Quiet, unless it fails.
logged() { "$@" >"$work/log" 2>&1 || { cat "$work/log" && fail "failed: $*"; }; }

main "$@"
