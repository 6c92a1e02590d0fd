#!/usr/bin/env bash
# Each fuzz target over its whole corpus and then some seconds of search: one case a target.
set -euo pipefail
seconds=8
[[ ${CAUSEWAY_LONG:-no} == no ]] || seconds=40
exec "$(dirname "$0")/../../scripts/fuzz" --seconds "$seconds"
