#!/usr/bin/env bash
# Usage: docker/demo.sh
# Upgrades Baton from container to container and back, and once more within a single container, while clients of every
# kind hold their connections through the published ports and compare every byte. Needs Docker with Compose, python3,
# and the ports 8080, 8443 and 9000. The origin and the clients are parts of `baton-demo`, which is in the image.
#
# BATON_BLUE and BATON_GREEN name the two images; missing ones are built (compiling takes minutes). BATON_HOSTS lists
# addresses of this machine for the clients to connect to: Docker relays loopback in a separate process and has the
# kernel translate all others.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
. ./await.sh
export BATON_BLUE=${BATON_BLUE:-baton:blue} BATON_GREEN=${BATON_GREEN:-baton:green}
export BATON_PEERS=${BATON_PEERS:-baton:peers}
export COMPOSE_PROJECT_NAME=baton-demo
read -ra hosts <<<"${BATON_HOSTS:-127.0.0.1}"
limit_s=90  # for each wait
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
  play "Two containers in a network held by a third" from_container_to_container
  play "One container with Baton as PID 1" within_one_container
  printf '\nPASSED in %d s: no client noticed anything.\n' $((SECONDS - started))
}

finish() {
  local status=$?
  trap - EXIT
  if ((status != 0)); then
    printf '\nFAILED. The last log lines of the containers:\n'
    compose logs --no-color --tail 40 2>/dev/null || true
  fi
  if [[ -n $clients ]]; then kill "$clients" 2>/dev/null || true; fi
  compose --profile blue --profile green --profile single down --volumes --timeout 2 >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}

# The proxies run as another user, which might not be allowed to read the files of this checkout.
provide_configuration() {
  export BATON_DEMO_CONFIG=$work/configuration
  cp -R demo/baton "$BATON_DEMO_CONFIG"
  chmod -R a+rX "$BATON_DEMO_CONFIG"
}

build_images() {
  say "Images"
  have_image "$BATON_BLUE" || build "$BATON_BLUE"
  # The same program will do as a successor; a second image shows which one runs.
  have_image "$BATON_GREEN" || build "$BATON_GREEN" --label colour=green
  # The first one has the origin and the clients, too.
  docker tag "$BATON_BLUE" "$BATON_PEERS"
}

have_image() { docker image inspect "$1" >/dev/null 2>&1; }

build() {
  say "  building $1"
  logged env DOCKER_BUILDKIT=1 docker build -t "$@" ..
}

# play TITLE SCENE: runs the scene on a clean stage.
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
  await "the successor serves" serves "$container" 2
  expect_process "$container" "$pid"
  say "  USR2: $(version_in "$container") now serves in the same container, under the same PID 1"
  ask_clients
  end_clients

  worker=$(status_in "$container" pid)
  docker exec -u 0 "$container" sh -c "kill -KILL $worker"
  await "another worker serves" served_by_another "$container" "$worker"
  expect_process "$container" "$pid"
  say "  the worker was killed: the container continues with a new one"
  start_clients
  end_clients
}

begin_with() {
  logged compose up -d "$1"
  await "$1 is healthy" healthy "$(container_of "$1")"
  docker cp "$(container_of certificate):/etc/baton-tls/site.pem" "$work/ca.pem" >/dev/null
  chmod a+r "$work/ca.pem"  # the clients run as another user
  say "  $1 serves: $(version_in "$(container_of "$1")")"
}

# succeed_in_another_container OLD NEW: NEW takes over from OLD, which exits by itself and is then removed.
succeed_in_another_container() {
  local old new code generation begun
  old=$(container_of "$1")
  generation=$(status_in "$old" generation)
  logged compose up -d "$2"
  new=$(container_of "$2")
  code=$(timeout "$limit_s" docker wait "$old") || fail "$1 did not end"
  [[ $code == 0 ]] || fail "$1 ended with $code"
  await "$2 serves" serves "$new" $((generation + 1))
  say "  $2 has taken over: $(version_in "$new"); $1 ended with 0"
  ask_clients
  begun=$(begin_of "$old")
  logged compose up -d
  [[ $(begin_of "$old") == "$begun" ]] || fail "\`up -d\` without a name started $1"
  docker rm -v "$old" >/dev/null || fail "$1 was started again"
  say "  $1 is removed"
  ask_clients
}

# put_binary_of IMAGE CONTAINER: puts the image's binary in place, by a rename.
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
    fail "the container was restarted, or PID 1 has changed"
}

# The clients: a coprocess that answers each line with a line, once every client has received something more.

start_clients() {
  coproc CLIENTS {
    exec docker run --rm --interactive --network host --volume "$work/ca.pem:/ca.pem:ro" \
      --entrypoint /usr/libexec/baton/baton-demo "$BATON_PEERS" clients "${hosts[@]}" --ca /ca.pem
  }
  clients=$CLIENTS_PID
  exec {answers}<&"${CLIENTS[0]}" {questions}>&"${CLIENTS[1]}"
  # Bash's own descriptors of the coprocess would keep its input open.
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

# Asking about containers.

compose() { "${compose[@]}" -f compose.yaml "$@"; }
container_of() { compose ps -aq "$1" 2>/dev/null; }
begin_of() { docker inspect -f '{{.State.StartedAt}}' "$1"; }
healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; }

# status_in CONTAINER KEY: a value from the status of the instance that this container reaches.
status_in() {
  docker exec "$1" baton ctl status --json 2>/dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2" 2>/dev/null
}
serves() { [[ $(status_in "$1" generation) == "$2" ]]; }
served_by_another() { [[ $(status_in "$1" pid) != "$2" ]] && healthy "$1"; }
version_in() { printf 'version %s, generation %s' "$(status_in "$1" version)" "$(status_in "$1" generation)"; }

say() { printf '%s\n' "$@"; }
fail() { say "  $*" && exit 1; }

# Silent unless the command fails.
logged() { "$@" >"$work/log" 2>&1 || { cat "$work/log" && fail "failed: $*"; }; }

main "$@"
