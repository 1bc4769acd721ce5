# shellcheck shell=bash
# Numbered steps, each with a log: shows a progress line while a step runs, and the end of its log if it fails. Sourced;
# the caller has set `root`, and sets steps_total.

: "${root:?}"

steps_total=0
step_number=0
step_log=""       # the log of the last step
step_watcher=""

trap 'stop_watching; exit 130' INT
trap 'stop_watching; exit 143' TERM HUP

# step TITLE COMMAND...: runs the command; ends the script if it fails.
step() {
  local title=$1 started=$SECONDS status=0
  shift
  step_number=$((step_number + 1))
  local heading="[$step_number/$steps_total] $title"
  step_log=$root/build/logs/${0##*/}-$(printf %02d "$step_number")-$(tr -cs 'a-zA-Z0-9\n' - <<<"${title,,}").log
  if ! { mkdir -p "$root/build/logs" && : >"$step_log"; } 2>/dev/null; then
    fail "Cannot write to $root/build. If an earlier run as root created it: sudo rm -r $root/build"
  fi

  if [[ ! -t 1 ]]; then echo "$heading"; fi
  watch_log "$heading" "$started" &
  step_watcher=$!
  "$@" >"$step_log" 2>&1 </dev/null || status=$?
  stop_watching

  if ((status != 0)); then
    printf '%s  %s  FAILED (exit %d)\n\n' "$heading" "$(elapsed_since "$started")" "$status"
    # Leaves out what passed, so that the tail shows what did not.
    grep -vE '^\[[0-9]+/[0-9]+\] |^ *Start +[0-9]+: | Passed +[0-9.]+ sec$' "$step_log" | tail -n 150
    fail "" "This step failed: $title" "The whole log: $step_log"
  fi
  printf '%s  %s  ok\n' "$heading" "$(elapsed_since "$started")"
}

# A step with nothing to do.
step_skipped() {
  step_number=$((step_number + 1))
  printf '[%d/%d] %s  %s\n' "$step_number" "$steps_total" "$1" "$2"
}

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

elapsed_since() {
  local seconds=$((SECONDS - $1))
  printf '%d:%02d' $((seconds / 60)) $((seconds % 60))
}

# On a terminal, a line that is rewritten each second; elsewhere a line every 15 s, to show that it is alive.
watch_log() {
  local heading=$1 started=$2 last="" width=0 tick=0
  trap - INT TERM HUP
  if [[ -t 1 ]]; then width=$(tput cols 2>/dev/null || echo 80); fi
  while kill -0 $$ 2>/dev/null; do
    last=$(tail -n 1 "$step_log" | tr -d '\r')
    if ((width)); then
      last="$heading  $(elapsed_since "$started")  ${last//$'\t'/ }"
      printf '\r\e[K%s' "${last:0:width - 1}"
    elif ((tick > 0 && tick % 15 == 0)); then
      printf '      %s  %s\n' "$(elapsed_since "$started")" "${last:0:150}"
    fi
    tick=$((tick + 1))
    sleep 1 >/dev/null 2>&1
  done
}

stop_watching() {
  if [[ -z $step_watcher ]]; then return; fi
  kill "$step_watcher" 2>/dev/null
  wait "$step_watcher" 2>/dev/null
  step_watcher=""
  if [[ -t 1 ]]; then printf '\r\e[K'; fi
}
