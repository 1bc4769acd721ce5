# Completion of baton(8) for bash. A test compares it with what `baton --help` lists.

_baton() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local command="" control="" i
  COMPREPLY=()

  # The words before this one that are neither options nor their values.
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -c | --config | --admin | --binary) ((++i)) ;;
      -*) ;;
      *)
        if [[ -z $command ]]; then
          command=${COMP_WORDS[i]}
        elif [[ $command == ctl && -z $control ]]; then
          control=${COMP_WORDS[i]}
        fi
        ;;
    esac
  done

  case $previous in
    -c | --config | --pid-file | --binary) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --log-level) _baton_words "debug info warn error"; return ;;
    --log-format) _baton_words "text json"; return ;;
    --method) _baton_words "GET HEAD POST PUT DELETE OPTIONS PATCH"; return ;;
    --explain | --header | --client | --admin | --canary | --bake | --max | --upgrades | --clients | --rate | --between | --for) return ;;
  esac

  case $command in
    "") _baton_words "run check demo ctl version --help --version" ;;
    run) _baton_words "-c --config --pid-file --takeover --log-level --log-format --supervise --help" ;;
    check) _baton_words "-c --config --print --strict --explain --method --header --client --json --help" ;;
    demo) _baton_words "--upgrades --clients --rate --between --page --for --binary --no-nginx --plain --help" ;;
    version) _baton_words "--help" ;;
    ctl)
      local options="--json --admin -c --config --help"
      case $control in
        "")
          _baton_words "status upgrade reload apply config promote rollback drain maintenance stop reopen-logs routes servers \
            server top healthcheck $options"
          ;;
        upgrade) _baton_words "--binary --from-file --canary --bake --max $options" ;;
        reload) _baton_words "--canary --bake --max $options" ;;
        apply)
          if [[ $word == -* ]]; then
            _baton_words "--dry-run $options"
          else
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
          fi
          ;;
        drain) _baton_words "--undo $options" ;;
        top) _baton_words "--once $options" ;;
        maintenance) _baton_words "on off $options" ;;
        server)
          if [[ $previous == server && $word != -* ]]; then return; fi
          _baton_words "up drain down weight $options"
          ;;
        *) _baton_words "$options" ;;
      esac
      ;;
  esac
}

# The words that begin with what is typed; options only when a dash is.
_baton_words() {
  local words=() one
  for one in $1; do
    if [[ $one != -* || $word == -* ]]; then words+=("$one"); fi
  done
  mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$word")
}

complete -F _baton baton
