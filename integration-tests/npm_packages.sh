#!/usr/bin/env bash
# Usage: npm_packages.sh FOLDER
# Installs what FOLDER/package-lock.json lists into FOLDER/node_modules, and nowhere else on the machine. Exit code 77:
# npm's registry cannot be
# reached, and the packages have not been fetched before.
set -uo pipefail
cd "$1" || exit

# Few retries, so that a registry that never answers is given up before the test's own limit.
said=$(npm ci --no-audit --no-fund --ignore-scripts --prefer-offline --cache "$PWD/cache" \
  --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 --fetch-timeout=40000 2>&1)
status=$?
printf '%s\n' "$said"
# A lock file that is wrong, or a package that is another one than it says, is a failure.
out_of_reach='code (E[45][0-9]{2}|ECONN[A-Z]+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_TIMEOUT|E(HOST|NET)UNREACH|ENOTCACHED)$'
if ((status != 0)) && grep -qE "$out_of_reach" <<<"$said"; then
  echo "SKIPPED: npm's registry cannot be reached"
  exit 77
fi
exit "$status"
