#!/usr/bin/env bash
# Usage, as root: docker/engine.sh FOLDER COMMAND...
# Runs a command with a private Docker engine that leaves nothing behind: the engine has its own mounts, processes and
# network, so its bridges, firewall rules and files in /run are invisible to the machine and vanish with it. It reaches
# outside through slirp4netns, and stores everything in FOLDER, which is emptied at the beginning and at the end.
#
# Exit code: the command's; 77 if no engine can run here; 128 plus the number of a signal, which ends everything at
# once.
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
  flock 8  # wait for another run in the same folder
  trap 'stop 129' HUP
  trap 'stop 130' INT
  trap 'stop 143' TERM
  clear_folder
  # All processes of the namespaces end with the first one, which ends with us. Bash makes background processes, and
  # what they start, ignore INT; undo that.
  BATON_ENGINE_INSIDE=yes env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
    unshare --mount --net --pid --fork --kill-child --mount-proc "$(readlink -f "$0")" "$@" <&0 9</proc/self/ns/net &
  local status=0
  wait $! || status=$?
  clear_folder
  exit "$status"
}

# The first process of the namespaces ends after all others, and `unshare` ends after it.
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

# The engine uses plain control groups, since systemd outside knows nothing of our processes. Their name depends on the
# folder, so that no run removes an empty one that another is about to use.
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

# A tap device whose other end is a process in the machine's network.
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
