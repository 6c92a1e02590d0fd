#!/usr/bin/env bash
# Rekeys under 1,000 numbered datagrams a second each way: of the child and of the IKE SA, by us and by strongSwan
# 5.9.8. After each, both sides have one IKE SA and one child with keys they did not have before. Judged on captures:
# every ESP packet that the peer put on the wire is delivered, every packet we were given leaves on an SA the peer has,
# and our drop counters stay zero. What charon loses inside (see strongswan-alone) is printed and does not count.
# Between two of ours nothing at all is lost.
# alone: it measures loss
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"
. "$(dirname "$0")/_stream.sh"

times=10
[[ ${CAUSEWAY_LONG:-no} == no ]] || times=50

our_child() { ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_in"]' status; }
our_ike() { ctl_json gwa '(lambda i: i["spi_initiator"] + i["spi_responder"])((j.get("tunnel") or j)["ike"])' show net; }
their_ike() { sw gwb --list-sas | sed -n 's/^peer: .*IKEv2, \([0-9a-f]*\)_i\** \([0-9a-f]*\)_r.*/\1 \2/p'; }
one_of_each() { [[ $(their_ike | wc -l) == 1 ]] && strongswan_has gwb 1; }
our_spi() { if [[ $1 == child ]]; then our_child; else our_ike; fi; }

# one_rekey BY KIND N
one_rekey() {
  local before now
  before=$(our_spi "$2")
  step "rekey $3 of $times"
  case $1-$2 in
    us-child | a-child) ctl gwa rekey net --child net ;;
    us-ike | a-ike) ctl gwa rekey net --ike ;;
    b-child) ctl gwb rekey net --child net ;;
    b-ike) ctl gwb rekey net --ike ;;
    peer-child) sw gwb --rekey --child net ;;
    peer-ike) sw gwb --rekey --ike peer ;;
  esac
  changed() { now=$(our_spi "$1"); [[ -n $now && $now != "$before" ]]; }
  expect "rekey $3 changes the keys" wait_for 5 changed "$2"
}

# rekeys BY KIND: BY is us or peer, KIND child or ike
rekeys() {
  local i
  use_strongswan udp
  START="wait" DPD_IDLE=0s
  ESP_PROPOSALS_B=aes256gcm16-ecp384  # PFS: strongSwan is told the group, we take that of the IKE proposal
  ESP_LOG=2
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  bring_up us
  expect "neighbors are known" ping_through hosta 2
  stream_start
  for ((i = 1; i <= times; i++)); do
    one_rekey "$1" "$2" $i
    expect "one IKE SA and one child are left after rekey $i" wait_for 15 one_of_each
    is "our state after rekey $i" "$(tunnel_state gwa)" established
  done
  stream_stop
  figure "$2 by $1: charon lost $(($(said hosta-sender sent) - $(said hostb-receiver distinct))) of" \
    "$(said hosta-sender sent) towards its host, which does not count"
  expect "every packet is where it belongs" judge "$2 by $1"
  is "datagrams that came twice" "$(said hosta-receiver repeated)" 0
  no_drops gwa
}

# nothing_lost FROM TO RINGS: but for so many frames that no gateway was given
nothing_lost() {
  local missing=$(($(said "$1-sender" sent) - $(said "$2-receiver" distinct)))
  expect "of what $1 sent, $missing do not reach $2, $3 of which were never given to a gateway" \
    test "$missing" -ge 0 -a "$missing" -le "$3"
}

# Two of ours, each beginning half of the rekeys.
between_ours() { # KIND
  local i side
  START="wait" DPD_IDLE=0s
  causeway_config gwa
  causeway_config gwb
  causeway_start gwb
  causeway_start gwa
  expect "we initiate" ctl gwa up net --timeout 15
  expect "neighbors are known" ping_through hosta 2
  stream_start
  for ((i = 1; i <= times; i++)); do
    if ((i % 2)); then side=a; else side=b; fi
    one_rekey $side "$1" $i
  done
  stream_stop
  figure "$1: $(said hosta-sender sent) and $(said hostb-sender sent) datagrams sent," \
    "$(said hostb-receiver distinct) and $(said hosta-receiver distinct) arrived"
  nothing_lost hosta hostb $(($(lost gwa lan0) + $(lost gwb wan0)))
  nothing_lost hostb hosta $(($(lost gwb lan0) + $(lost gwa wan0)))
  no_drops gwa
  no_drops gwb
}

scenarios rekey
for by in us peer; do for kind in child ike; do scenario "$kind rekeyed $times times by $by" rekeys $by $kind; done; done
for kind in child ike; do scenario "$kind rekeyed $times times between two of ours" between_ours $kind; done
