#!/usr/bin/env bash
# What a tunnel survives: a peer that dies and comes back, one that restarts unseen, a path that loses every fourth
# datagram, deletes of either side, a second IKE SA. Against strongSwan 5.9.8.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

kill_charon() { local pid; read -r _ pid <"$STATE/gwb-charon.pid"; kill -KILL "$pid"; wait_for 10 gone gwb-charon; rm -f "$STATE/gwb-charon.pid"; }

peer_dies() {
  START=now DPD_IDLE=1s
  start_both udp
  expect "established" wait_for 15 tunnel_is gwa established
  kill_charon
  expect "its silence is noticed" wait_for 25 reason_names_silence
  strongswan_start gwb
  expect "it is connected anew" wait_for 60 tunnel_is gwa established
  expect "pings pass" ping_through hosta 5
}
reason_names_silence() { [[ $(down_reason gwa) == *"203.0.113.2"* ]]; }

# It forgets everything and begins anew at once: INITIAL_CONTACT, and what it had before goes.
peer_restarts() {
  START=wait DPD_IDLE=0s
  start_both udp
  bring_up peer
  expect "pings pass" ping_through hosta 3
  kill_charon
  strongswan_start gwb
  expect "strongSwan initiates" sw gwb --initiate --child net --timeout 15
  expect "pings pass at once" ping_through hosta 5
  expect "one IKE SA is left here" wait_for 25 ikes_here 1
  is "our children" "$(our_children)" 1
}
ikes_here() { [[ $(ctl_json gwa 'j["control"]["ike_sas"]' counters) == "$1" ]]; }

lossy_path() {
  in_ns wan nft 'table ip lossy { chain f { type filter hook forward priority 0; udp dport { 500, 4500 } numgen inc mod 4 == 0 drop; }; }'
  START=now DPD_IDLE=0s
  start_both udp
  expect "it comes up all the same" wait_for 60 tunnel_is gwa established
  expect "we rekey the child" ctl gwa rekey net --child net --timeout 40
  expect "we rekey the IKE SA" ctl gwa rekey net --ike --timeout 40
  expect "strongSwan rekeys the child" sw gwb --rekey --child net
  in_ns wan nft delete table ip lossy
  expect "one IKE SA, the same on both sides" wait_for 40 equal_ikes
  expect "one child" wait_for 30 strongswan_has gwb 1
  expect "pings pass" ping_through hosta 5
}

peer_deletes_child() {
  START=now DPD_IDLE=0s
  start_both udp
  expect "established" wait_for 15 tunnel_is gwa established
  expect "strongSwan deletes the child" sw gwb --terminate --child net
  expect "we ask for it again on the same IKE SA" wait_for 20 strongswan_has gwb 1
  expect "pings pass" ping_through hosta 5
  is "IKE SAs at strongSwan" "$(their_ikes | wc -l)" 1
}

we_end() {
  START=now DPD_IDLE=0s
  start_both udp
  expect "established" wait_for 15 tunnel_is gwa established
  stop gwa-causewayd
  expect "strongSwan saw it go" wait_for 5 strongswan_is_idle gwb
}

both_begin() {
  START=wait DPD_IDLE=0s
  start_both udp
  pings_begin
  ctl gwa up net --timeout 15 &
  local command=$!
  sw gwb --initiate --child net --timeout 15 || true
  wait $command
  expect "established on our side" tunnel_is gwa established
  expect "pings pass" ping_through hosta 20
  expect "pings pass the other way" ping_through hostb 20
  expect "one IKE SA, the same on both sides" wait_for 60 equal_ikes
  expect "pings pass" ping_through hosta 5
}

# ESP that comes in is a sign of life: nobody is asked while it flows, both are when it stops (RFC 7296 2.4).
liveness() {
  START=now DPD_IDLE=2s
  use_strongswan udp
  DPD_IDLE=0s strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  expect "established" wait_for 15 tunnel_is gwa established
  asked() { ctl_json gwa '(j.get("tunnel") or j)["dpd"]["sent"]' show net; }
  pings_begin
  sleep 8
  is "how often we asked while packets came" "$(asked)" 0
  pings_end
  is_asking() { (($(asked) > 0)); }
  expect "we ask when they stop" wait_for 10 is_asking
  is "our state" "$(tunnel_state gwa)" established
}

scenarios survival
scenario "the peer dies, is missed, and comes back" peer_dies
scenario "the peer restarts and begins anew" peer_restarts
scenario "every fourth datagram of the path is lost" lossy_path
scenario "the peer deletes the child alone" peer_deletes_child
scenario "we end: the peer is told" we_end
scenario "both begin at once" both_begin
scenario "liveness looks at ESP too" liveness
