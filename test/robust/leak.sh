#!/usr/bin/env bash
# A tunnel between two of ours goes up and down again and again: packet pools, SA slots and file
# descriptors are afterwards exactly where they were, memory within 1 MiB. (1,000 cycles with --long.)
# alone: it measures memory
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

cycles=200
[[ ${CAUSEWAY_LONG:-no} == no ]] || cycles=1000

cycle() {
  ctl gwa up net --timeout 10 >/dev/null
  ctl gwa down net >/dev/null
  wait_for 5 tunnel_is gwb down
}

# held SIDE: pools, SAs and descriptors in use, one line each
held() {
  local pid
  read -r _ pid <"$STATE/$1-causewayd.pid"
  ctl_json "$1" '"\n".join("pool %s: %d in use" % (p["name"], p["in_use"]) for p in j["pools"])' counters
  ctl_json "$1" '"\n".join("worker %d: %d SAs in, %d out" % (w["core"], w["sas_inbound"], w["sas_outbound"]) for w in j["workers"])' counters
  echo "descriptors: $(descriptors "$pid")"
}

# The least of half a second: a client of the admin socket that has just left may still be counted.
descriptors() {
  local i
  for ((i = 0; i < 10; i++)); do
    find "/proc/$1/fd" -mindepth 1 | wc -l
    sleep 0.05
  done | sort -n | head -n 1
}
resident_kib() {
  local pid
  read -r _ pid <"$STATE/$1-causewayd.pid"
  awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"
}

up_and_down() {
  local i side before=() memory=() grown
  START="wait" DPD_IDLE=0s
  for side in gwa gwb; do causeway_config $side; causeway_start $side; done
  step "warming up"
  for ((i = 0; i < 20; i++)); do cycle; done
  ctl gwa up net --timeout 10; ping_through hosta 5; ctl gwa down net; wait_for 5 tunnel_is gwb down
  for side in gwa gwb; do before+=("$(held $side)"); memory+=("$(resident_kib $side)"); done
  for ((i = 0; i < cycles; i++)); do step "cycle $i of $cycles" >/dev/null; cycle; done
  for side in gwa gwb; do
    is "what $side holds" "$(held $side)" "${before[0]}"
    grown=$(($(resident_kib $side) - ${memory[0]}))
    echo "$side: grown by $grown KiB in $cycles cycles"
    [[ $grown -le 1024 ]] || { step "$side has grown by $grown KiB"; return 1; }
    before=("${before[@]:1}") memory=("${memory[@]:1}")
  done
}

scenarios leak
scenario "$cycles cycles of up and down leave nothing behind" up_and_down
