#!/usr/bin/env bash
# Rekeys under traffic with strongSwan 5.9.8: of the child and of the IKE SA, by us and by the peer. After each, both
# sides have one IKE SA and one child with keys they did not have before, and no ping was lost.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

times=4
[[ ${CAUSEWAY_LONG:-no} == no ]] || times=50

our_spi() { ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_in"]' status; }
their_ike() { sw gwb --list-sas | sed -n 's/^peer: .*IKEv2, \([0-9a-f]*\)_i\** \([0-9a-f]*\)_r.*/\1 \2/p'; }
one_of_each() { [[ $(their_ike | wc -l) == 1 ]] && strongswan_has gwb 1; }

# rekeys BY KIND: BY is us or peer, KIND child or ike
rekeys() {
  local i before now
  use_strongswan udp
  START="wait" DPD_IDLE=0s
  ESP_PROPOSALS_B=aes256gcm16-ecp384  # PFS: strongSwan is told the group, we take that of the IKE proposal
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  bring_up us
  spawn hosta background ping -n -i 0.02 10.20.1.2
  for ((i = 1; i <= times; i++)); do
    before="$(our_spi) $(their_ike)"
    step "rekey $i of $times"
    case $1-$2 in
      us-child) ctl gwa rekey net --child net ;;
      us-ike) ctl gwa rekey net --ike ;;
      peer-child) sw gwb --rekey --child net ;;
      peer-ike) sw gwb --rekey --ike peer ;;
    esac
    changed() { now="$(our_spi) $(their_ike)"; [[ $2 == child && ${now%% *} != "${before%% *}" || $2 == ike && ${now#* } != "${before#* }" ]]; }
    expect "rekey $i of $times changes the keys" wait_for 5 changed - "$2"
    expect "one IKE SA and one child are left after rekey $i" wait_for 10 one_of_each
    is "our state after rekey $i" "$(tunnel_state gwa)" established
  done
  stop background INT
  is "pings that went unanswered meanwhile" "$(unanswered <"$STATE/background.out")" 0
}

scenarios rekey
for by in us peer; do for kind in child ike; do scenario "$kind rekeyed $times times by $by" rekeys $by $kind; done; done
