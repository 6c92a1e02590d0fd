#!/usr/bin/env bash
# The trap that Alibaba's gateway sets: its phase 1 expires without a word, its phase 2 stays, and it begins nothing
# itself. And its relatives: a path that loses IKE alone, and a peer that holds an old phase 2 and ignores us. The peer
# is the scripted one (test/support/ikev1_peer.py) where strongSwan cannot do it.
set -euo pipefail
. "$(dirname "$0")/../support/rows.sh"
VERSION=1 START=now
IKE_PROPOSALS=aes128-sha1-modp1024 ESP_PROPOSALS=aes128-sha1-modp1024
LEGACY='legacy = true;'

# lives_on IKE_LIFETIME PEER_LIFE1 [WITH_REKEYS]: three of the peer's phase-1 lifetimes under traffic
lives_on() {
  local ours=$1 life1=$2 rekeys=${3:-} i
  scripted_start --life1 "$life1"
  IKE_EXTRA="lifetime = \"$ours\";" DPD_IDLE=1s
  TUNNEL_EXTRA="$LEGACY role = \"initiator\";" DPD_TRIES=2 ours
  expect "established" wait_for 15 tunnel_is gwa established
  spawn hosta background ping -n -i 0.05 10.20.1.2
  expired() { [[ $(grep -c 'phase 1 expired' "$STATE/gwb-peer.out") -ge $1 ]]; }
  for i in 1 2 3; do
    expect "the peer's phase 1 expires, time $i" wait_for $((life1 * 2 + 10)) expired $i
    [[ -z $rekeys ]] || expect "phase 2 is renewed over a new phase 1, time $i" ctl gwa rekey net --child net --timeout 25
  done
  is "our state" "$(tunnel_state gwa)" established
  stop background INT
  tail -n 3 "$STATE/background.out"
  is "pings that went unanswered" "$(unanswered <"$STATE/background.out")" 0
  is "what the peer could not decrypt" "$(scripted 'j["bad_esp"]')" 0
  phase1_is_back() { [[ $(scripted 'j["phase1"]') -ge 1 ]]; }
  expect "phase 1 is there again" wait_for 20 phase1_is_back
}

# IKE alone is lost: port 500, and on 4500 what has the non-ESP marker in front.
ike_is_lost() { on_the_path 'udp dport 500 drop; udp dport 4500 @th,64,32 0 drop'; }

only_esp_passes() { # scripted|strongswan
  if [[ $1 == scripted ]]; then scripted_start; else theirs; fi
  DPD_IDLE=1s
  TUNNEL_EXTRA="$LEGACY role = \"initiator\";" ours
  expect "established" wait_for 15 tunnel_is gwa established
  ike_is_lost
  step "IKE is lost on the path for 14 s: DPD goes unanswered, ESP passes"
  in_ns hosta ping -n -i 0.1 -c 140 10.20.1.2 >"$STATE/lost.out" || true
  matches "pings meanwhile" "$(tail -n 3 "$STATE/lost.out")" ' 0% packet loss'
  is "our state" "$(tunnel_state gwa)" established
  path_is_clear
  expect "IKE comes back" wait_for 40 has_phase1
  expect "traffic after it" ping_through hosta 5
}
has_phase1() { [[ $(ctl_json gwa '(j["tunnels"][0]["ike"] or {}).get("established_s") is not None' status) == True ]]; }

# The peer began, we lost everything, and it ignores us as long as its phase 2 lives.
wrong_way_round() {
  scripted_start
  TUNNEL_EXTRA="$LEGACY" START="wait" ours
  expect "the peer begins" tell initiate
  expect "established" wait_for 10 tunnel_is gwa established
  tell set ignore-phase1 child
  step "our gateway is killed and begins anew"
  stop gwa-causewayd KILL
  socket_is_dead() { ! ctl gwa status; }
  wait_for 10 socket_is_dead
  TUNNEL_EXTRA="$LEGACY role = \"initiator\";" START=now ours
  spawn hostb background ping -n -i 0.2 10.10.1.2  # ESP for SAs that we lost
  says 'holds an old phase 2.*(reset|console)' 'pre-shared'
  is "what diagnose says" "$(ctl_json gwa 'j["verdict"]' diagnose net)" A1
  step "the peer is reset"
  tell forget-children
  expect "it comes up by itself" wait_for 70 tunnel_is gwa established
}

row "(a) the peer's phase 1 expires silently, ours is renewed before: no ping lost in three lifetimes" lives_on 10s 12
row "(a) it expires before ours: phase 2 carries on, and is renewed over a new phase 1" lives_on 1h 5 rekeys
row "(b) IKE is lost on the path, native ESP passes: stays up" only_esp_passes scripted
row "(b) the same with ESP in UDP 4500, against strongSwan" only_esp_passes strongswan
row "(c) the peer holds an old phase 2 and ignores us: status names cause and cure" wrong_way_round
run_rows alibaba-trap 3
