#!/usr/bin/env bash
# What a scanner learns of us: nothing from an address that no tunnel allows; from an allowed one no hash of the
# pre-shared key to guess against and no version, only the vendor IDs of features in use. Judged by ike-scan.
set -euo pipefail
. "$(dirname "$0")/../support/rows.sh"
VERSION=1 START="wait"
IKE_PROPOSALS=aes128-sha1-modp1024 ESP_PROPOSALS=aes128-sha1
TUNNEL_EXTRA='legacy = true;' ESP_EXTRA='pfs = false;'
transform=(--trans '(1=7,14=128,2=2,3=1,4=2)')

# scan FROM OPTIONS...: what ike-scan says of us, scanning from that address
scan() {
  local from=$1; shift
  ip -n "$LAB-gwb" addr replace "$from/24" dev wan0
  ip -n "$LAB-gwb" route replace 198.51.100.0/24 via 203.0.113.1 src "$from"
  in_ns gwb ike-scan --sport=500 --retry=2 --timeout=1000 --multiline -v -v "$@" 198.51.100.2 >"$STATE/scan.out" 2>&1
  cat "$STATE/scan.out"
  ip -n "$LAB-gwb" addr flush dev wan0
}
says_nothing() { matches "ike-scan" "$(<"$STATE/scan.out")" '0 returned handshake; 0 returned notify'; }

stranger() {
  command -v ike-scan >/dev/null || { step "ike-scan is missing: scripts/setup.sh installs it"; return 1; }
  ours
  scan 203.0.113.99 "${transform[@]}"; says_nothing
  scan 203.0.113.99 --aggressive --id=198.51.100.2 "${transform[@]}"; says_nothing
  scan 203.0.113.99 --ikev2; says_nothing
}

# Every vendor ID is one of these features; ike-scan shows their octets and, where it knows it, a name.
known_vendors='4a131c81070358455c5728f20e95452f|7d9419a65310ca6f2c179d9215529d56|90cb80913ebb696e086381b5ec427b1f|cd60464335df21f87cfdb2fc68b6a448|afcad71368a1f1c96b8696fc77570100|4048b7d56ebce88525e7de7f00d6c2d3'
only_features() {
  ! grep -oE 'VID=[0-9a-f]+' "$STATE/scan.out" | grep -vE "VID=($known_vendors)" || { step "a vendor ID of no feature in use"; return 1; }
  ! grep -qiE 'causeway|version|implementation' <(grep VID "$STATE/scan.out" | sed 's/Dead Peer Detection v1.0//') ||
    { step "a vendor ID names the program"; return 1; }
}

main_mode() {
  ours
  scan 203.0.113.2 "${transform[@]}"
  matches "ike-scan" "$(<"$STATE/scan.out")" '1 returned handshake'
  matches "the suite it got" "$(<"$STATE/scan.out")" 'Enc=AES.*Hash=SHA1.*Group=2'
  only_features
  scan 203.0.113.2 --aggressive --id=203.0.113.2 --pskcrack="$STATE/crack" "${transform[@]}"
  says_nothing_of_hash
}
says_nothing_of_hash() {
  [[ ! -s $STATE/crack ]] || { step "a hash to guess the key against"; return 1; }
  matches "ike-scan" "$(<"$STATE/scan.out")" '0 returned handshake'
}

aggressive_mode() {
  IKE_MODE=aggressive ID_A=gw.example ID_B=branch.example ours
  rm -f "$STATE/crack"
  scan 203.0.113.2 --aggressive --id=stranger.example --idtype=2 --pskcrack="$STATE/crack" "${transform[@]}"
  says_nothing_of_hash
}

ikev2() {
  VERSION=2 IKE_PROPOSALS=aes128-sha1-modp1024 ours
  scan 203.0.113.2 --ikev2
  only_features
}

scenarios ike-scan
scenario "an address that no tunnel allows: no answer to main mode, aggressive mode, IKEv2" row stranger
scenario "an allowed address, main mode: a handshake, features only, and nothing in aggressive mode" row main_mode
scenario "an allowed address, aggressive mode, an unknown identity: no hash" row aggressive_mode
scenario "an allowed address, IKEv2: features only" row ikev2
