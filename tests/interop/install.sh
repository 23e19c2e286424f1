#!/bin/sh
# The other clients and trackers that `make interop` talks to; with `bench`, also those that
# `make bench` alone compares with: rtorrent and mktorrent; with `bench-crates`, also rqbit and
# torrust-tracker, which are built from crates.io into target/rivals: that takes half an hour.
#
# Installs only what is missing, from Debian: aria2, Transmission (daemon and command line tools),
# opentracker, nginx, and libtorrent's Python binding. Where Debian has no binding, the wheel from PyPI
# goes into a virtual environment under target/. Asks nothing, and can be run again at any time.
#
# Some of these packages start a service when they are installed. A policy-rc.d that says "no"
# (exit 101, see invoke-rc.d(8)) stands in the way while this script runs, so nothing ever listens.

set -eu
cd "$(dirname "$0")/../.."

venv=target/interop/venv
rivals=target/rivals
also=${1:-}
policy=/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'install: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo -n -E "$@"; else
        say "root is needed for: $*"
        return 1
    fi
}

# Prints a Python that can import libtorrent; fails if there is none. run.py asks the same three.
binding() {
    for python in /usr/bin/python3 python3 "$venv/bin/python"; do
        if "$python" -c 'import libtorrent' >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    return 1
}

# The Debian packages whose programs are not there yet.
missing() {
    have aria2c || echo aria2
    have transmission-daemon || echo transmission-daemon
    { have transmission-create && have transmission-show; } || echo transmission-cli
    have opentracker || echo opentracker
    { have nginx || [ -x /usr/sbin/nginx ]; } || echo nginx-light
    binding >/dev/null || echo python3-libtorrent
    case $also in bench | bench-crates) ;; *) return 0 ;; esac
    have rtorrent || echo rtorrent
    have mktorrent || echo mktorrent
    [ "$also" = bench-crates ] || return 0
    have pkg-config || echo pkg-config
    pkg-config --exists openssl 2>/dev/null || echo libssl-dev
}

# Builds a program from crates.io, if it is not there yet; others at this machine come first.
build() {
    [ ! -x "$rivals/bin/$1" ] || return 0
    say "building $*"
    nice -n 19 cargo install --locked --root "$rivals" --bin "$@" </dev/null >&2 ||
        say "cannot build $1"
}

forbid_services() {
    [ -e "$policy" ] && return
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    trap 'as_root rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
}

install_packages() {
    say "installing $*"
    as_root apt-get install -y -q --no-install-recommends "$@" </dev/null >&2
}

# Nor may they start with the machine, where nobody asked for a service.
disable_services() {
    for service in "$@"; do
        case $service in transmission-daemon | opentracker) ;; nginx-light) service=nginx ;;
        *) continue ;; esac
        if have systemctl; then as_root systemctl disable "$service"; else
            as_root update-rc.d "$service" disable
        fi </dev/null >&2 || say "cannot disable the service $service"
    done
}

wanted=$(missing)
if [ -n "$wanted" ] && have apt-get; then
    forbid_services
    as_root apt-get update -q </dev/null >&2 || say "apt-get update failed; going on"
    # One package that cannot be had must not keep the others away.
    # shellcheck disable=SC2086
    install_packages $wanted || for package in $wanted; do
        install_packages "$package" || say "cannot install $package"
    done
    # shellcheck disable=SC2086
    disable_services $wanted
fi

if ! binding >/dev/null; then
    say "no libtorrent from Debian; trying PyPI"
    python3 -m venv "$venv" </dev/null >&2 &&
        "$venv/bin/pip" install -q --disable-pip-version-check libtorrent </dev/null >&2 ||
        say "cannot install libtorrent from PyPI"
fi

wanted=$(missing)
if [ -n "$wanted" ]; then
    say "still missing:" $wanted
    exit 1
fi
if [ "$also" = bench-crates ]; then
    # Seen with 9.1.0 and 3.0.0. Without rqbit's web page, for which npm would be needed.
    build rqbit rqbit --no-default-features --features default-tls
    build torrust-tracker torrust-tracker
fi
say "all there; libtorrent through $(binding)"
