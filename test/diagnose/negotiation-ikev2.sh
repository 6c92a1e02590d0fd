#!/usr/bin/env bash
# The rows that end a negotiation of IKEv2, and what diagnose says of each. Produced as suite clouds does
# (test/support/rows_ikev2.sh). --long: every way to produce them.
set -euo pipefail
. "$(dirname "$0")/_diagnose.sh"
. "$(dirname "$0")/../support/rows_ikev2.sh"

d10_verdict() { d10; verdict D10; }
d11_verdict() { d11; verdict D11; }

# It begins with the first packet, and there was none.
nobody_begins() { START=traffic ours; verdict F2; }

# Behind a NAT, and our identity is the inside address. The peer has the public one, and the right key.
inside_identity() {
  in_ns wan nft 'table ip nat { chain p { type nat hook postrouting priority 100; oifname "wanb" masquerade; }; }'
  ID_A=10.10.1.1 PEER_ID_B=203.0.113.1 SWAN_REMOTE=203.0.113.1
  theirs
  ours
  judged A2 refused ''
  in_ns wan nft delete table ip nat
}

# The first of two pairs is the peer's, the second is not.
second_pair() {
  TUNNEL_EXTRA='selectors = "pairs";' NET_A=10.10.1.0/24,10.10.2.0/24 PEER_NET_B=10.10.1.0/24
  theirs
  START=now ours
  expect "one pair comes up" wait_for 10 tunnel_is gwa established
  verdict F8
}

row "D2 the peer speaks IKEv1" judged D2 d2_version
row "D3 the key, or our identity" judged D3 d3_psk
row "D4 the peer's identity" judged D4 d4
row "D5 UDP is filtered" judged D5 d5_silent
row "D6 not known under this address (script)" judged D6 d6
row "D7 the networks differ" judged D7 d7
row "D9 the ESP algorithms differ" judged D9 d9
row "D10 the rekey is refused: only PFS differs" d10_verdict
row "D11 the peer narrows the networks" d11_verdict
row "A2 behind a NAT with an inside address as identity" inside_identity
row "F2 nobody begins" nobody_begins
row "F8 one of two pairs is not the peer's" second_pair
if [[ ${CAUSEWAY_LONG:-no} != no ]]; then
  row "D1 the peer initiates with another key" judged D1 d1_peer
  row "D2 no phase 1 proposal in common" judged D2 d2_proposal
  row "D2 nothing for our address" judged D2 d2_unknown
  row "D3 our identity is refused" judged D3 d3_id
  row "D5 nobody listens" judged D5 d5_nobody
  row "D5 500 answers, 4500 does not" judged D5 d5_4500
  row "D7 the peer initiates" judged D7 d7_peer
  row "D9 the peer initiates" judged D9 d9_peer
fi
run_diagnoses negotiation-ikev2 4
