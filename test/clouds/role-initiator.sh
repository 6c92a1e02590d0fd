#!/usr/bin/env bash
# role = "initiator": a phase 1 that the peer begins is dropped, counted and shown; it makes us ask at once whether the peer
# lives, and one that does not is called anew. What the peer begins inside a live SA is served. And DPD in every order of its
# payloads, by the scripted peer.
set -euo pipefail
. "$(dirname "$0")/../support/rows.sh"
IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256 SWAN_ESP=aes256-sha256 START=now

dropped() { ctl_json gwa 'j["control"]["ike_role_dropped"]' counters; }
some_dropped() { [[ $(dropped) -ge 1 ]]; }

# began_by_peer VERSION [aggressive]
began_by_peer() {
  VERSION=$1 ESP_EXTRA='pfs = false;' IKE_MODE=main
  [[ ${2:-} != aggressive ]] || { AGGRESSIVE=yes IKE_MODE=aggressive; }
  theirs
  # By itself our side would ask after ten minutes.
  DPD_IDLE=600s TUNNEL_EXTRA='legacy = true; role = "initiator";' ours
  expect "we come up" wait_for 15 tunnel_is gwa established
  expect "strongSwan rekeys the child inside it" sw gwb --rekey --child net
  expect "pings after that" ping_through hosta 3
  is "dropped so far" "$(dropped)" 0

  step "strongSwan is killed, starts again and begins"
  stop gwb-charon KILL
  strongswan_start gwb
  sw gwb --initiate --child net --timeout 3 || true
  expect "what it begins is dropped and counted" wait_for 10 some_dropped
  matches "what is shown" "$(ctl gwa show net)" 'role = initiator'
  expect "we found it dead and called it" wait_for 30 strongswan_has gwb 1
  is "our role" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["role"]' status)" initiator
  expect "pings flow again" ping_through hosta 5
}

# dpd_order ORDER: of the peer's notifications
dpd_order() {
  local i
  VERSION=1 DPD_IDLE=1s ESP_EXTRA='pfs = false;'
  scripted_start --hash-last "$1"
  ours
  expect "we come up" wait_for 15 tunnel_is gwa established
  for i in 1 2 3; do expect "the peer asks, $i" tell dpd; done
  acks() { [[ $(scripted 'j["dpd_acks"]') -ge 3 ]]; }
  expect "we answered each" wait_for 10 acks
  matches "the order of our answer" "$(grep 'liveness answered' "$STATE/gwb-peer.out" | tail -n 1)" "HASH $2"
  asked() { [[ $(scripted 'j["dpd"]') -ge 3 ]]; }
  expect "it answers ours" wait_for 20 asked
  is "our state" "$(tunnel_state gwa)" established
  expect "pings" ping_through hosta 3
}

row "IKEv1, main mode: strongSwan forgets all and begins" began_by_peer 1
row "IKEv1, aggressive mode: the same" began_by_peer 1 aggressive
row "IKEv2: the same" began_by_peer 2
row "DPD with the HASH in front" dpd_order no first
row "DPD with the HASH behind, naming it" dpd_order named last
row "DPD with the HASH behind, as if nothing followed" dpd_order bare last
run_rows role-initiator 3
