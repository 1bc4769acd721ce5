#!/usr/bin/env bash
# Usage: docker/kubernetes/play.sh
# Does with Docker what Kubernetes does with the manifests here: rollouts that succeed and fail, restarts, crashes, the
# ways back. Scripts, configuration and probes are taken from the manifests. Needs images of two programs of different
# versions, baton:blue and baton:green, and python3 with yaml.
#
# This script is the kubelet: only it restarts containers that have ended. Their /tmp is a volume, which outlives them
# as an emptyDir does. A service that was interrupted starts over with generation 1, so the generation shows
# interruptions.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
. ../await.sh
umask 022   # the containers' user reads what is mounted
limit_s=60  # for each wait
work=$(mktemp -d)
started=$SECONDS
names=()

main() {
  trap finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  play daemonset.yaml "Two Pods on a node" pod_to_pod
  play statefulset.yaml "Two containers in a Pod" container_to_container
  printf '\nPASSED in %d s: the right process served every time.\n' $((SECONDS - started))
}

finish() {
  local status=$? name
  trap - EXIT
  if ((status != 0)); then
    for name in "${names[@]}"; do docker logs --tail 20 "baton-play-$name" 2>&1 | sed "s/^/$name: /"; done
  fi
  clear_stage
  rm -rf "$work"
  exit "$status"
}

pod_to_pod() {
  create old baton:blue
  await "the old Pod is ready" is_ready old
  expect_service 1 baton:blue "The first Pod serves."
  expect_scrapes

  create new baton:green sleep infinity
  if probe new startup; then fail "a container counts as started before it has taken over"; fi
  spoil_configuration 'listenerz: []'
  create new baton:green
  expect_failure new
  restart new
  expect_failure new
  expect_service 1 baton:blue "A new Pod that cannot take over fails, and fails again; the old one still serves."
  spoil_configuration '}'
  if ! is_ready old || ! probe old liveness; then fail "an unreadable configuration fails the probes of the serving Pod"; fi

  mend_configuration
  restart new
  await "the new Pod is ready" is_ready new
  expect_end old
  expect_service 2 baton:green "The new Pod takes over."
  for _ in 1 2; do
    restart old
    await "the old Pod idles" idles old
    if ! probe old startup || ! probe old liveness; then fail "the idling Pod counts as dead"; fi
    if probe old readiness; then fail "the idling Pod counts as ready"; fi
    stop old
  done
  expect_service 2 baton:green "The old one idles, even after another restart."

  crash new
  restart new
  await "the new Pod is ready" is_ready new
  expect_service 1 baton:green "The new one crashes, comes back, and serves."

  crash new
  restart old
  await "the old Pod is ready" is_ready old
  restart new
  await "the new Pod idles" idles new
  expect_service 1 baton:blue "Both crash; the old one comes back first, and serves."
  stop old
  if probe new liveness; then fail "no Pod serves, and the idling one is not restarted"; fi
  stop new
  restart new
  await "the new Pod is ready" is_ready new
  expect_service 1 baton:green "The old one is deleted; the new one gets no answer, is restarted and serves."
}

container_to_container() {
  create blue baton:blue
  await "blue is ready" is_ready blue
  create green baton:blue
  expect_succession blue green
  expect_service 2 baton:blue "Of two that start, the second serves, and the first idles."
  expect_scrapes

  create blue baton:green
  expect_succession green blue
  expect_service 3 baton:green "The idling container gets another image and takes over."

  wake green
  expect_succession blue green
  expect_service 4 baton:blue "Back again: USR2 to the idling container."

  wake blue
  expect_succession green blue
  docker exec baton-play-blue baton ctl rollback >"$work/log" || fail "$(<"$work/log")"
  expect_service 6 baton:blue "Forward again, then back within the same container: baton ctl rollback."
  is_ready blue || fail "the container that was rolled back is not ready"
  wake green
  expect_succession blue green

  spoil_configuration 'listenerz: []'
  create blue baton:blue
  expect_failure blue
  restart blue
  expect_failure blue
  is_ready green || fail "the serving container is not ready"
  expect_service 7 baton:blue "A failed upgrade is visible; the other container still serves."
  mend_configuration
  restart blue
  expect_succession green blue
  expect_service 8 baton:blue "The configuration is fixed, and the upgrade succeeds."

  crash blue
  stop green
  restart green
  await "green is ready" is_ready green
  restart blue
  await "blue idles" idles blue
  expect_service 1 baton:blue "The serving one crashes for good; the idling one gets no answer, is restarted and serves."
}

# play MANIFEST TITLE SCENE
play() {
  printf '\n%s\n' "$2"
  clear_stage
  # The containers' user reads it.
  mkdir -m 755 "$work/$1"
  configuration=$work/$1
  python3 - "$1" "$configuration" <<'PYTHON'
import pathlib, sys, yaml
manifests = {each["kind"]: each for each in yaml.safe_load_all(open(sys.argv[1]))}
folder = pathlib.Path(sys.argv[2])
for name, text in manifests["ConfigMap"]["data"].items():
    (folder / name).write_text(text.replace("app.default.svc.cluster.local", "127.0.0.1"))
workload = manifests.get("DaemonSet") or manifests["StatefulSet"]
containers = workload["spec"]["template"]["spec"]["containers"]
for part in ("command", "startupProbe", "readinessProbe", "livenessProbe"):
    values = [each[part] if part == "command" else each[part]["exec"]["command"] for each in containers]
    assert all(value == values[0] for value in values), part
    (folder / part).write_text("\n".join(values[0]) + "\n")
annotations = workload["spec"]["template"]["metadata"]["annotations"]
for part in ("port", "path"):
    (folder / part).write_text(annotations[f"prometheus.io/{part}"] + "\n")
PYTHON
  cp "$configuration/baton.yaml" "$work/baton.yaml"
  docker run -d --name baton-play-network --network none --entrypoint sleep baton:blue infinity >/dev/null
  "$3"
}

