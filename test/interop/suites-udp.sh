#!/usr/bin/env bash
# Every key exchange, PRF, integrity and cipher of IKEv2's main list and every ESP suite of it, once each, against
# strongSwan 5.9.8, by turns as initiator and as responder: both sides name the same suite and pings pass.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

# once IKE ESP INITIATOR
once() {
  use_strongswan udp
  IKE_PROPOSALS=$1 ESP_PROPOSALS=$2 START="wait" DPD_IDLE=0s
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  bring_up "$3"
  is "our IKE suite" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["suite"]' status)" "$1"
  both_agree "$3" udp "$2"
  expect "pings from our side" ping_through hosta 5
  expect "pings from strongSwan's side" ping_through hostb 5
}

scenarios suites-udp
n=0
for pair in aes128-sha1-modp2048/aes128-sha1 aes256-sha256-modp3072/aes256-sha256 aes256-sha384-modp4096/aes128gcm16 \
  aes256-sha512-ecp256/aes256gcm16 aes128gcm16-prfsha256-ecp384/aes128-sha256 aes256gcm16-prfsha512-ecp521/aes256-sha1 \
  aes128-sha256-x25519/aes256gcm16; do
  if ((n++ % 2)); then initiator=peer; else initiator=us; fi
  scenario "$pair, begun by $initiator" once "${pair%/*}" "${pair#*/}" $initiator
done
