#!/usr/bin/env bash
# Additional key exchanges (RFC 9370) by IKE_INTERMEDIATE (RFC 9242) with strongSwan 6.0.1 of the Debian 13 root:
# classical ones here, whose machinery is the same as ML-KEM's; ML-KEM in test/long/.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

once() { # PROPOSAL INITIATOR ROUNDS
  use_strongswan native
  IKE_PROPOSALS=$1 START="wait" DPD_IDLE=0s
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  bring_up "$2"
  is "our IKE suite" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["suite"]' status)" "$1"
  is "IKE_INTERMEDIATE exchanges" "$(grep -c 'parsed IKE_INTERMEDIATE' "$STATE/gwb/charon.log")" "$3"
  expect "pings from our side" ping_through hosta 5
  expect "pings from strongSwan's side" ping_through hostb 5
  expect "we rekey the IKE SA" ctl gwa rekey net --ike
  expect "pings behind it" ping_through hosta 5
}

scenarios multi-ke
scenario "one more, begun by us" once aes256gcm16-prfsha384-x25519-ke1_ecp384 us 1
scenario "one more, begun by strongSwan" once aes256gcm16-prfsha384-x25519-ke1_ecp384 peer 1
scenario "three more, begun by us, in fragments" once aes256-sha256-modp2048-ke1_modp3072-ke2_ecp521-ke3_x25519 us 3
scenario "three more, begun by strongSwan" once aes256gcm16-prfsha512-ecp256-ke1_modp4096-ke2_ecp384-ke5_x25519 peer 3
