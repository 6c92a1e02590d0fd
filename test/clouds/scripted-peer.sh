#!/usr/bin/env bash
# The scripted IKEv1 peer is itself right: it and strongSwan bring up tunnels, carry traffic both ways, answer DPD
# and see each other's DELETE, in both roles. What it says of our gateway counts therefore.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"
. "$(dirname "$0")/../support/scripted_peer.sh"
. "$(dirname "$0")/../support/strongswan_ikev1.sh"

# meets PEER INITIATOR IKE ESP [OPTIONS]: strongSwan (udp or native) at gateway A, the script at gateway B
meets() {
  local initiator=$2 encap
  use_strongswan "$1"
  case $1 in udp) encap=udp ;; native) encap=native ;; esac
  IKE_PROPOSALS=$3 ESP_PROPOSALS=$4; shift 4
  DPD_IDLE=1s strongswan_ikev1 gwa
  strongswan_start gwa
  scripted_start "$@"
  if [[ $initiator == swan ]]; then
    expect "strongSwan initiates" sw gwa --initiate --child net --timeout 10
  else
    expect "the script initiates" tell initiate
  fi
  expect "strongSwan has the child" wait_for 5 strongswan_has gwa 1
  expect "the script has the child" wait_for 5 scripted_has 1
  is "the script's encapsulation" "$(scripted 'j["encap"][0]')" "$encap"
  expect "pings from A" ping_through hosta 5
  expect "pings from B" ping_through hostb 5
  dpd_seen() { [[ $(scripted 'j["dpd"]') -ge 2 ]]; }
  expect "strongSwan's DPD is answered" wait_for 8 dpd_seen
  expect "and does not end it" strongswan_has gwa 1
  is "bad ESP packets" "$(scripted 'j["bad_esp"]')" 0
  expect "forged deletes in clear" tell forge-delete
  expect "a ping after them" ping_through hosta 1
  if [[ $initiator == swan ]]; then
    expect "the script deletes" tell delete-ike
    expect "strongSwan saw it" wait_for 5 strongswan_is_idle gwa
  else
    expect "strongSwan deletes" sw gwa --terminate --ike peer
    expect "the script saw it" wait_for 5 scripted_said 'delete of protocol 1'
  fi
}

aggressive() {
  AGGRESSIVE=yes ID_A=branch.example ID_B=cloud.example
  meets "$@" --mode aggressive --local-id cloud.example --remote-id branch.example
}

scenarios scripted-peer
scenario "strongSwan 5.9.8 initiates, aes128-sha1-modp1024 with PFS, ESP in UDP" meets udp swan aes128-sha1-modp1024 aes128-sha1-modp1024
scenario "the script initiates, aes256-sha256-modp2048 without PFS" meets udp script aes256-sha256-modp2048 aes256-sha256
scenario "strongSwan 6.0.1 initiates, native ESP, 3des-md5-modp1024" meets native swan 3des-md5-modp1024 3des-md5
scenario "the script initiates, native ESP" meets native script aes128-sha1-modp1536 aes128-sha1
scenario "aggressive mode, strongSwan initiates" aggressive udp swan aes128-sha1-modp1024 aes128-sha1
scenario "aggressive mode, the script initiates" aggressive native script aes128-md5-modp1024 aes128-md5
