#!/usr/bin/env bash
# Installs SES Woomera on this host, or brings it up to date; as root:
#
#   deploy/install.sh                         from a checkout: makes /opt/woomera, too
#   PREFIX/share/woomera/install.sh           after `pip install` or `pipx install --global` into PREFIX
#
# The user, its folders, systemd's units, sendmail's FEATURE files, man pages and, where there is none yet, config.yaml. It
# starts nothing, and touches neither sendmail.mc nor a config.yaml that is there. With DESTDIR all goes below that folder.
set -euo pipefail

readonly HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly ROOT=${DESTDIR:-}
readonly FEATURE_FOLDERS=(/usr/share/sendmail-cf/feature /usr/share/sendmail/cf/feature) # Amazon Linux, Debian

die() { printf 'install.sh: %s\n' "$*" >&2 && exit 1; }

# Print a Python that can make environments and build C modules (pymilter).
find_python() {
    local candidate
    for candidate in python3.{14,13,12,11} python3; do
        if "$candidate" - 2>/dev/null <<'PYTHON'; then
import ensurepip, os, sys, sysconfig, venv
has_headers = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
sys.exit(not (sys.version_info >= (3, 11) and has_headers))
PYTHON
            command -v "$candidate"
            return
        fi
    done
    die "needs Python 3.11 to 3.14 with its header files (docs/install.md)"
}

# Every package as it was tested: its hash stands in the lock files.
make_environment() {
    local checkout=$1 pip
    "$PREFIX/bin/python" -c '' 2>/dev/null || "$(find_python)" -m venv --clear "$PREFIX"
    rm -rf "$checkout/build" # setuptools would take modules of yesterday from it
    pip=("$PREFIX/bin/python" -m pip --quiet --disable-pip-version-check --no-input install)
    "${pip[@]}" --require-hashes -r "$checkout/locks/build.txt"
    "${pip[@]}" --no-build-isolation --use-pep517 --require-hashes -r "$checkout/locks/runtime.txt"
    "${pip[@]}" --no-build-isolation --no-deps --force-reinstall "$checkout"
}

# Copy a file of ours below ROOT; in it, stand the environment's place for /opt/woomera.
put() {
    install -D -m 0644 /dev/stdin "$ROOT$2" < <(sed "s|/opt/woomera/|$PREFIX/|g" "$SHARE/$1")
}

((EUID == 0)) || die "run it as root"
if [[ -e $HERE/../pyproject.toml ]]; then
    readonly PREFIX=/opt/woomera
    make_environment "$HERE/.."
else
    readonly PREFIX=$(cd "$HERE/../.." && pwd)
fi
readonly SHARE=$PREFIX/share/woomera

put systemd/woomera.sysusers /etc/sysusers.d/woomera.conf
put systemd/woomera.tmpfiles /etc/tmpfiles.d/woomera.conf
if [[ ! -e $ROOT/etc/woomera/config.yaml ]]; then put config.yaml /etc/woomera/config.yaml; fi
systemd-sysusers ${ROOT:+--root="$ROOT"} woomera.conf
systemd-tmpfiles ${ROOT:+--root="$ROOT"} --create woomera.conf

(cd "$SHARE/systemd" && ls -d ./*.service ./*.timer ./*.d/*) | while read -r unit; do
    put "systemd/$unit" "/etc/systemd/system/$unit"
done

for folder in "${FEATURE_FOLDERS[@]}"; do
    if [[ -d $ROOT$folder ]]; then
        put sendmail-config/woomera.m4 "$folder/woomera.m4"
        put sendmail-config/woomera_archive.m4 "$folder/woomera_archive.m4"
    fi
done

put docs/man/woomera.8 /usr/local/share/man/man8/woomera.8
put docs/man/woomera.yaml.5 /usr/local/share/man/man5/woomera.yaml.5

if [[ -z $ROOT && -d /run/systemd/system ]]; then systemctl daemon-reload; fi
echo "SES Woomera is installed. Next: /etc/woomera/config.yaml, then sudo -Hu woomera $PREFIX/bin/woomera check --offline"
