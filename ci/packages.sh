# Debian's packages, for setup.sh and setup-tools.sh, which source this file: installed by apt-get when run as root on
# Debian or Ubuntu; otherwise the command to run is printed.

can_install() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; }

lists_are_new=
update_lists() {
  [ -n "$lists_are_new" ] || apt-get -qq update || true  # the lists that are there may do
  lists_are_new=yes
}

install_packages() {
  echo "installing with apt-get: $*"
  update_lists
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
}

# need PACKAGE...: what nothing works without.
need() {
  [ $# -gt 0 ] || return 0
  if can_install; then
    install_packages "$@"
  else
    echo "missing: $*. On Debian or Ubuntu run" >&2
    echo "  sudo apt-get update && sudo apt-get install -y $*" >&2
    exit 1
  fi
}

# want WITHOUT PACKAGE...: what can be done without; WITHOUT says what is missed then.
want() {
  local without=$1
  shift
  [ $# -gt 0 ] || return 0
  if can_install; then
    install_packages "$@" || echo "without $*, $without" >&2
  else
    echo "without $*, $without; to change that on Debian or Ubuntu, run" >&2
    echo "  sudo apt-get update && sudo apt-get install -y $*" >&2
  fi
}
