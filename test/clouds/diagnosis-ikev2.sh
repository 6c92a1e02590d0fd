#!/usr/bin/env bash
# What goes wrong between gateways, row by row, in IKEv2: produced here, and told by down_reason apart from its neighbors.
# By a strongSwan with that mistake, except D6, which no strongSwan says: a script does (test/support/ikev2_refuser.py).
set -euo pipefail
. "$(dirname "$0")/../support/rows.sh"
. "$(dirname "$0")/../support/rows_ikev2.sh"

row "D1 PSK differs, the peer initiates: we verify, and know" d1_peer
row "D2 the peer speaks IKEv1" d2_version
row "D2 the peer begins in IKEv1" d2_version_peer
row "D2 no phase 1 proposal in common" d2_proposal
row "D2 the same, the peer initiates" d2_proposal_peer
row "D2 the peer has nothing for our address" d2_unknown
row "D3 the peer refuses our PSK: candidates, ranked" d3_psk
row "D3 the peer refuses our identity: the same notify" d3_id
row "D4 the peer's identity is not the configured one" d4
row "D4 the same, the peer initiates" d4_peer
row "D5 UDP is filtered" d5_silent
row "D5 nobody listens" d5_nobody
row "D5 500 answers, 4500 does not" d5_4500
row "D6 UNSUPPORTED_CRITICAL_PAYLOAD: not known under this address" d6
row "D7 selectors differ" d7
row "D7 the same, the peer initiates" d7_peer
row "D9 ESP algorithms differ" d9
row "D9 the same, the peer initiates" d9_peer
row "D10 PFS groups differ" d10
row "D11 the peer narrows the selectors" d11
run_rows diagnosis-ikev2 4
