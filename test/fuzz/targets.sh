#!/usr/bin/env bash
# Each fuzz target over its whole corpus and then some seconds of search: one case a target. The default run searches
# the same way each time, so that it tells what a change did; --long searches elsewhere each time, to find more.
set -euo pipefail
seconds=8 seed=1
[[ ${CAUSEWAY_LONG:-no} == no ]] || seconds=40 seed=0
exec "$(dirname "$0")/../../scripts/fuzz" --seconds "$seconds" --seed "$seed"
