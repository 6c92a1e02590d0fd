#!/usr/bin/env bash
# IKE and ESP of one box from two public addresses: a middlebox before strongSwan sends its ESP on from another address than
# its IKE, as a NAT with a pool or a box with two uplinks does. What comes is taken; status, log, diagnose and the reason
# of a tunnel that went down name both addresses, and nothing of it where the path is ordinary.
set -euo pipefail
. "$(dirname "$0")/../support/rows.sh"
IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256 SWAN_ESP=aes256-sha256 ESP_EXTRA='pfs = false;'
OTHER=203.0.113.77

# Without connection tracking, which would leave what answers our ESP as it is. On UDP 4500 ESP is what has no marker.
another_address_for_esp() {
  on_the_path "iifname \"wanb\" ip protocol esp ip saddr set $OTHER
    iifname \"wanb\" udp sport 4500 @th,64,32 != 0 ip saddr set $OTHER"
}

shown() { ctl_json gwa 'j["tunnels"][0].get("esp_from")' status; }
names_it() { [[ $(shown) == "$OTHER" ]]; }
names_nothing() { [[ $(shown) == None ]]; }
warnings() { grep -c 'two public addresses of one box' "$STATE/gwa-causewayd.out" || true; }
diagnosed() { ctl_json gwa "j[\"$1\"]" diagnose net; }
asked_again() { [[ $(ctl_json gwa 'j["dpd"]["sent"]' show net) -gt $1 ]]; } # COUNT

# from_two VERSION udp|native
from_two() {
  local asked
  VERSION=$1 SWAN=$2
  theirs
  DPD_IDLE=1s DPD_TRIES=2 TUNNEL_EXTRA='legacy = true;' ours
  expect "established" wait_for 15 tunnel_is gwa established
  is "ESP" "$(ctl_json gwa 'j["tunnels"][0]["children"][0]["encap"]' status)" "$2"
  expect "an ordinary path" ping_through hosta 20
  is "what diagnose says of it" "$(diagnosed verdict)" healthy
  is "warnings" "$(warnings)" 0

  step "from now on strongSwan's ESP comes from $OTHER"
  another_address_for_esp
  spawn hosta background ping -n -i 0.2 10.20.1.2
  expect "status names it" wait_for 20 names_it
  matches "note" "$(ctl gwa status)" "IKE of the peer comes from 203.0.113.2, its ESP from $OTHER"
  matches "IKE's address" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["remote"]' status)" '^203\.0\.113\.2:'
  is "what diagnose says" "$(diagnosed verdict)" L1
  is "whether it is sure" "$(diagnosed certain)" True
  matches "its evidence" "$(diagnosed evidence)" "IKE from 203.0.113.2, authentic ESP from $OTHER"
  matches "its cure there" "$(diagnosed cure_there)" 'one public address'
  step "the tunnel goes on as it was, and so does liveness over IKE's address"
  stop background INT
  is "pings that went unanswered" "$(unanswered <"$STATE/background.out")" 0
  asked=$(ctl_json gwa 'j["dpd"]["sent"]' show net)
  expect "with no ESP the peer is asked" wait_for 20 asked_again $((asked + 1))
  is "our state" "$(tunnel_state gwa)" established
  is "IKE SAs that we began" "$(ctl_json gwa 'j["ike_sas"]["created"]' show net)" 1
  is "warnings" "$(warnings)" 1

  step "strongSwan is killed: the reason names both addresses"
  stop gwb-charon KILL
  says "203.0.113.2.*two public addresses" 'pre-shared'
  matches "the reason" "$(down_reason gwa)" "its ESP from $OTHER"
  is "what diagnose says of that" "$(diagnosed verdict)" D5
  matches "its evidence" "$(diagnosed evidence)" "authentic ESP from $OTHER"

  step "strongSwan is back, and the middlebox is mended"
  path_is_clear
  strongswan_start gwb
  expect "established again" wait_for 70 tunnel_is gwa established
  spawn hosta background ping -n -i 0.2 10.20.1.2
  expect "nothing is named any more" wait_for 20 names_nothing
  is "what diagnose says in the end" "$(diagnosed verdict)" healthy
  stop background INT
}

row "IKEv2, native ESP" from_two 2 native
row "IKEv2, ESP in UDP" from_two 2 udp
row "IKEv1, native ESP" from_two 1 native
row "IKEv1, ESP in UDP" from_two 1 udp
run_rows two-addresses 2
