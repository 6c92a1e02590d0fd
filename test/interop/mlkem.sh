#!/usr/bin/env bash
# ML-KEM (FIPS 203) as an additional key exchange with strongSwan 6.0.1, from a build in a Debian 13 root, whose OpenSSL
# has it: in long runs, since the root and the build take some minutes. Short ones ask what --check says without it.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

once() { # PROPOSAL INITIATOR
  use_strongswan native
  IKE_PROPOSALS=$1 START="wait" DPD_IDLE=0s
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  bring_up "$2"
  is "our IKE suite" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["suite"]' status)" "$1"
  expect "pings from our side" ping_through hosta 5
  expect "pings from strongSwan's side" ping_through hostb 5
  expect "we rekey the IKE SA" ctl gwa rekey net --ike
  expect "pings behind it" ping_through hosta 5
}

# OpenSSL of this machine's build may have it: then the configuration is good, and that is what is said.
checked() {
  IKE_PROPOSALS=aes256gcm16-prfsha384-ecp384-ke1_mlkem768
  causeway_config gwa
  if "$BUILD/causewayd" --config "$STATE/gwa/causeway.conf" --check >"$STATE/check.out" 2>&1; then
    matches "what --check says" "$(<"$STATE/check.out")" 'ke1_mlkem768'
    return
  fi
  matches "what is missing" "$(<"$STATE/check.out")" "causeway.conf:[0-9]+: tunnels.*mlkem768 needs OpenSSL 3.5 or newer; this is"
}

scenarios mlkem
scenario "--check says what ML-KEM needs" checked
if [[ ${CAUSEWAY_LONG:-no} == yes ]]; then
  OUR_ROOT=$("$LAB_TOP/scripts/debian13-build")
  for initiator in us peer; do
    scenario "ML-KEM-512, begun by $initiator" once aes128gcm16-prfsha256-x25519-ke1_mlkem512 $initiator
    scenario "ML-KEM-768, begun by $initiator" once aes256gcm16-prfsha384-ecp384-ke1_mlkem768 $initiator
    scenario "ML-KEM-1024 and P-384, begun by $initiator" once aes256gcm16-prfsha512-x25519-ke1_mlkem1024-ke2_ecp384 $initiator
  done
fi
