#!/usr/bin/env bash
# What the pipeline's host runs, as root on Amazon Linux 2023:
#
#   sweep.sh WHEEL LINKS_SECRET --bucket=... --prefix=... --region=... --processedEmails=... [--adminEmail=...]
#
# WHEEL is Woomera's, in S3 (it is installed unless the image has `woomera`); LINKS_SECRET the secret of
# cloudformation.yaml with the keys that sign links: those of the host's role would end with its session. All else
# goes to `woomera sweep`, which takes the first Woomera's flags.
set -euo pipefail

readonly WHEEL=$1 LINKS_SECRET=$2
shift 2
WORK=$(mktemp -d)
readonly WORK
trap 'rm -rf "$WORK"' EXIT

region_of() {
    local flag
    for flag in "$@"; do
        if [[ $flag == --region=* ]]; then printf '%s' "${flag#*=}"; fi
    done
}

if ! command -v woomera >/dev/null; then
    dnf install -y --quiet python3.11 python3.11-devel sendmail-milter-devel gcc >&2
    aws s3 cp --only-show-errors "$WHEEL" "$WORK" >&2
    python3.11 -m venv "$WORK/venv"
    "$WORK/venv/bin/pip" install --quiet "$WORK/${WHEEL##*/}" >&2
    PATH=$WORK/venv/bin:$PATH
fi

REGION=$(region_of "$@")
export AWS_CONFIG_FILE=$WORK/aws-config
cat >"$AWS_CONFIG_FILE" <<CONFIG
[profile woomera-links]
credential_process = aws secretsmanager get-secret-value --region $REGION --secret-id $LINKS_SECRET --query SecretString --output text
CONFIG
mkdir -m 0700 "$WORK/spool"
cat >"$WORK/config.yaml" <<CONFIG
storage: {bucket: named-by-the-flags}
links: {profile: woomera-links}
milter: {spool: $WORK/spool}
CONFIG
woomera --config "$WORK/config.yaml" sweep "$@"
