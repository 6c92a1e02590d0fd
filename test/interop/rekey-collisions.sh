#!/usr/bin/env bash
# Both gateways are told to rekey within 5 ms, again and again: of each kind, against strongSwan 5.9.8. One IKE SA and
# one child are left on both sides, equal, and traffic passes. Commands that the machine held farther apart do not count.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

times=6
[[ ${CAUSEWAY_LONG:-no} == no ]] || times=30

their_ike() { sw gwb --list-sas | sed -n 's/^peer: .*IKEv2, \([0-9a-f]*\)_i\** \([0-9a-f]*\)_r.*/0x\1 0x\2/p'; }
our_ike() { ctl_json gwa '(lambda i: i["spi_initiator"] + " " + i["spi_responder"])((j.get("tunnel") or j)["ike"])' show net; }
spis_cross() {
  local in out
  in=$(ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_in"][2:].lower()' status)
  out=$(ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_out"][2:].lower()' status)
  sw gwb --list-sas | grep -qE " in +$out" && sw gwb --list-sas | grep -qE " out +$in"
}
settled() { [[ $(their_ike | wc -l) == 1 ]] && strongswan_has gwb 1 && [[ $(our_ike) == "$(their_ike)" ]] && spis_cross; }

collisions() { # KIND
  local i apart tries=1 seen
  use_strongswan udp
  START="wait" DPD_IDLE=0s
  ESP_PROPOSALS_B=aes256gcm16-ecp384
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  bring_up us
  for ((i = 1; i <= times; i += apart < 5000, tries++)); do
    step "collision $i of $times, attempt $tries"
    ((tries < 4 * times)) || return 1  # a machine too busy to judge this
    apart=$(/usr/bin/python3 "$LAB_TOP/test/support/rekey_at_once.py" "$STATE/gwa/causeway.sock" "$STATE/gwb/charon.vici" "$1")
    echo "commands $apart microseconds apart"
    expect "both sides agree on one of each after collision $i" wait_for 20 settled
    expect "pings pass after collision $i" ping_through hosta 2
  done
  seen=$(grep -cE 'detected (CHILD|IKE)_REKEY collision' "$STATE/gwb/charon.log" || true)
  echo "charon speaks of $seen collisions in $tries attempts"
  ((seen > 0)) || { step "no two rekeys ever met"; return 1; }
  is "our state at the end" "$(tunnel_state gwa)" established
}

scenarios rekey-collisions
for kind in child ike; do scenario "$kind rekeyed by both at once, $times times" collisions $kind; done
