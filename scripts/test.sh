#!/usr/bin/env bash
# test.sh - install what is missing, build, run the test suites.
#
#   sudo scripts/test.sh [--suite NAME]... [--long] [--jobs N] [--no-setup]
#
# Without --suite: all of them. --long repeats what the default run does a fifth of. --jobs: how many
# tests and scenarios run side by side (3: they wait more than they compute). --no-setup installs nothing; the build always runs.
# The last line is "N passed, N failed"; the exit code is 0 only where nothing failed and something passed.
set -Eeuo pipefail

suites=(unit wire esp interop robust certificates forwarding flood fuzz scale bench clouds diagnose page)  # one word adds a suite: see scripts/run-cases for what it consists of

usage_error() { echo "test.sh: $*" >&2; exit 2; }
is_suite() { [[ " ${suites[*]} " == *" $1 "* ]]; }

cd "$(dirname "$0")/.."
chosen=() jobs=3 setup=yes
export CAUSEWAY_LONG=no
while [[ $# -gt 0 ]]; do
  case $1 in
    --suite)
      [[ $# -ge 2 ]] || usage_error "--suite needs a name: ${suites[*]}"
      is_suite "$2" || usage_error "there is no suite '$2'; there are: ${suites[*]}"
      chosen+=("$2"); shift ;;
    --jobs)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || usage_error "--jobs needs a number from 1"
      jobs=$2; shift ;;
    --long) CAUSEWAY_LONG=yes ;;
    --no-setup) setup=no ;;
    -h | --help) sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) usage_error "unknown option '$1' (see --help)" ;;
  esac
  shift
done
[[ ${#chosen[@]} -gt 0 ]] || chosen=("${suites[@]}")
[[ $(id -u) == 0 ]] || usage_error "needs root: scenarios are made of network namespaces"

# Whatever stops the run before the tests is one failure, and the last line says so too.
stage=start
trap 'echo "not ok $stage"; echo "0 passed, 1 failed"; exit 1' ERR
needs_peer() { [[ " ${chosen[*]} " == *" interop "* || " ${chosen[*]} " == *" robust "* || " ${chosen[*]} " == *" clouds "* || " ${chosen[*]} " == *" diagnose "* ]]; }
timed() {
  stage=$1; shift
  local begin=$SECONDS
  echo "== $stage"
  "$@"
  echo "== $stage: $((SECONDS - begin)) s"
}

configure() { # DIR OPTIONS...
  [[ -f $1/build.ninja ]] || meson setup "$@"
}
build_release() {
  configure build
  ninja -C build
}
# Sanitizers make compilers see ghosts: warnings are errors in the plain build only. Four checks of
# UndefinedBehaviorSanitizer stand at every access and double the time of the build, and what they find is
# AddressSanitizer's to find as well, but for alignment, which this machine's accesses do not need.
build_sanitized() {
  configure build-san -Dtests=true -Dbuildtype=plain -Ddebug=false -Doptimization=1 '-Dcpp_args=-g1 -fno-sanitize=null,alignment,vptr,object-size' -Db_sanitize=address,undefined -Db_lundef=false -Dwarning_level=0 -Dwerror=false
  ninja -C build-san
}

export NINJA_STATUS='[%f/%t, %es] '
[[ $setup == no ]] || timed "set-up (packages)" scripts/setup.sh
timed "build (release)" build_release
timed "build (tests, with sanitizers)" build_sanitized
! needs_peer || timed "the Debian 13 peer" scripts/peer-root
[[ ${CAUSEWAY_LONG:-no} == no || " ${chosen[*]} " != *" interop "* ]] || timed "build (Debian 13, for ML-KEM)" scripts/debian13-build
[[ " ${chosen[*]} " != *" fuzz "* ]] || timed "build (fuzz targets, clang)" scripts/fuzz --build-only
trap - ERR

echo "== tests: ${chosen[*]}"
exec scripts/run-cases --jobs "$jobs" "${chosen[@]}"
