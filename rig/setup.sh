#!/usr/bin/env bash
# Makes this checkout ready to run: rig/setup.sh demo|test|bench
#
# Installs what is missing of the system's packages (Debian, Amazon Linux 2023), then .venv and, for tests,
# .venv-ministack, from the lock files. Does nothing, quickly, where nothing has changed. Never starts a
# mail server, and never removes one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly DEBIAN_PACKAGES=(sendmail-bin sendmail-cf m4 libmilter-dev gcc libc6-dev ca-certificates)
readonly DEBIAN_PYTHON=(python3-venv python3-dev)
readonly AMAZON_PACKAGES=(sendmail sendmail-cf m4 sendmail-milter-devel gcc)
readonly AMAZON_PYTHON=(python3.11 python3.11-devel)
readonly BROWSER=chromium # the tests look at notices and pages in it
readonly BROWSER_DRIVER=chromium-driver # Amazon Linux has it in the package of the browser
readonly FORMAIL=procmail # which holds formail, to which the benchmark of mboxes compares
readonly PEER=mimedefang # to which the benchmark of peers compares; only Debian has it
readonly PEER_NEEDS=libnet-dns-perl # mimedefang.pl does not start without it, though its package does not say so
readonly UNIT_CHECKER=systemd # has systemd-analyze, which checks the units; nothing of it is started
readonly PARSERS=(notmuch mblaze mpack ripmime) # read what we send, for docs/interoperability.md; no servers
readonly PAGE_READER=groff-base # the tests have it read the man pages
readonly MILTERTEST=miltertest # plays the MTA on a milter's socket
readonly POLICY=/usr/sbin/policy-rc.d
policy_is_ours=false

say() { printf '%s\n' "$*" >&2; }
die() { say "rig/setup.sh: $*" && exit 1; }
as_root() { if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi; }
may_be_root() { ((EUID == 0)) || sudo -n true 2>/dev/null; }

# Run a command whose output is of interest only if it fails.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if ((status)); then cat "$log" >&2; fi
    rm -f "$log"
    ((status == 0)) || die "this failed with status $status: $*"
}

# --- the system's packages ---------------------------------------------------------------------------

# Print a Python from 3.11 to 3.14 that can make environments and build C modules; the system's own first.
find_python() {
    local candidate
    for candidate in /usr/bin/python3 python3.{11,12,13,14} python3; do
        if "$candidate" - 2>/dev/null <<'PYTHON'; then
import ensurepip, os, sys, sysconfig, venv
has_headers = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
sys.exit(not ((3, 11) <= sys.version_info < (3, 15) and has_headers))
PYTHON
            command -v "$candidate"
            return
        fi
    done
    return 1
}

install_system_packages() {
    if command -v apt-get >/dev/null; then
        install_on_debian "$1"
    elif command -v dnf >/dev/null; then
        install_on_amazon_linux "$1"
    else
        find_python >/dev/null || die "needs Python 3.11 to 3.14 with its header files"
        say "rig/setup.sh: neither apt-get nor dnf here; make sure of sendmail with its m4 files, libmilter and gcc"
    fi
}

is_installed_on_debian() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install_on_debian() {
    local wanted=("${DEBIAN_PACKAGES[@]}") missing=() package
    [[ $1 == demo ]] || wanted+=("$BROWSER" "$BROWSER_DRIVER" "$UNIT_CHECKER" "${PARSERS[@]}" "$MILTERTEST" "$PAGE_READER")
    [[ $1 != bench ]] || wanted+=("$FORMAIL" "$PEER" "$PEER_NEEDS")
    find_python >/dev/null || wanted+=("${DEBIAN_PYTHON[@]}")
    for package in "${wanted[@]}"; do
        is_installed_on_debian "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    local install=(apt-get install -y --no-install-recommends "${missing[@]}")
    if may_be_root; then quietly as_root apt-get update; fi
    refuse_removals "${missing[@]}"
    may_be_root || die "as root, run this once, then try again:
apt-get update && ${install[*]}"

    say "Installing ${missing[*]}"
    local service services=()
    [[ " ${missing[*]} " != *" sendmail-bin "* ]] || services+=(sendmail)
    [[ " ${missing[*]} " != *" $PEER "* ]] || services+=("$PEER")
    forbid_service_starts
    quietly as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}"
    allow_service_starts
    for service in "${services[@]}"; do
        quietly as_root update-rc.d "$service" disable
    done
}

