#!/usr/bin/env bash
# Why a tunnel is down is said in one sentence that names the cause: wrong PSK, wrong identity, nothing in
# common, selectors that do not meet, a silent peer. Against strongSwan, in both roles.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

# fails INITIATOR WANTED: with the variables set to what is wrong, nothing comes up, and our
# down_reason looks like WANTED (a regular expression).
fails() {
  use_strongswan udp
  START="wait"
  step "the gateways start"
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  step "the attempt fails"
  if [[ $1 == us ]]; then
    ! ctl gwa up net --timeout 20 || { step "the tunnel came up"; return 1; }
  else
    ! sw gwb --initiate --child net --timeout 10 || { step "the tunnel came up"; return 1; }
  fi
  says_why() { [[ -n $(down_reason gwa) ]]; }
  wait_for 10 says_why || true
  matches "the reason" "$(down_reason gwa)" "$2"
  is "our state" "$(tunnel_state gwa | sed 's/connecting/down/')" down
}

silent() {
  START=now
  causeway_config gwa
  causeway_start gwa
  says_why() { matches "the reason" "$(down_reason gwa)" '[Nn]o answer|not answer|silent'; }
  wait_for 60 says_why || true
  says_why
}

wrong_psk() { PSK_B='another secret than that of the other side'; fails "$@"; }
wrong_id() { ID_B=gateway-b.example PEER_ID_A=gateway-x.example; fails "$@"; }
refused_id() { ID_A=gateway-a.example PEER_ID_B=gateway-x.example; fails "$@"; }
no_ike_proposal() { IKE_PROPOSALS_B=aes128-sha1-modp1536; fails "$@"; }
no_esp_proposal() { ESP_PROPOSALS_B=aes128-sha1; fails "$@"; }
disjoint() { PEER_NET_B=10.77.0.0/24; fails "$@"; }

scenarios down-reasons
scenario "wrong PSK, we initiate: the candidates are ranked" wrong_psk us 'PSK|pre-shared|psk'
scenario "wrong PSK, the peer initiates" wrong_psk peer 'PSK|pre-shared|psk'
scenario "the peer calls itself otherwise than expected" wrong_id us 'gateway-x.example'
scenario "the peer refuses our identity" refused_id us 'gateway-a.example'
scenario "a peer that calls itself otherwise than expected initiates" wrong_id peer 'gateway-b.example'
scenario "no IKE proposal in common, we initiate" no_ike_proposal us 'proposal'
scenario "no IKE proposal in common, the peer initiates" no_ike_proposal peer 'proposal'
scenario "no ESP proposal in common, we initiate" no_esp_proposal us 'ESP'
scenario "no ESP proposal in common, the peer initiates" no_esp_proposal peer 'ESP'
scenario "selectors that do not meet, we initiate" disjoint us 'selector|subnet'
scenario "selectors that do not meet, the peer initiates" disjoint peer 'selector|subnet'
scenario "a silent peer" silent
