#!/usr/bin/env bash
# What cannot start says why, once, and ends with the exit code that means it: 1 configuration, 2 usage,
# 3 resources. And causewayctl's own: 0 done, 1 refused, 2 usage, 3 no daemon, 4 no such tunnel.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

# ends CODE PATTERN CMD...: CMD ends by itself with CODE, and one line of what it says is like PATTERN.
ends() {
  local code=$1 pattern=$2 got=0; shift 2
  limited 30 "$@" >"$STATE/said" 2>&1 || got=$?
  cat "$STATE/said"
  is "the exit code" $got "$code"
  matches "what it said" "$(<"$STATE/said")" "$pattern"
  is "the number of lines that say so" "$(grep -cE -- "$pattern" "$STATE/said")" 1
}

# timeout(1) for a function of ours too: 124 where it had to be ended.
limited() {
  local seconds=$1 pid watch code=0; shift
  "$@" & pid=$!
  (sleep "$seconds"; kill "$pid" 2>/dev/null) & watch=$!
  wait "$pid" || code=$?
  kill "$watch" 2>/dev/null || true
  return $code
}

daemon() { in_ns gwa "$BUILD/causewayd" --config "$STATE/gwa/causeway.conf" "$@"; }
edited() { sed -i "$1" "$STATE/gwa/causeway.conf"; }

broken_config() {
  causeway_config gwa
  edited 's/remote_subnets/remote_subnet/'
  ends 1 'causeway.conf:[0-9]+: .*remote_subnet: .*remote_subnets' daemon
}
syntax_error() {
  causeway_config gwa
  edited 's/^tunnels = (/tunnels = /'
  ends 1 'causeway.conf:[0-9]+: ' daemon
}
no_config() { ends 1 'nowhere.conf' "$BUILD/causewayd" --config "$STATE/nowhere.conf"; }
usage() { ends 2 'frobnicate' "$BUILD/causewayd" --frobnicate; }
check_is_well() { causeway_config gwa; ends 0 '^tunnel net:' daemon --check; }

missing_port() {
  causeway_config gwa
  edited 's/iface=lan0/iface=lan7/'
  ends 3 'lan7' daemon
}
port_in_use() {
  causeway_config gwa
  causeway_start gwa
  edited 's/causeway.sock/second.sock/'
  ends 3 'wan' daemon
}
second_daemon() {
  causeway_config gwa
  causeway_start gwa
  ends 3 'causeway.sock' daemon
  is "the first one's state" "$(tunnel_state gwa | grep -cE 'down|connecting')" 1
}

control() {
  START="wait" causeway_config gwa
  ends 3 'causewayd' ctl gwa status
  causeway_start gwa
  ends 0 '^net +down' ctl gwa status
  ends 4 'nonet' ctl gwa show nonet
  ends 2 'frobnicate' ctl gwa --frobnicate
  ends 1 'not established within 2 s' ctl gwa up net --timeout 2
}

scenarios errors
scenario "an unknown key: file, line, key and the nearest known name" broken_config
scenario "a configuration that does not parse: file and line" syntax_error
scenario "no configuration file" no_config
scenario "an unknown option" usage
scenario "--check of a good configuration" check_is_well
scenario "a port whose device does not exist" missing_port
scenario "a port that another causewayd uses" port_in_use
scenario "a second daemon on the same socket" second_daemon
scenario "causewayctl's exit codes" control
