#!/bin/sh
# Install the Debian tools that the deep checks use, where that is possible.
#
#     sh scripts/deep/install-tools.sh
#
# Can be run again at any time: what is there already is not touched. Ends with 0 when every tool is there, and with 3
# when one is missing and could not be installed; the checks that need it are then skipped, with this reason.
set -u

# A command, and the Debian package that has it.
TOOLS="strace:strace mount:mount umount:mount"

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
# shellcheck disable=SC2086
apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 ||
  { apt-get update >/dev/null && apt-get install -y --no-install-recommends $missing >/dev/null; } ||
  cannot "apt-get failed, see above"
echo "Installed:$missing"
