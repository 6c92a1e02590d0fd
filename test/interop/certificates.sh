#!/usr/bin/env bash
# Certificates with strongSwan 5.9.8, below an intermediate authority: each kind of key, RFC 7427 and the older methods,
# identities of every form, IKE_AUTH in fragments, by turns as initiator and as responder.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"
. "$(dirname "$0")/../support/certificate_lab.sh"

tunnel_works() { # INITIATOR
  START="wait" DPD_IDLE=0s
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  [[ -z ${NO_LOCAL_ID:-} ]] || sed -i 's/ local_id = "[^"]*";//' "$STATE/gwa/causeway.conf"
  causeway_start gwa
  bring_up "$1"
  is "the identity we see" "$(ctl_json gwa 'j["ike"]["remote_id"]' show net)" "${SEEN_ID:-$ID_B}"
  expect "pings from our side" ping_through hosta 5
  expect "pings from strongSwan's side" ping_through hostb 5
}

charon_said() { grep -qE -- "$1" "$STATE/gwb/charon.log" || { step "strongSwan's log has no '$1'"; return 1; }; }

# with_key KIND HOW INITIATOR WHAT_STRONGSWAN_LOGS: HOW is rfc7427, pss or older
with_key() {
  use_strongswan udp
  use_certificates "$1"
  case $2 in
    older) CHARON_EXTRA='signature_authentication = no' ;;
    pss) CHARON_EXTRA='rsa_pss = yes' ;;
  esac
  tunnel_works "$3"
  charon_said "authentication of 'a.example.com' with $4 successful"
  charon_said "authentication of 'b.example.com' .*with $5 successful"
  [[ $1 != rsa* ]] || charon_said 'received fragment #1 of'
}

# named ID_OF_B SAN_OF_B INITIATOR: what strongSwan calls itself
named() {
  use_strongswan udp
  use_certificates p256
  pki cert b --issuer sub --san "$2"
  ID_B=$1
  tunnel_works "$3"
}

# The address is said where local_id names nothing else and the certificate holds it; its subject where it does not.
by_default() { # SAN_OF_A WE_ARE
  use_strongswan udp
  use_certificates p256
  pki cert a --issuer sub --san "$1"
  NO_LOCAL_ID=yes
  PEER_ID_B=$2
  tunnel_works us
  is "who we are" "$(ctl_json gwa 'j["ike"]["local_id"]' show net)" "$2"
}

# The dearest that a peer can ask of us: how long every other tunnel waits for it at most (processor time of one round of
# the control thread) is shown.
dearest() { # INITIATOR
  use_strongswan udp
  IKE_PROPOSALS=aes256-sha512-modp4096
  ESP_PROPOSALS_A=aes256-sha512-modp4096 ESP_PROPOSALS_B=aes256-sha512-modp4096
  use_certificates rsa4096
  tunnel_works "$1"
  local before
  before=$(ctl_json gwa 'j["children"][0]["spi_in"]' show net)
  new_keys() { [[ $(ctl_json gwa 'j["children"][0]["spi_in"]' show net) != "$before" ]]; }
  expect "we rekey with a key exchange" ctl gwa rekey net --child net
  expect "new keys" wait_for 5 new_keys
  before=$(ctl_json gwa 'j["children"][0]["spi_in"]' show net)
  expect "strongSwan rekeys with a key exchange" sw gwb --rekey --child net
  expect "new keys again" wait_for 5 new_keys
  figure "RSA 4096 and modp4096, begun by $1: the longest round of our control thread took" \
    "$(ctl_json gwa 'j["control"]["control_longest_us"]' counters) us"
}

# A certificate that is renewed while the gateway runs is used from the next proof on.
rolled_over() {
  local before
  use_strongswan udp
  use_certificates p256
  tunnel_works us
  pki cert a --issuer sub --key p384 --san DNS:a.example.com
  taken() { ctl gwa log | grep -q 'changed certificate files are taken'; }
  expect "the new certificate is noticed" wait_for 25 taken
  is "our state meanwhile" "$(tunnel_state gwa)" established
  expect "we close" ctl gwa down net
  bring_up us
  charon_said "authentication of 'a.example.com' with ECDSA_WITH_SHA384_DER successful"
  expect "pings" ping_through hosta 5
}

scenarios certificates
scenario "RSA 2048, RFC 7427, begun by us" with_key rsa2048 rfc7427 us RSA_EMSA_PSS_SHA2_256_SALT_32 RSA_EMSA_PKCS1_SHA2_256
scenario "RSA 3072 with PSS, begun by peer" with_key rsa3072 pss peer RSA_EMSA_PSS_SHA2_256_SALT_32 RSA_EMSA_PSS_SHA2_256_SALT_32
scenario "RSA 2048 by method 1, begun by us" with_key rsa2048 older us 'RSA signature' 'RSA signature'
scenario "ECDSA P-256, begun by peer" with_key p256 rfc7427 peer ECDSA_WITH_SHA256_DER ECDSA_WITH_SHA256_DER
scenario "ECDSA P-384 by method 10, begun by peer" with_key p384 older peer 'ECDSA-384 signature' 'ECDSA-384 signature'
scenario "ECDSA P-521, begun by us" with_key p521 rfc7427 us ECDSA_WITH_SHA512_DER ECDSA_WITH_SHA512_DER
scenario "Ed25519, begun by us" with_key ed25519 rfc7427 us ED25519 ED25519
scenario "the peer is an address" named 203.0.113.2 IP:203.0.113.2 peer
scenario "the peer is an e-mail address" named ops@example.com email:ops@example.com us
SEEN_ID='C=CN, O=Causeway Lab, CN=b' scenario "the peer is its subject" named 'C=CN, O=Causeway Lab, CN=b' DNS:b.example.com us
scenario "we are our address" by_default IP:198.51.100.2 198.51.100.2
scenario "we are our subject" by_default DNS:x.example.com 'C=CN, O=Causeway Lab, CN=a'
scenario "RSA 4096 with modp4096, begun by us" dearest us
scenario "RSA 4096 with modp4096, begun by peer" dearest peer
scenario "a certificate is renewed" rolled_over
