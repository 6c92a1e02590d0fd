#!/usr/bin/env bash
# ML-KEM (FIPS 203) as an additional key exchange with strongSwan 6.0.1, from a build in a Debian 13 root, whose OpenSSL
# has it: in long runs, since the root and the build take some minutes. Short ones ask what --check says without it.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

their_suite() { sw gwb --list-sas | sed -n '/^peer: /,/^  net: /s|^  \(AES.*\)$|\1|p'; }
their_rounds() { grep -cE "parsed $1 re(quest|sponse) [0-9]+ \[ KE" "$STATE/gwb/charon.log" || true; } # EXCHANGE: whole messages

# rekeyed WHAT CMD...: both sides have the same new IKE SA behind it
rekeyed() {
  local before
  before=$(our_ike_spis)
  expect "$1" "${@:2}"
  expect "$1: new keys" wait_for 10 differs "$before" our_ike_spis
  expect "$1: one IKE SA, and the same on both sides" wait_for 10 equal_ikes
}

# once PROPOSAL INITIATOR THEIRS: THEIRS is the suite in strongSwan's own words
once() {
  local rounds
  use_strongswan native
  CHARON_PLUGINS=" ml" IKE_PROPOSALS=$1 START="wait" DPD_IDLE=0s
  rounds=$(grep -o 'ke[0-9]_' <<<"$1" | wc -l)
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  bring_up "$2"
  is "our IKE suite" "$(our_field '["ike"]["suite"]')" "$1"
  is "strongSwan's suite" "$(their_suite)" "$3"
  is "IKE_INTERMEDIATE exchanges" "$(their_rounds IKE_INTERMEDIATE)" "$rounds"
  pings_begin hosta
  rekeyed "we rekey the IKE SA" ctl gwa rekey net --ike
  is "strongSwan's suite after our rekey" "$(their_suite)" "$3"
  rekeyed "strongSwan rekeys the IKE SA" sw gwb --rekey --ike peer
  is "strongSwan's suite after its rekey" "$(their_suite)" "$3"
  is "IKE_FOLLOWUP_KE exchanges" "$(their_rounds IKE_FOLLOWUP_KE)" $((2 * rounds))
  expect "we rekey the child" ctl gwa rekey net --child net
  expect "pings from strongSwan's side" ping_through hostb 5
  pings_end
  figure "strongSwan says: $(their_suite), $rounds rounds, rekeyed from both sides"
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
  "$LAB_TOP/scripts/peer-mlkem" >/dev/null
  for initiator in us peer; do
    scenario "ML-KEM-512, begun by $initiator" once aes128gcm16-prfsha256-x25519-ke1_mlkem512 $initiator \
      AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519/KE1_ML_KEM_512
    scenario "ML-KEM-768, begun by $initiator" once aes256gcm16-prfsha384-ecp384-ke1_mlkem768 $initiator \
      AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384/KE1_ML_KEM_768
    scenario "ML-KEM-1024 and P-384, begun by $initiator" once aes256gcm16-prfsha512-x25519-ke1_mlkem1024-ke2_ecp384 $initiator \
      AES_GCM_16-256/PRF_HMAC_SHA2_512/CURVE_25519/KE1_ML_KEM_1024/KE2_ECP_384
  done
fi
