# rows_ikev1.sh - sourced after rows.sh: what goes wrong between gateways in IKEv1, produced row by row. What is then
# asked of our side is says(): down_reason in suite clouds, the verdict in suite diagnose.
# shellcheck shell=bash disable=SC2034,SC2154

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