clear_stage() {
  docker rm -f -v baton-play-network "${names[@]/#/baton-play-}" >/dev/null 2>&1 || true
  docker volume rm baton-play-run "${names[@]/#/baton-play-tmp-}" >/dev/null 2>&1 || true
  names=()
}

spoil_configuration() { echo "$1" >>"$configuration/baton.yaml"; }
mend_configuration() { cat "$work/baton.yaml" >"$configuration/baton.yaml"; }

# create NAME IMAGE [COMMAND...]: starts a container in place of the one with this name, whose /tmp it keeps. The
# default command is the manifest's.
create() {
  local command=("${@:3}")
  docker rm -f "baton-play-$1" >/dev/null 2>&1 || true
  names+=("$1")
  if ((${#command[@]} == 0)); then mapfile -t command <"$configuration/command"; fi
  docker run -d --name "baton-play-$1" --network container:baton-play-network --read-only --cap-drop ALL \
    -v "$configuration:/etc/baton:ro" -v baton-play-run:/run/baton -v "baton-play-tmp-$1:/tmp" \
    --entrypoint "${command[0]}" "$2" "${command[@]:1}" >/dev/null
}

restart() { docker start "baton-play-$1" >/dev/null; }
wake() { docker exec "baton-play-$1" sh -c 'kill -USR2 1'; }
# When its parent dies, a worker may still stop gracefully and remove its PID file. Put it back: this plays a crash of
# both.
crash() {
  docker kill "baton-play-$1" >/dev/null
  end_of "$1" >/dev/null
  docker run --rm --network none -v "baton-play-tmp-$1:/tmp" --entrypoint touch baton:blue /tmp/baton.pid
}
stop() { docker stop -t "$limit_s" "baton-play-$1" >/dev/null && expect_end "$1"; }
end_of() { timeout "$limit_s" docker wait "baton-play-$1" || fail "$1 does not end"; }

# probe NAME startup|readiness|liveness
probe() {
  local command
  mapfile -t command <"$configuration/$2Probe"
  docker exec "baton-play-$1" "${command[@]}" >/dev/null 2>&1
}
is_ready() { probe "$1" startup && probe "$1" readiness; }
idles() { docker exec "baton-play-$1" sh -c 'grep -qx sh /proc/1/comm && grep -qx sleep /proc/[0-9]*/comm' 2>/dev/null; }

expect_end() {
  local code
  code=$(end_of "$1")
  [[ $code == 0 ]] || fail "$1 ended with $code"
}

# It could not start and left nothing that says it had.
expect_failure() {
  local code
  code=$(end_of "$1")
  [[ $code == 1 ]] || fail "$1 ended with $code"
  if docker cp "baton-play-$1:/tmp/baton.pid" - >/dev/null 2>&1; then fail "$1 left a PID file"; fi
}

# expect_succession OLD NEW
expect_succession() {
  expect_end "$1"
  await "$2 is ready" is_ready "$2"
  restart "$1"
  await "$1 idles" idles "$1"
  is_ready "$1" || fail "the idling container makes its Pod unready"
}

# expect_service GENERATION IMAGE WHAT: the program of that image serves, in this generation.
expect_service() {
  local wanted got name
  wanted=$(docker run --rm "$2" --version)
  wanted="generation $1, ${wanted%%$'\n'*}"
  for name in "${names[@]}"; do  # any running one can ask
    if got=$(docker exec "baton-play-$name" baton ctl status --json 2>/dev/null); then break; fi
  done
  got=$(python3 -c 'import json, sys; print("generation {generation}, baton {version}".format(**json.loads(sys.argv[1])))' "$got")
  [[ $got == "$wanted" ]] || fail "$3 Not so: $got instead of $wanted"
  echo "  $3 ($got)"
}

# The metrics are where the annotations say, and no command is taken there.
expect_scrapes() {
  [[ $(ask GET "$(<"$configuration/path")") == *$'\n'"baton_ready 1"* ]] || fail "there are no metrics to scrape"
  [[ $(ask POST /stop) == "HTTP/1.1 403 "* ]] || fail "a command is taken where metrics are scraped"
  echo "  Its metrics are where the annotations say."
}
# ask METHOD PATH: to the annotated port, from another container.
ask() {
  # shellcheck disable=SC2016  # the inner shell expands
  docker run --rm --network container:baton-play-network --entrypoint bash baton:blue -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" &&
    printf "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$2" "$3" >&3 && cat <&3' \
    bash "$(<"$configuration/port")" "$@"
}

fail() {
  echo "  $*" >&2
  exit 1
}

main "$@"
