# Waiting in scripts. Sourced by scripts that set `limit_s` and have a function `fail`.

# await WHAT CONDITION...
await() {
  local what=$1 end=$((SECONDS + limit_s))
  shift
  until "$@"; do
    ((SECONDS < end)) || fail "$what: not within $limit_s s"
    sleep 0.1
  done
}
