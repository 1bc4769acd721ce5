# shellcheck shell=bash
# For the hidden commands in the pages (`given`, `then`): what a reader of the page has already.

# Waits for a command to succeed, at most as long as a test that hangs.
await() {
  local tries=0
  until "$@" >/dev/null 2>&1; do
    if ((++tries > 2000)); then echo "this never succeeded: $*" && return 1; fi
    sleep 0.05
  done
}

# serve [OPTION...]: Baton as a service has it, with /etc/baton/baton.yaml. Its log is /var/log/baton/events.log.
serve() {
  if [[ ! -e /etc/baton/baton.yaml ]]; then configuration; fi
  "$(command -v baton)" run -c /etc/baton/baton.yaml "$@" >>/var/log/baton/events.log 2>&1 &
  await baton ctl healthcheck
}

# Stops it, and waits for its end.
stop_serving() {
  local pid
  pid=$(cat /run/baton/baton.pid)
  baton ctl stop >/dev/null
  kill "$pid" 2>/dev/null || true      # the second time, so that no client keeps it
  await eval "! kill -0 $pid"
}

# The smallest configuration, and in place of some of it what comes in.
configuration() {
  cat >/etc/baton/baton.yaml <<'END'
version: 1
listeners: [ { name: web, bind: ":8080" } ]
upstreams: [ { name: app, servers: [ { address: "127.0.0.1:9000" } ] } ]
END
  if [[ ! -t 0 ]]; then cat >>/etc/baton/baton.yaml; fi
}

# origin [PORT]: a server to stand behind Baton. /events/1 sends an event each time; /bytes/5 five bytes.
origin() {
  local port=${1:-9000}
  baton-demo origin --http "$port" --echo "$((port + 500))" >/dev/null 2>&1 &
  echo $! >>/tests/origins
  await eval "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# A server that gives each request the answer of a program: answering PORT 'printf "HTTP/1.1 …"'.
answering() {
  python3 "$(dirname "$HELPERS")/answering.py" "$@" &
  await eval "exec 3<>/dev/tcp/127.0.0.1/$1"
}

# A client that receives events without an end; and whether it still does.
stream() {
  rm -f stream
  curl -sfN http://127.0.0.1:8080/events/1 >stream &
  echo $! >client
  await test -s stream
}
stream_goes_on() {
  local before
  before=$(stat -c %s stream)
  await eval "kill -0 $(cat client) && ((\$(stat -c %s stream) > $before))"
}

# logged TEXT: waits for it in Baton's log.
logged() { await grep -qF -- "$1" /var/log/baton/events.log; }

# The block of code that follows, for what is no command: a file for another program.
block() { cat /tests/block; }

# printed TEXT: the block before printed it.
printed() { grep -qF -- "$1" /tests/output || { echo "it did not print: $1"; return 1; }; }

# Ends the servers behind Baton.
stop_origins() {
  local pid
  while read -r pid; do
    kill "$pid"
    await eval "! kill -0 $pid"
  done </tests/origins
}
