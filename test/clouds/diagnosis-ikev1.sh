#!/usr/bin/env bash
# What goes wrong between gateways, row by row, in IKEv1: produced here, and told by down_reason apart from its neighbors.
# By a strongSwan with that mistake where it can be; by the scripted peer (test/support/ikev1_peer.py):
#   D1, where the peer says nothing or only that it could not read us; D3, a peer that refuses our identity in clear;
#   D6 INVALID-PAYLOAD-TYPE for an unknown address; D8, wrong hashes in aggressive and in quick mode.
set -euo pipefail
. "$(dirname "$0")/_rows.sh"
VERSION=1 START="wait"
IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256 SWAN_ESP=
NOPFS='pfs = false;'
ESP_EXTRA=$NOPFS

by_script() { scripted_start "$@"; ours; }

d1() { PSK_B='another secret'; theirs; ours; refused 'pre-shared key is not the same' 'identity|proposal'; }
d1_peer() { PSK_B='another secret'; theirs; ours; peer_refused 'pre-shared key is not the same' 'identity|proposal'; }
d1_silent() { PSK_B='another secret' by_script; TRY=25 refused 'answered all but our proof.*pre-shared key.*identity' 'ike.proposals'; }
d1_malformed() { PSK_B='another secret' by_script --on mm5=notify:PAYLOAD-MALFORMED; TRY=25 refused 'pre-shared key is not the same' 'identity'; }
d2_version() { VERSION=2 theirs; ours; refused 'speaks IKEv2.*version = 2' 'other algorithms'; }
d2_version_peer() { VERSION=2 theirs; ours; peer_refused 'speaks IKEv2.*version = 2'; }
d2_proposal() { IKE_PROPOSALS_B=aes128-sha1-modp1536; theirs; ours; refused 'refused our IKE proposal aes256-sha256-modp2048, though it answers other' 'speaks IKEv2'; }
d2_proposal_peer() { IKE_PROPOSALS_B=aes128-sha256-modp2048; theirs; ours; peer_refused 'aes128.*aes256|aes256.*aes128' 'ESP'; }
d2_unknown() { SWAN_REMOTE=198.51.100.99; theirs; ours; refused 'connection for our address 198.51.100.2' 'speaks IKEv2'; }
d3_mode() { AGGRESSIVE=yes theirs; ours; refused 'aggressive mode' 'pre-shared'; }
d3_mode_peer() { AGGRESSIVE=yes theirs; ours; peer_refused 'begins in aggressive mode.*set to main' 'proposal'; }
d3_identity() { by_script --on mm5=notify:AUTHENTICATION-FAILED; TRY=25 refused 'refused our identity.*198.51.100.2' 'proposal'; }
d3_identity_swan() { ID_A=gw-a.example PEER_ID_B=gw-x.example; theirs; ours; refused 'refused our identity.*gw-a.example' 'proposal|pre-shared'; }
d4() { ID_B=gw-b.example PEER_ID_A=203.0.113.2; theirs; ours; refused 'calls itself .*gw-b.example, expected .*203.0.113.2.*remote_id'; }
d4_peer() { ID_B=gw-b.example PEER_ID_A=203.0.113.2; theirs; ours; peer_refused 'calls itself .*gw-b.example, expected .*203.0.113.2.*remote_id'; }
d5_silent() { on_the_path ip protocol udp drop; START=now; ours; says 'no answer from 203.0.113.2.*UDP 500' '4500'; }
d5_nobody() { START=now; ip -n "$LAB-gwb" addr replace 203.0.113.2/24 dev wan0; ours; says 'no answer from 203.0.113.2.*(ICMP|unreachable)' '4500'; }
d5_4500() { theirs; on_the_path udp dport 4500 drop; ours; TRY=25 refused 'sent to port 4500.*let UDP 4500 pass' 'no answer from'; }
d5_large() { theirs; on_the_path 'udp dport 500 meta length > 250 drop'; ours; TRY=25 refused 'not our key exchange.*large datagrams' '4500|pre-shared'; }
d6() { by_script --on mm1=notify:INVALID-PAYLOAD-TYPE; refused 'does not know us under this address.*customer gateway.*198.51.100.2' 'proposal'; }
d7() { PEER_NET_B=10.77.0.0/24; theirs; ours; refused 'traffic selectors.*10.10.1.0/24.*10.20.1.0/24.*mirror' 'proposal|pre-shared'; }
d7_peer() { PEER_NET_B=10.77.0.0/24; theirs; ours; peer_refused '10.77.0.0/24.*10.10.1.0/24.*mirror' 'proposal|pre-shared'; }
d8_aggressive() { PSK_B='another secret' AGGRESSIVE=yes IKE_MODE=aggressive; theirs; ours; refused 'pre-shared key is not the same' 'selector'; }
d8_aggressive_script() { IKE_MODE=aggressive by_script --mode aggressive --on am1=badhash; refused 'pre-shared key is not the same' 'selector'; }
d8_quick() { by_script --on qm1=badhash; TRY=25 refused 'hash does not match.*selectors' 'pre-shared'; }
d9() { ESP_PROPOSALS_B=aes128-sha1; theirs; ours; refused 'phase 1 is good.*ESP proposal aes256-sha256' 'selector|pre-shared'; }
d9_peer() { ESP_PROPOSALS_B=aes128-sha256; theirs; ours; peer_refused 'aes128.*aes256|aes256.*aes128' 'PFS'; }
d10_peer() { ESP_EXTRA='' ESP_PROPOSALS=aes256-sha256-modp2048 SWAN_ESP=aes256-sha256-modp1024; theirs; ours; peer_refused 'PFS.*(modp1024.*modp2048|modp2048.*modp1024)' 'selector'; }
d10() { ESP_EXTRA='' ESP_PROPOSALS=aes256-sha256-modp2048 SWAN_ESP=aes256-sha256-modp1024; theirs; ours; refused 'phase 1 is good.*PFS group \(ours is modp2048' 'selector'; }
d10_none() { SWAN_ESP=aes256-sha256-modp1024; theirs; ours; refused 'phase 1 is good.*PFS \(none here\)' 'selector'; }

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
