#!/usr/bin/env bash
# What is wrong with a peer's certificate, told through IKE: each refusal by its own reason, strongSwan or a gateway of
# ours at the other end, by turns as initiator and as responder. The certificate that is right comes up in between.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"
. "$(dirname "$0")/../support/certificate_lab.sh"

start_peer() { # PEER
  if [[ $1 == strongswan ]]; then
    strongswan_config gwb
    strongswan_start gwb
  else
    causeway_config gwb
    causeway_start gwb
  fi
}

peer_begins() { # PEER
  if [[ $1 == strongswan ]]; then
    sw gwb --initiate --child net --timeout 8 >"$STATE/initiate.out" 2>&1
  else
    ctl gwb up net --timeout 8 >"$STATE/initiate.out" 2>&1
  fi
}

# refused PEER INITIATOR WHAT: what B has was set by the caller
refused() {
  use_strongswan udp
  START="wait" DPD_IDLE=0s
  start_peer "$1"
  causeway_config gwa
  causeway_start gwa
  if [[ $2 == us ]]; then
    step "we begin"
    ! ctl gwa up net --timeout 8 >"$STATE/up.out" 2>&1 || { step "it came up"; return 1; }
  else
    step "the peer begins"
    ! peer_begins "$1" || { step "it came up"; return 1; }
  fi
  is "our state" "$(tunnel_state gwa)" down
  matches "our reason" "$(down_reason gwa)" "\\($3\\)"
  echo "the reason: $(down_reason gwa)"
}

expired() { use_certificates p256; pki cert b --issuer sub --san DNS:b.example.com --days=-20:-1; refused strongswan "$1" expired; }
not_yet() { use_certificates p256; pki cert b --issuer sub --san DNS:b.example.com --days=2:20; refused strongswan "$1" "not yet valid"; }
wrong_ca() { use_certificates p256; pki ca other; pki cert b --issuer other --san DNS:b.example.com; refused strongswan "$1" "unknown CA"; }
revoked() { use_certificates p256; pki crl list --issuer sub --revoke b; CRL_A=list; refused strongswan "$1" revoked; }
stale_list() { use_certificates p256; pki crl list --issuer sub --days=-20:-1; CRL_A=list; refused strongswan "$1" ".*"; }
wrong_san() { use_certificates p256; pki cert b --issuer sub --san DNS:other.example.com; refused causeway "$1" "wrong identity"; }
weak_key() { use_certificates p256; pki cert b --issuer sub --key rsa1024 --san DNS:b.example.com; refused strongswan "$1" "weak key"; }
too_long() {
  use_certificates p256
  pki ca short --pathlen 0; pki ca below --issuer short; pki cert b --issuer below --san DNS:b.example.com
  CA_A=short
  refused strongswan "$1" "chain too long"
}
not_a_ca() {
  use_certificates p256
  pki ca plain --not-a-ca; pki cert b --issuer plain --san DNS:b.example.com
  CA_A=plain
  refused strongswan "$1" "not a CA"
}
constrained() {
  use_certificates p256
  pki ca narrow --issuer ca --permit DNS:example.org; pki cert b --issuer narrow --san DNS:b.example.com
  refused strongswan "$1" "name constraints"
}
bad_usage() { use_certificates p256; pki cert b --issuer sub --san DNS:b.example.com --bad-usage; refused causeway "$1" "key usage"; }

good() {
  use_strongswan udp
  use_certificates p256
  pki crl list --issuer sub
  CRL_A=list START="wait" DPD_IDLE=0s
  start_peer strongswan
  causeway_config gwa
  causeway_start gwa
  expect "it comes up" ctl gwa up net --timeout 15
  expect "pings" ping_through hosta 5
}

# Errors in the files themselves are told before anything starts.
checked() {
  use_certificates p256
  cp "$STATE/pki/b.key" "$STATE/pki/a.key"
  causeway_config gwa
  step "--check with the key of another certificate"
  ! "$BUILD/causewayd" --config "$STATE/gwa/causeway.conf" --check >"$STATE/check.out" 2>&1 || return 1
  matches "what it says" "$(<"$STATE/check.out")" 'private key does not belong to'
  pki cert a --issuer sub --san DNS:z.example.com
  causeway_config gwa
  expect "--check with an identity that is not in the certificate" \
    "$BUILD/causewayd" --config "$STATE/gwa/causeway.conf" --check >"$STATE/check.out"
  matches "what it says" "$(<"$STATE/check.out")" 'local_id a.example.com is not in our certificate'
}

scenarios live
n=0
# strongSwan's first: a gateway of ours leaves the interfaces without what strongSwan needs.
for kind in expired not_yet wrong_ca revoked stale_list weak_key too_long not_a_ca constrained good wrong_san bad_usage; do
  if [[ $kind == good ]]; then scenario "the one that is right, with a list that is in date" good; continue; fi
  roles=us
  if ((n++ % 2)); then roles=peer; fi
  [[ ${CAUSEWAY_LONG:-no} == no ]] || roles="us peer"
  for initiator in $roles; do scenario "${kind//_/ }, begun by $initiator" $kind $initiator; done
done
scenario "--check finds what is wrong with our own" checked
