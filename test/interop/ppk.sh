#!/usr/bin/env bash
# A post-quantum pre-shared key (RFC 8784) with strongSwan 5.9.8: used by both, by one alone, and not the same.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

secret='0s3GqaWpw9Py0vS1yTEb6WEXQ2dpGsRZkgVVT4u4rvHLQ='

# with_ppk OURS THEIRS REQUIRED_HERE INITIATOR: keys' names, "-" for none
with_ppk() {
  use_strongswan udp
  START="wait" DPD_IDLE=0s
  printf '%s' "$secret" >"$STATE/ppk"
  chmod 600 "$STATE/ppk"
  [[ $1 == - ]] || IKE_EXTRA="ppk_id = \"$1\"; ppk_file = \"$STATE/ppk\"; ppk_required = $3;"
  [[ $2 == - ]] || STRONGSWAN_EXTRA="ppk_id = $2"
  strongswan_config gwb
  [[ $2 == - ]] || printf 'secrets {\n  ppk-1 {\n    id = %s\n    secret = %s\n  }\n}\n' "$2" "$secret" >>"$STATE/gwb/swanctl.conf"
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
}

works() { # OURS THEIRS REQUIRED_HERE INITIATOR USED
  with_ppk "$@"
  bring_up "$4"
  expect "pings from our side" ping_through hosta 5
  expect "pings from strongSwan's side" ping_through hostb 5
  if [[ $5 == used ]]; then
    expect "strongSwan used it" grep -q "using PPK" "$STATE/gwb/charon.log"
  else
    step "strongSwan did not use it"
    ! grep -q "using PPK" "$STATE/gwb/charon.log"
  fi
}

refused() { # OURS THEIRS REQUIRED_HERE INITIATOR REASON
  with_ppk "$@"
  if [[ $4 == us ]]; then
    step "we begin"
    ! ctl gwa up net --timeout 8
  else
    step "strongSwan begins"
    ! sw gwb --initiate --child net --timeout 8
  fi
  matches "our reason" "$(down_reason gwa)" "$5"
}

scenarios ppk
scenario "both have it, begun by us" works site-7 site-7 true us used
scenario "both have it, begun by strongSwan" works site-7 site-7 true peer used
scenario "not required, and strongSwan has none" works site-7 - false us without
scenario "not required, and strongSwan has another, begun by it" works site-7 site-8 false peer without
scenario "required, and strongSwan has none" refused site-7 - true us 'does not use a post-quantum'
scenario "required, and strongSwan has another, begun by it" refused site-7 site-8 true peer 'site-8'