# Debian allows one mail server at a time: installing sendmail takes exim4 or Postfix away.
refuse_removals() {
    local removed
    removed=$(apt-get -s install --no-install-recommends "$@" 2>/dev/null | awk '/^Remv/ {print $2}' | xargs) || true
    [[ -z $removed ]] || die "installing $* would remove $removed, so nothing was done; \
use a machine or a container without another mail server"
}

# Debian starts what it installs, unless the policy file says no (see invoke-rc.d(8)).
forbid_service_starts() {
    [[ ! -e $POLICY ]] || return 0
    policy_is_ours=true
    trap allow_service_starts EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}
allow_service_starts() {
    if $policy_is_ours; then as_root rm -f "$POLICY"; fi
    policy_is_ours=false
}

install_on_amazon_linux() {
    local wanted=("${AMAZON_PACKAGES[@]}") missing=() package
    find_python >/dev/null || wanted+=("${AMAZON_PYTHON[@]}")
    for package in "${wanted[@]}"; do
        rpm -q --quiet "$package" || missing+=("$package")
    done
    # Not every release of Amazon Linux has a browser.
    if [[ $1 != demo ]] && ! rpm -q --quiet "$BROWSER" && dnf -q info "$BROWSER" >/dev/null 2>&1; then
        missing+=("$BROWSER")
    fi
    ((${#missing[@]})) || return 0
    may_be_root || die "as root, run this once, then try again:
dnf install -y ${missing[*]}"
    say "Installing ${missing[*]}"
    quietly as_root dnf install -y "${missing[@]}"
}

# --- the Python environments -------------------------------------------------------------------------

# An environment remembers by which files it was made.
fingerprint() { cat "$@" | sha256sum; }
is_made_by() {
    local stamp=$1
    shift
    [[ -e $stamp && $(<"$stamp") == "$(fingerprint "$@")" ]]
}

make_environment() {
    local python
    "$1/bin/python" -c '' 2>/dev/null && return
    python=$(find_python) || die "needs Python 3.11 to 3.14 with venv and its header files"
    quietly "$python" -m venv --clear "$1"
}

pip_install() {
    local environment=$1
    shift
    quietly "$environment/bin/python" -m pip --disable-pip-version-check --no-input install "$@"
}

install_package() {
    local lock=$1 stamp=.venv/made-by-${1##*/}
    is_made_by "$stamp" locks/build.txt "$lock" pyproject.toml && return
    say "Installing Python packages into .venv"
    make_environment .venv
    pip_install .venv --require-hashes -r locks/build.txt
    # The build tools are those just installed, not what an index has today; PEP 517 also for pymilter's setup.py.
    pip_install .venv --no-build-isolation --use-pep517 --require-hashes -r "$lock"
    pip_install .venv --no-build-isolation --no-deps --editable .
    fingerprint locks/build.txt "$lock" pyproject.toml >"$stamp"
}

install_ministack() {
    local stamp=.venv-ministack/made-by-ministack.txt
    is_made_by "$stamp" locks/ministack.txt && return
    say "Installing ministack into .venv-ministack"
    make_environment .venv-ministack
    pip_install .venv-ministack --require-hashes -r locks/ministack.txt
    fingerprint locks/ministack.txt >"$stamp"
}

case ${1:-} in
    demo)
        install_system_packages demo
        is_made_by .venv/made-by-dev.txt locks/build.txt locks/dev.txt pyproject.toml ||
            install_package locks/demo.txt
        ;;
    test | bench)
        install_system_packages "$1"
        install_package locks/dev.txt
        install_ministack
        ;;
    *) die "usage: rig/setup.sh demo|test|bench" ;;
esac
