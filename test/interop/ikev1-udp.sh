#!/usr/bin/env bash
# IKEv1 against strongSwan 5.9.8, ESP in UDP: main and aggressive mode, both roles, PFS and not; a tunnel's life with
# liveness, rekeys of both phases by either side, DELETEs, and phase 2 that outlives phase 1.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"
. "$(dirname "$0")/../support/strongswan_ikev1.sh"
. "$(dirname "$0")/../support/certificate_lab.sh"

# ours MODE PFS: our side of the tunnel
ours() {
  TUNNEL_EXTRA="legacy = true;"
  causeway_config gwa
  sed -i -e "s/version = 2;/version = 1; mode = \"$1\";/" -e "s/esp = {/esp = { pfs = $2;/" "$STATE/gwa/causeway.conf"
  causeway_start gwa
}

child_rekeys() { ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_in"]' status; }
ike_cookie() { ctl_json gwa '(j["tunnels"][0]["ike"] or {}).get("established_s", -1)' status; }

# life MODE INITIATOR IKE ESP PFS
life() {
  local mode=$1 initiator=$2 old before
  use_strongswan udp
  IKE_PROPOSALS=$3 ESP_PROPOSALS=$4 SWAN_ESP=$4 START="wait" DPD_IDLE=1s
  # Who asks first is the only one who asks: by turns.
  [[ $initiator == peer ]] || DPD_IDLE=60s
  [[ $mode == main ]] || AGGRESSIVE=yes
  strongswan_ikev1 gwb
  strongswan_start gwb
  if [[ $initiator == peer ]]; then DPD_IDLE=60s; else DPD_IDLE=1s; fi
  ours "$mode" "$5"
  bring_up "$initiator"
  is "our IKE version" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["version"]' status)" 1
  is "our IKE suite" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["suite"]' status)" "$3"
  is "our encapsulation" "$(ctl_json gwa 'j["tunnels"][0]["children"][0]["encap"]' status)" udp
  expect "pings from our side" ping_through hosta 10
  expect "pings from strongSwan's side" ping_through hostb 10

  if [[ $initiator == peer ]]; then
    expect "we answer strongSwan's liveness checks" wait_for 10 \
      grep -q 'parsed INFORMATIONAL_V1 request.*N(DPD_ACK)' "$STATE/gwb/charon.log"
  else
    expect "strongSwan answers ours" wait_for 10 \
      grep -q 'generating INFORMATIONAL_V1 request.*N(DPD_ACK)' "$STATE/gwb/charon.log"
  fi

  step "rekeys under traffic"
  in_ns hosta ping -i 0.05 -q -c 400 -W 2 "$(peer_host hosta)" >"$STATE/under.out" 2>&1 &
  before=$!
  old=$(child_rekeys)
  expect "we rekey the child" ctl gwa rekey net --child net
  child_is_new() { [[ $(child_rekeys) != "$old" ]]; }
  expect "it is another" wait_for 7 child_is_new
  old=$(child_rekeys)
  expect "strongSwan rekeys the child" sw gwb --rekey --child net
  expect "and it is another again" wait_for 5 child_is_new
  expect "we rekey phase 1" ctl gwa rekey net --ike
  expect "strongSwan rekeys phase 1" sw gwb --rekey --ike peer --reauth
  wait "$before" || true
  matches "pings during rekeys" "$(<"$STATE/under.out")" ' 0% packet loss'
  is "our state after them" "$(tunnel_state gwa)" established

  expect "we delete the tunnel" ctl gwa down net
  expect "strongSwan saw it go" wait_for 5 strongswan_is_idle gwb
}

peer_host() { if [[ $1 == hosta ]]; then echo 10.20.1.2; else echo 10.10.1.2; fi; }

# strongSwan's side of the same by RSA signatures, with the certificates of use_certificates.
strongswan_by_certificate() {
  strongswan_ikev1 gwb
  strongswan_certificates "$STATE/gwb" b ca ''
  sed -i -e '0,/auth = psk/s//auth = pubkey\n            certs = b.pem/' \
    -e '0,/auth = psk/s//auth = pubkey\n             cacerts = ca.pem/' -e '/^secrets/,$d' "$STATE/gwb/swanctl.conf"
}

# by_certificate MODE INITIATOR: RSA signatures both ways, a rekey of each phase, and a certificate that is refused
by_certificate() {
  use_strongswan udp
  use_certificates rsa2048
  IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256 SWAN_ESP=aes256-sha256 START="wait" DPD_IDLE=0s
  [[ $1 == main ]] || AGGRESSIVE=yes
  strongswan_by_certificate
  strongswan_start gwb
  ours "$1" false
  bring_up "$2"
  charon_says "authentication of 'a.example.com' with RSA_EMSA_PKCS1_NULL successful"
  is "whom we see" "$(ctl_json gwa 'j["ike"]["remote_id"]' show net)" b.example.com
  expect "pings from our side" ping_through hosta 5
  expect "pings from strongSwan's side" ping_through hostb 5
  expect "we rekey the child" ctl gwa rekey net --child net
  expect "we rekey phase 1, with proofs anew" ctl gwa rekey net --ike
  expect "pings after it" ping_through hosta 5
  expect "we close" ctl gwa down net
  expect "strongSwan saw it" wait_for 5 strongswan_is_idle gwb
}

# refused_certificate WHOSE: it has expired; who judges it says so, and we say so where it is ours
refused_certificate() {
  use_strongswan udp
  use_certificates rsa2048
  if [[ $1 == theirs ]]; then
    pki cert b --issuer sub --key rsa2048 --san DNS:b.example.com --days=-30:-1
  else
    pki cert a --issuer sub --key rsa2048 --san DNS:a.example.com
    pki ca other
    CA_B=other
  fi
  IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256 SWAN_ESP=aes256-sha256 START="wait" DPD_IDLE=0s
  strongswan_by_certificate
  [[ $1 == theirs ]] || strongswan_certificates "$STATE/gwb" b other ''
  [[ $1 == theirs ]] || sed -i 's/cacerts = ca.pem/cacerts = other.pem/' "$STATE/gwb/swanctl.conf"
  strongswan_start gwb
  ours main false
  step "we initiate"
  ! ctl gwa up net --timeout 25 || { step "it came up"; return 1; }
  # What ends an attempt is said once its repetitions are used up.
  reason_is() { grep -qE -- "$1" <<<"$(down_reason gwa)"; }
  if [[ $1 == theirs ]]; then
    expect "the reason is its certificate" wait_for 40 reason_is 'certificate of 203.0.113.2 is refused \(expired\)'
  else
    expect "the reason is ours" wait_for 40 reason_is 'our certificate "C=CN, O=Causeway Lab, CN=a".*give the peer its authority'
  fi
}

scenarios ikev1-udp
scenario "main mode, we begin, no PFS" life main us aes128-sha1-modp1024 aes128-sha1 false
scenario "main mode, strongSwan begins, PFS" life main peer aes256-sha256-modp2048 aes256-sha256-modp2048 true
scenario "aggressive mode, we begin, PFS of another group" life aggressive us aes128-md5-modp1024 aes128-sha1-modp1536 true
scenario "aggressive mode, strongSwan begins" life aggressive peer 3des-sha1-modp1024 3des-md5 false
scenario "RSA signatures, main mode, we begin" by_certificate main us
scenario "RSA signatures, main mode, strongSwan begins" by_certificate main peer
scenario "RSA signatures, aggressive mode, we begin" by_certificate aggressive us
scenario "RSA signatures, aggressive mode, strongSwan begins" by_certificate aggressive peer
scenario "strongSwan's certificate has expired" refused_certificate theirs
scenario "strongSwan does not know our authority" refused_certificate ours
