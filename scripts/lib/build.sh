# shellcheck shell=bash
# Configures and builds a preset, and prepares what a build needs. Sourced after steps.sh.

: "${root:?}"

# `sudo scripts/demo` in a user's checkout would leave a build folder that the user cannot write to. Continues as that
# user instead; installing packages uses sudo itself.
run_as_owner() {
  if ((EUID == 0)) && [[ ${SUDO_UID:-0} != 0 && $(stat -c %u "$root") == "$SUDO_UID" ]]; then
    exec sudo -H -u "#$SUDO_UID" -- "$0" "$@"
  fi
}

# ccache uses its default folder, or the build folder if the home cannot be written to.
prepare_environment() {
  if [[ -z ${HOME:-} ]]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    export HOME=${HOME:-/tmp}
  fi
  if [[ ! -w $HOME && -z ${CCACHE_DIR:-} ]]; then export CCACHE_DIR=$root/build/ccache; fi
  cd "$root" || exit
}

# One job per available core and per 1.5 GiB of memory, within a container's limits.
job_count() {
  local jobs memory_kib limit quota period
  jobs=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  if read -r limit 2>/dev/null </sys/fs/cgroup/memory.max && [[ $limit != max ]]; then
    if ((limit / 1024 < memory_kib)); then memory_kib=$((limit / 1024)); fi
  fi
  if read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [[ $quota != max ]]; then
    if (((quota + period - 1) / period < jobs)); then jobs=$(((quota + period - 1) / period)); fi
  fi
  if ((memory_kib / 1572864 < jobs)); then jobs=$((memory_kib / 1572864)); fi
  echo $((jobs > 0 ? jobs : 1))
}

# configure PRESET [-DNAME=VALUE...]. Warnings are errors only with BATON_WERROR=ON (CI sets it), since an unknown
# compiler may warn where ours do not, which must not break a user's build.
configure() {
  local preset=$1 cache=$root/build/$1/CMakeCache.txt options=()
  shift
  if [[ ! -e $cache ]]; then
    options+=("-DBATON_WERROR=${BATON_WERROR:-OFF}")
  elif [[ -n ${BATON_WERROR:-} ]]; then
    options+=("-DBATON_WERROR=$BATON_WERROR")
  fi
  # The checkout may have been moved or mounted elsewhere.
  if [[ -e $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then options+=(--fresh); fi
  step "Configure $preset" env CXX=g++ cmake --preset "$preset" "${options[@]}" "$@"
}

# build PRESET [TARGET...]
build() {
  local preset=$1 targets=()
  shift
  if (($#)); then targets=(--target "$@"); fi
  step "Build $preset" cmake --build --preset "$preset" -j "$(job_count)" "${targets[@]}"
}
