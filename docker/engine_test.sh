#!/usr/bin/env bash
# Usage, as root: docker/engine_test.sh FOLDER
# A signal ends engine.sh and everything in it, and its folder is left empty. Exit code 77: no engine can run here.
set -euo pipefail
engine=$(dirname "$(readlink -f "$0")")/engine.sh
mkdir -p "$1"
alive=$(mktemp -u "$1/alive.XXXXXX")

main() {
  expect_passed_on 5
  expect_end TERM 143
  expect_nothing_left
  expect_end INT 130
  expect_nothing_left
  expect_end KILL 137  # the next run clears away what this one leaves
  expect_passed_on 0
  rm -f "$alive"
}

# expect_passed_on CODE: the exit code of a command that ends by itself.
expect_passed_on() {
  local status=0
  "$engine" "$folder" sh -c "docker version >/dev/null && exit $1" || status=$?
  if ((status == 77)); then exit 77; fi
  ((status == $1)) || fail "the command's exit code is $1, ours is $status"
  expect_nothing_left
}

# expect_end SIGNAL CODE. Every process inside holds the pipe, so EOF means that all have ended.
expect_end() {
  local status=0
  rm -f "$alive" && mkfifo "$alive"
  # Bash makes background processes ignore INT.
  env --default-signal=INT "$engine" "$folder" sh -c 'echo up; setsid sleep infinity & sleep infinity' >"$alive" &
  exec 3<"$alive"
  read -r -t 60 <&3 || fail "the command does not begin"
  kill -s "$1" $!
  if timeout 60 cat <&3; then :; else kill -KILL $! && fail "$1: something still runs"; fi
  wait $! || status=$?
  ((status == $2)) || fail "$1: exit code $status"
}

expect_nothing_left() {
  [[ -z $(ls -A "$folder") ]] || fail "left in the folder: $(ls -A "$folder")"
  flock --nonblock "$folder" true || fail "the folder is still locked"
}

fail() {
  echo "$*"
  exit 1
}

folder=$1/engine
main
