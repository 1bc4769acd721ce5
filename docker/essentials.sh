#!/bin/sh
# Usage: essentials.sh FOLDER
# Copies Baton and what it needs of this Debian to FOLDER, which becomes an image without shell and package manager.
set -eu
folder=$1
baton=/usr/bin/baton

# keep FILE...: under the same path, in folders of the same kind. What is a link here becomes a file.
keep() { cp --parents --dereference --preserve=mode "$@" "$folder"; }

# entries FILE: those of root and Baton's user.
entries() { grep -E '^(root|baton):' "$1" >"$folder$1"; }

mkdir -p "$folder/usr/lib" "$folder/usr/lib64" "$folder/etc" "$folder/usr/lib/ssl"
for link in /lib /lib64; do
  if [ -L "$link" ]; then cp --no-dereference "$link" "$folder/"; fi
done

libraries=$(ldd "$baton")
case $libraries in *"not found"*) echo "$libraries" && exit 1 ;; esac
libraries=$(echo "$libraries" | grep -o '/[^ ]*')
# shellcheck disable=SC2086  # one word for each
keep "$baton" $libraries

entries /etc/passwd
entries /etc/group
keep /etc/baton/baton.yaml /etc/nsswitch.conf /etc/os-release /etc/ssl/openssl.cnf /etc/ssl/certs/ca-certificates.crt
# Where OpenSSL looks for its settings and for the CAs of servers.
ln -s /etc/ssl/openssl.cnf "$folder/usr/lib/ssl/openssl.cnf"
ln -s /etc/ssl/certs/ca-certificates.crt "$folder/usr/lib/ssl/cert.pem"

install -d -m 1777 "$folder/tmp"
install -d -m 755 "$folder/run"
install -d -o baton -g baton -m 700 "$folder/run/baton"

# The packages' licences, and their versions where scanners look for them.
packages=$(for library in $libraries; do
  dpkg-query --search "*/$(basename "$(dirname "$library")")/$(basename "$library")"
done | cut -d: -f1 | sort -u)
mkdir -p "$folder/var/lib/dpkg/status.d"
for package in $packages ca-certificates; do
  dpkg-query --status "$package" >"$folder/var/lib/dpkg/status.d/$package"
  keep "/usr/share/doc/$package/copyright"
done
