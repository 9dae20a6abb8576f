#!/bin/sh
# Install the Debian tools that the deep checks use, where that is possible.
#
#     sh scripts/deep/install-tools.sh
#
# Can be run again at any time: what is there already is not touched. Ends with 0 when every tool is there, and with 3
# when one is missing and could not be installed; the checks that need it are then skipped, with this reason.
set -u

# A command, and the Debian package that has it. An absolute path is one that is in nobody's PATH.
TOOLS="strace:strace mount:mount umount:mount faketime:faketime
  /usr/lib/postgresql/15/bin/postgres:postgresql-15 /usr/sbin/pgbouncer:pgbouncer"

missing=""
for tool in $TOOLS; do
  command -v "${tool%%:*}" >/dev/null 2>&1 || missing="$missing ${tool##*:}"
done
if [ -z "$missing" ]; then
  echo "All tools of the deep checks are installed."
  exit 0
fi

cannot() {
  echo "Missing:$missing. Not installed: $1." >&2
  exit 3
}

command -v apt-get >/dev/null 2>&1 || cannot "there is no apt-get here; install them with the system's own means"
[ "$(id -u)" -eq 0 ] || cannot "only root can install packages; run: sudo sh scripts/deep/install-tools.sh"

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive

# Of PostgreSQL only the programs are wanted; its package would make a cluster and run it.
no_cluster=/etc/postgresql-common/createcluster.d/stepwell.conf
mkdir -p "${no_cluster%/*}"
echo "create_main_cluster = false" >"$no_cluster"
trap 'rm -f "$no_cluster"; rmdir -p "${no_cluster%/*}" 2>/dev/null' EXIT

apt-get update >/dev/null || cannot "apt-get update failed, see above"
wanted=$missing
missing=""
for package in $wanted; do
  apt-get install -y --no-install-recommends "$package" >/dev/null || missing="$missing $package"
done

# The pooler's package runs it, where there is systemd.
case "$wanted" in *pgbouncer*)
  if command -v systemctl >/dev/null 2>&1; then systemctl disable --now pgbouncer >/dev/null 2>&1; fi
  ;;
esac
[ -z "$missing" ] || cannot "apt-get failed, see above"
echo "Installed:$wanted"
