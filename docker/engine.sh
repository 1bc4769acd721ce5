#!/usr/bin/env bash
# Usage, as root: docker/engine.sh FOLDER COMMAND...
# Runs a command beside a Docker engine of its own, which nobody else can see and of which nothing is left: the engine
# has its own mounts, processes and network, so its bridges, firewall rules and files in /run are not the machine's and
# vanish with it. Through slirp4netns it reaches what the machine reaches. What it stores is in FOLDER, which it empties
# at the beginning and at the end.
#
# Exit code: the command's; 77 if no engine can run here. A signal to stop ends everything at once; then 128 and its number.
set -euo pipefail
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin  # the client that came with the engine comes first

cannot() {
  echo "SKIPPED: no Docker engine can run here: $*"
  exit 77
}

main() {
  if [[ ${BATON_ENGINE_INSIDE:-} == yes ]]; then inside "$@"; fi
  local program
  ((EUID == 0)) || cannot "it needs root"
  for program in dockerd docker containerd runc iptables slirp4netns unshare nsenter; do
    command -v "$program" >/dev/null || cannot "there is no $program"
  done
  unshare --mount --net --pid --fork true 2>/dev/null || cannot "unshare is not permitted"
  mkdir -p "$1"
  be_in "$1"
  exec 8<"$folder"
  flock 8  # whoever works in the same folder goes first
  trap 'stop 129' HUP
  trap 'stop 130' INT
  trap 'stop 143' TERM
  clear_folder
  # Whatever happens to us, with the first process of the namespaces all others end. A background process of ours would
  # not hear INT, nor would what it starts.
  BATON_ENGINE_INSIDE=yes env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
    unshare --mount --net --pid --fork --kill-child --mount-proc "$(readlink -f "$0")" "$@" <&0 9</proc/self/ns/net &
  local status=0
  wait $! || status=$?
  clear_folder
  exit "$status"
}

# The first process of the namespaces is gone when all others are, and `unshare` when that one is.
# shellcheck disable=SC2317  # the traps call it
stop() {
  trap '' HUP INT TERM
  if [[ -n ${!-} ]]; then
    pkill -KILL --parent $! || kill -KILL $! || true
    wait $! || true
  fi 2>/dev/null
  clear_folder
  exit "$1"
}

# Its control groups are plain ones with a name of their own: systemd outside knows nothing of our processes. Another
# folder's engine has another name, so nobody removes an empty one that somebody else is about to use.
be_in() {
  folder=$(readlink -f "$1")
  cgroup=baton-engine-$(stat -c %d-%i "$folder")
}

clear_folder() {
  rm -rf "${folder:?}"/*
  find /sys/fs/cgroup -depth -type d \( -path "*/$cgroup" -o -path "*/$cgroup/*" \) -exec rmdir {} + 2>/dev/null || true
}

inside() {
  local status=0
  be_in "$1"
  shift
  connect
  start_engine
  mkdir "$folder/tmp"
  TMPDIR=$folder/tmp BATON_ENGINE_INSIDE="" "$@" 8<&- 9<&- || status=$?
  stop_engine
  exit "$status"
}

# A tap device, whose other end is a process with the machine's own network.
connect() {
  local resolver
  resolver=$(readlink -f /etc/resolv.conf)
  mount -t tmpfs tmpfs /run
  mkdir -p "$(dirname "$resolver")" && touch "$resolver"
  echo "nameserver 10.0.2.3" >"$folder/resolv.conf"
  mount --bind "$folder/resolv.conf" "$resolver"
  ip link set lo up
  mkfifo "$folder/ready"
  exec 7<>"$folder/ready"
  nsenter --net=/proc/self/fd/9 slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=7 \
    --netns-type=path "/proc/$$/ns/net" tap0 >"$folder/slirp4netns.log" 2>&1 &
  read -r -n 1 -t 20 <&7 || { cat "$folder/slirp4netns.log" && cannot "slirp4netns does not work"; }
  exec 7<&-
}

start_engine() {
  mount -t tmpfs tmpfs /etc/docker 2>/dev/null || true  # the engine writes a key there
  echo '{}' >"$folder/daemon.json"
  dockerd --config-file "$folder/daemon.json" --data-root "$folder/data" --exec-opt native.cgroupdriver=cgroupfs \
    --cgroup-parent "/$cgroup" >"$folder/dockerd.log" 2>&1 8<&- 9<&- &
  engine=$!
  until docker version >/dev/null 2>&1; do
    kill -0 "$engine" 2>/dev/null || { tail -n 5 "$folder/dockerd.log" && cannot "dockerd ends at once"; }
    sleep 0.1
  done
}

stop_engine() {
  kill "$engine"
  wait "$engine" || true
}

main "$@"
