# scenario.sh - sourced by test/*/*.sh: a lab, and cases that print "ok ..." or "not ok ...: why".
# shellcheck shell=bash
#
#   scenarios NAME            makes the lab; it goes away with the script
#   scenario TITLE CMD...     one case: CMD runs in a subshell that ends at its first failing command,
#                             so what it sets is its own; everything started in it is ended after it
#   step TEXT                 what is tried now: the reason a failure is reported with
#   expect TEXT CMD...        a step of one command
#   figure TEXT               a measured value: shown with the result, judged by nobody
#   is WHAT GOT WANTED        compares two strings
#   matches WHAT GOT REGEX    and a string with an extended regular expression
#
# Logs of a failed case are kept in $CAUSEWAY_RESULTS (set by scripts/run-cases) and their ends shown.

. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lab.sh"

scenarios() {
  NAME=$1
  trap lab_down EXIT
  trap 'exit 130' INT TERM
  lab_up "$NAME"
}

step() { echo "$*" >"$STATE/step"; echo "== $*"; }
figure() { echo "$*" >>"$STATE/figures"; echo "figure $*"; }
expect() { step "$1"; shift; "$@"; }
is() { [[ $2 == "$3" ]] || { step "$1 is '$2', wanted '$3'"; return 1; }; }
matches() { grep -qE -- "$3" <<<"$2" || { step "$1 is '$2', wanted something like '$3'"; return 1; }; }

# unanswered <OUTPUT_OF_PING: gaps before the last answer; the ping that is on its way when it is ended is not lost.
unanswered() { sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' | awk '{ last = $1; n++ } END { print n ? last - n : "all" }'; }

scenario() {
  local title=$1 code=0; shift
  echo "set-up" >"$STATE/step"
  rm -f "$STATE/figures"
  keep_filters
  # Not behind "if" or "||": that would turn off errexit inside.
  set +e
  (set -Eeuo pipefail; "$@") >"$STATE/case.log" 2>&1
  code=$?
  set -e
  if [[ $code == 0 ]]; then
    echo "ok $NAME: $title"
  else
    echo "not ok $NAME: $title: $(<"$STATE/step")"
    keep_logs "$title"
    restore_filters
  fi
  [[ ! -s $STATE/figures ]] || sed 's/^/figure /' "$STATE/figures"
  lab_end_processes
}

# A case that fails has not undone what it did to the path: the next one is not to fail for it.
keep_filters() {
  local ns
  for ns in $LAB_NAMESPACES; do in_ns "$ns" nft list ruleset >"$STATE/$ns.nft"; done
}
restore_filters() {
  local ns
  for ns in $LAB_NAMESPACES; do
    in_ns "$ns" nft flush ruleset
    in_ns "$ns" nft -f "$STATE/$ns.nft"
  done
}

keep_logs() {
  local file side kept=${CAUSEWAY_RESULTS:-}
  for side in gwa gwb; do
    runs $side-causewayd || continue
    { ctl $side status && ctl $side counters && ctl $side neighbors; } >"$STATE/$side-says.out" 2>&1
  done
  for file in "$STATE"/case.log "$STATE"/*.out "$STATE"/gw?/charon.log; do
    [[ -s $file ]] || continue
    echo "--- ${file#"$STATE"/}"
    tail -n 25 "$file"
  done
  [[ -n $kept ]] || return 0
  mkdir -p "$kept"
  cp -r "$STATE" "$kept/${1//[^A-Za-z0-9]/-}" 2>/dev/null || true
}
