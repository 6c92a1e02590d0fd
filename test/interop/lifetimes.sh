#!/usr/bin/env bash
# What makes a tunnel change its keys by itself, against strongSwan, under a hundred numbered datagrams a second each way
# that are judged on captures as in rekey.sh: lifetimes of either side, bytes and packets, with PFS and without, and
# reauthentication make-before-break.
# alone: it measures loss
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"
. "$(dirname "$0")/_stream.sh"

RATE=100 ESP_LOG=2

child_changes() { # TIMES
  local i before
  for ((i = 1; i <= $1; i++)); do
    before=$(our_field '["children"][0]["spi_in"]')
    expect "the child's keys change ($i of $1)" wait_for 30 differs "$before" our_field '["children"][0]["spi_in"]'
  done
}

ike_changes() { # TIMES
  local i before
  for ((i = 1; i <= $1; i++)); do
    before=$(our_ike_spis)
    expect "the IKE SA changes ($i of $1)" wait_for 30 differs "$before" our_ike_spis
  done
}

# The end of each: nothing was lost, one of each is left.
settle() {
  expect "one IKE SA, the same on both sides" wait_for 15 equal_ikes
  expect "one child on strongSwan's side" wait_for 15 strongswan_has gwb 1
  stream_stop
  expect "every packet is where it belongs" judge "$NAME"
  no_drops gwa
  is "our state" "$(tunnel_state gwa)" established
}

by_time() { # our lifetimes
  START=wait DPD_IDLE=0s IKE_EXTRA='lifetime = "25s";' ESP_EXTRA='lifetime = "10s"; pfs = false;'
  start_both udp
  bring_up us
  stream_start
  child_changes 2
  ike_changes 1
  settle
}

# Without jitter, so that its two rekeys never fall together: strongSwan 5.9.8 loses the rekey of a child that comes due
# in the moment in which the child moves to the new IKE SA ("not found for rekey"), and never tries again.
by_their_time() {
  START=wait DPD_IDLE=0s STRONGSWAN_EXTRA='rekey_time = 12s
    over_time = 60s
    rand_time = 0s' CHILD_EXTRA='rekey_time = 5s
        life_time = 30s
        rand_time = 0s'
  start_both udp
  bring_up peer
  stream_start
  child_changes 2
  ike_changes 1
  settle
}

by_amount() { # LINE of our esp group
  START=wait DPD_IDLE=0s ESP_EXTRA=$1
  start_both udp
  bring_up us
  stream_start
  child_changes 3
  settle
}

by_their_amount() { # LINE of their child
  START=wait DPD_IDLE=0s CHILD_EXTRA=$1
  start_both udp
  bring_up us
  stream_start
  child_changes 3
  settle
}

with_pfs() { # GROUP WANTED: what strongSwan demands, and what it must log
  START=wait DPD_IDLE=0s ESP_PROPOSALS_B=aes256gcm16$1 ESP_PROPOSALS_A=aes256gcm16$1
  start_both udp
  bring_up us
  stream_start
  expect "we rekey" ctl gwa rekey net --child net
  expect "strongSwan's proposal" charon_says "selected proposal: ESP:AES_GCM_16_256/$2"
  expect "strongSwan rekeys" sw gwb --rekey --child net
  settle
}

# Make before break. The peer may send on the new SA before we have worked off its answer, which brings the other half of
# the keys: what comes in that moment has no SA yet, and is the one thing that may be missing.
reauthenticated_by_us() {
  START=wait DPD_IDLE=0s IKE_EXTRA='lifetime = "20s"; reauth = true;'
  start_both udp
  bring_up us
  stream_start
  ike_changes 2
  expect "one IKE SA, the same on both sides" wait_for 15 equal_ikes
  expect "one child on strongSwan's side" wait_for 15 strongswan_has gwb 1
  stream_stop
  local early
  early=$(drops gwa unknown_spi)
  figure "$(said hosta-sender sent) datagrams sent in two reauthentications; $early came before their SA"
  ((early <= 4)) || { step "$early packets came for an SA that we did not have, wanted 4 at most"; return 1; }
  expect "every other packet is where it belongs" /usr/bin/python3 "$LAB_TOP/test/support/rekey_judge.py" \
    "$STATE/wire.pcap" --us 198.51.100.2 --peer 203.0.113.2 --given "$(said hosta-sender sent)" \
    --delivered $(($(said hosta-receiver distinct) + early)) --lost-wan "$(lost gwa wan0)" \
    --lost-lan "$(lost gwa lan0)" --charon-log "$STATE/gwb/charon.log"
  is "our state" "$(tunnel_state gwa)" established
  is "how often strongSwan saw us prove ourselves" \
    "$(($(grep -c 'authentication of .198.51.100.2. with pre-shared key successful' "$STATE/gwb/charon.log") >= 3))" 1
}

# strongSwan breaks before it makes: what is judged is that the tunnel is back at once.
reauthenticated_by_peer() {
  START=wait DPD_IDLE=0s STRONGSWAN_EXTRA='rekey_time = 0
    reauth_time = 8s
    over_time = 60s'
  start_both udp
  bring_up peer
  ike_changes 2
  expect "one IKE SA, the same on both sides" wait_for 15 equal_ikes
  expect "pings pass" ping_through hosta 5
  is "our state" "$(tunnel_state gwa)" established
}

# RFC 4478: we as responder say for how long its proof is good, and strongSwan, which has no such wish, proves anew in
# time: earlier by its over_time, which with its default of a tenth of four hours would be at once, for ever. It breaks
# before it makes, so pings may be lost.
reauthenticated_on_our_wish() {
  START=wait DPD_IDLE=0s IKE_EXTRA='lifetime = "20s"; reauth = true;' STRONGSWAN_EXTRA='over_time = 8s
    rand_time = 0s'
  start_both udp
  bring_up peer
  expect "strongSwan heard of it" charon_says 'received AUTH_LIFETIME of 20s'
  ike_changes 1
  expect "one IKE SA, the same on both sides" wait_for 15 equal_ikes
  expect "pings pass" ping_through hosta 5
}

scenarios lifetimes
scenario "our lifetimes: 10 s for the child, 25 s for the IKE SA" by_time
scenario "strongSwan's lifetimes" by_their_time
scenario "our limit of 20 kB a child" by_amount 'bytes = 20000;'
scenario "our limit of 200 packets a child" by_amount 'packets = 200;'
scenario "strongSwan's limit of 20 kB a child" by_their_amount 'rekey_bytes = 20000'
scenario "strongSwan's limit of 200 packets a child" by_their_amount 'rekey_packets = 200'
scenario "PFS with a group that both name" with_pfs -ecp256 ECP_256
scenario "no PFS: strongSwan has none, we prefer it" with_pfs '' NO_EXT_SEQ
scenario "we reauthenticate, make before break" reauthenticated_by_us
scenario "strongSwan reauthenticates" reauthenticated_by_peer
scenario "strongSwan reauthenticates because we say for how long its proof is good" reauthenticated_on_our_wish
