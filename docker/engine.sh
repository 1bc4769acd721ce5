#!/usr/bin/env bash
# Usage, as root: docker/engine.sh FOLDER COMMAND...
# Runs a command beside a Docker engine of its own, which nobody else can see and of which nothing is left: the engine
# has its own mounts, processes and network, so its bridges, firewall rules and files in /run are not the machine's and
# vanish with it. Through slirp4netns it reaches what the machine reaches. What it stores is in FOLDER, which it empties
# at the beginning and at the end.
#
# Exit code: the command's; 77 if no engine can run here.
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
  exec 8<"$1"
  flock 8  # whoever works in the same folder goes first
  # Whatever happens to us, with the first process of the namespaces all others end.
  BATON_ENGINE_INSIDE=yes exec unshare --mount --net --pid --fork --kill-child --mount-proc "$(readlink -f "$0")" "$@" \
    9</proc/self/ns/net
}

inside() {
  local status=0
  folder=$(readlink -f "$1")
  shift
  rm -rf "${folder:?}"/*
  connect
  start_engine
  BATON_ENGINE_INSIDE="" "$@" 8<&- 9<&- || status=$?
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
  # Its control groups are plain ones with a name of their own: systemd outside knows nothing of our processes.
  dockerd --config-file "$folder/daemon.json" --data-root "$folder/data" --exec-opt native.cgroupdriver=cgroupfs \
    --cgroup-parent /baton-engine >"$folder/dockerd.log" 2>&1 8<&- 9<&- &
  engine=$!
  until docker version >/dev/null 2>&1; do
    kill -0 "$engine" 2>/dev/null || { tail -n 5 "$folder/dockerd.log" && cannot "dockerd ends at once"; }
    sleep 0.1
  done
}

stop_engine() {
  kill "$engine"
  wait "$engine" || true
  umount -R "$folder/data" 2>/dev/null || true
  rm -rf "${folder:?}"/*
  find /sys/fs/cgroup -depth -type d -path '*/baton-engine*' -exec rmdir {} + 2>/dev/null || true
}

main "$@"
