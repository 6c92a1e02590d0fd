#!/usr/bin/env bash
# Bad packets from the WAN, among good ones: each is dropped and counted under its name, exactly, and the
# tunnel goes on without losing a packet. Native ESP and ESP in UDP.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

COUNT=7

attacks() { # PEER: native or udp
  use_strongswan "$1"
  ESP_PROPOSALS=aes256-sha256 CHARON_LOG=4 DPD_IDLE=0s START="wait"
  step "a tunnel with strongSwan"
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  sw gwb --initiate --child net --timeout 15
  wait_for 5 tunnel_is gwa established
  /usr/bin/python3 "$LAB_TOP/test/support/charon_keys.py" "$STATE/gwb/charon.log" >"$STATE/keys.json"

  step "a sample of good packets"
  spawn wan sample tcpdump -n --immediate-mode -U -i wana -w "$STATE/sample.pcap" dst host 198.51.100.2
  sleep_until_listening() { grep -q 'listening on' "$STATE/sample.out"; }
  wait_for 5 sleep_until_listening
  ping_through hosta 5
  stop sample INT

  spawn hosta background ping -n -i 0.1 10.20.1.2
  attack replay replayed
  attack bad-icv icv_failed
  attack unknown-spi unknown_spi
  attack short esp_malformed
  attack odd-length esp_malformed
  attack cleartext clear_but_protected
  attack outside selector_mismatch
  stop background INT
  is "pings that went unanswered meanwhile" "$(unanswered <"$STATE/background.out")" 0
  expect "the tunnel is as before: pings pass both ways" ping_through hosta 5
  ping_through hostb 5
  is "our state" "$(tunnel_state gwa)" established
}

attack() { # KIND DROP_NAME
  local before after
  step "$1 is counted as $2"
  before=$(drops gwa "$2")
  in_ns wan /usr/bin/python3 "$LAB_TOP/test/robust/_attacker.py" "$1" --interface wana --sample "$STATE/sample.pcap" \
    --count $COUNT --keys "$STATE/keys.json"
  counted() { [[ $(drops gwa "$1") -ge $(($2 + COUNT)) ]]; }
  wait_for 5 counted "$2" "$before" || true
  after=$(drops gwa "$2")
  is "the count of $2 after $COUNT x $1" $((after - before)) $COUNT
}

scenarios bad-packets
scenario "native ESP" attacks native
scenario "ESP in UDP" attacks udp
