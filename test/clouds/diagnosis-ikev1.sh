#!/usr/bin/env bash
# What goes wrong between gateways, row by row, in IKEv1: produced here, and told by down_reason apart from its neighbors.
# By a strongSwan with that mistake where it can be; by the scripted peer (test/support/ikev1_peer.py):
#   D1, where the peer says nothing or only that it could not read us; D3, a peer that refuses our identity in clear;
#   D6 INVALID-PAYLOAD-TYPE for an unknown address; D8, wrong hashes in aggressive and in quick mode.
set -euo pipefail
. "$(dirname "$0")/../support/rows.sh"
. "$(dirname "$0")/../support/rows_ikev1.sh"

row "D1 PSK differs: the peer's answer does not decrypt" d1
row "D1 the same, the peer initiates: we cannot read its proof" d1_peer
row "D1 the peer says nothing to a proof it cannot read (script)" d1_silent
row "D1 the peer says PAYLOAD-MALFORMED in clear (script)" d1_malformed
row "D2 the peer speaks IKEv2" d2_version
row "D2 the peer begins in IKEv2" d2_version_peer
row "D2 no phase 1 proposal in common" d2_proposal
row "D2 the same, the peer initiates" d2_proposal_peer
row "D2 the peer has nothing for our address" d2_unknown
row "D3 the peer wants aggressive mode" d3_mode
row "D3 the peer begins in aggressive mode" d3_mode_peer
row "D3 AUTHENTICATION-FAILED after our proof: our identity (script)" d3_identity
row "D3 the peer has no connection for our identity" d3_identity_swan
row "D4 the peer's identity is not the configured one" d4
row "D4 the same, the peer initiates" d4_peer
row "D5 UDP is filtered" d5_silent
row "D5 nobody listens" d5_nobody
row "D5 500 answers, 4500 does not" d5_4500
row "D5 the first large message is lost" d5_large
row "D6 not known under this address: INVALID-PAYLOAD-TYPE (script)" d6
row "D7 selectors differ" d7
row "D7 the same, the peer initiates" d7_peer
row "D8 aggressive mode: the PSK, not the selectors" d8_aggressive
row "D8 aggressive mode, a wrong HASH_R (script)" d8_aggressive_script
row "D8 quick mode, a wrong hash: the selectors, not the PSK (script)" d8_quick
row "D9 ESP algorithms differ" d9
row "D9 the same, the peer initiates" d9_peer
row "D10 PFS groups differ" d10
row "D10 the same, the peer initiates: exactly the group is named" d10_peer
row "D10 the peer wants PFS, we have none" d10_none
run_rows diagnosis-ikev1 5
