#!/usr/bin/env bash
# An attacker on the path who forges answers, refusals, deletes and errors in the name of both ends, faster than they:
# tunnels come up, rekey and stay up all the same, with a gateway of ours and with strongSwan at the other end.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

TOOLS=${CAUSEWAY_TEST_BUILD:-$LAB_TOP/build-san}/test/support
times=3
[[ ${CAUSEWAY_LONG:-no} == no ]] || times=15

attacked() { # PEER
  local i victim=
  use_strongswan udp
  IKE_PROPOSALS=aes256gcm16-prfsha384-x25519
  START="wait" DPD_IDLE=2s
  if [[ $1 == strongswan ]]; then strongswan_config gwb; strongswan_start gwb; else causeway_config gwb; causeway_start gwb; fi
  causeway_config gwa
  causeway_start gwa
  # strongSwan 5.9.8 destroys an established IKE SA for an IKE_SA_INIT response in clear: it is spared, we are not.
  if [[ $1 == strongswan ]]; then victim=198.51.100.2; fi
  spawn wan forger "$TOOLS/ike-forger" any ${victim:+"$victim"}
  listening() { grep -q listening "$STATE/forger.out"; }
  expect "the attacker listens" wait_for 5 listening
  for ((i = 1; i <= times; i++)); do
    expect "it comes up, $i of $times" ctl gwa up net --timeout 30
    expect "pings" ping_through hosta 10
    expect "the IKE SA is rekeyed" ctl gwa rekey net --ike
    expect "the child is rekeyed" ctl gwa rekey net --child net
    sleep 3
    is "our state" "$(tunnel_state gwa)" established
    expect "pings behind the rekeys" ping_through hosta 10
    [[ $i == "$times" ]] || expect "we take it down" ctl gwa down net
  done
  stop forger INT
  echo "the attacker: $(tail -n 1 "$STATE/forger.out")"
  expect "it forged" grep -qE 'forged [1-9][0-9]{2}' "$STATE/forger.out"
}

scenarios forger
scenario "with strongSwan" attacked strongswan
scenario "with a gateway of ours" attacked causeway
