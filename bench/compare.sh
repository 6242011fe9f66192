#!/bin/bash
# Compares `repo` with cp, tar, restic and borg end to end; options: compare.sh --help
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if [[ -x $root/.ci/setup ]]; then
    "$root/.ci/setup" bench >&2
fi
exec python3 "$root/bench/compare.py" "$@"
