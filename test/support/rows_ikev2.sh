# rows_ikev2.sh - sourced after rows.sh: what goes wrong between gateways in IKEv2, produced row by row. What is then
# asked of our side is says(): down_reason in suite clouds, the verdict in suite diagnose.
# shellcheck shell=bash disable=SC2034,SC2154

VERSION=2 START="wait"
IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256

d1_peer() { PSK_B='another secret'; theirs; ours; peer_refused 'pre-shared key of 203.0.113.2 is not ours' 'identity|proposal'; }
d2_version() { VERSION=1 theirs; ours; refused 'speaks IKEv1.*version = 1' 'proposals on both'; }
d2_version_peer() { VERSION=1 theirs; ours; peer_refused 'IKEv1.*(ike.version|version = 1)'; }
d2_proposal() { IKE_PROPOSALS_B=aes128-sha1-modp1536; theirs; ours; refused 'refused our IKE proposal aes256-sha256-modp2048, though it answers other algorithms' 'speaks IKEv1|no connection'; }
d2_proposal_peer() { IKE_PROPOSALS_B=aes128-sha256-modp2048; theirs; ours; peer_refused 'aes128.*aes256|aes256.*aes128' 'ESP'; }
d2_unknown() { SWAN_REMOTE=198.51.100.99; theirs; ours; refused 'refused our IKE proposal.*no connection for our address 198.51.100.2' 'speaks IKEv1'; }
d3_psk() { PSK_B='another secret'; theirs; ours; refused 'refused our authentication.*pre-shared key.*identity' 'proposal|selector'; }
d3_id() { ID_A=gw-a.example PEER_ID_B=gw-x.example; theirs; ours; refused 'refused our authentication.*gw-a.example' 'proposal|selector'; }
d4() { ID_B=gw-b.example PEER_ID_A=203.0.113.2; theirs; ours; refused 'calls itself .*gw-b.example, expected .*203.0.113.2.*remote_id'; }
d4_peer() { ID_B=gw-b.example PEER_ID_A=203.0.113.2; theirs; ours; peer_refused 'calls itself .*gw-b.example, expected .*203.0.113.2.*remote_id'; }
d5_silent() { on_the_path ip protocol udp drop; START=now; ours; says 'no answer from 203.0.113.2.*UDP 500' '4500'; }
d5_nobody() { START=now; ip -n "$LAB-gwb" addr replace 203.0.113.2/24 dev wan0; ours; says 'no answer from 203.0.113.2.*(ICMP|unreachable)' '4500'; }
d5_4500() { theirs; on_the_path udp dport 4500 drop; TRY=25 ours; TRY=25 refused 'answered IKE_SA_INIT but not IKE_AUTH.*4500' 'no answer from'; }
d6() {
  ip -n "$LAB-gwb" addr replace 203.0.113.2/24 dev wan0
  ip -n "$LAB-gwb" route replace default via 203.0.113.1
  spawn gwb refuser /usr/bin/python3 "$LAB_TOP/test/support/ikev2_refuser.py" 203.0.113.2 1
  ours; refused 'does not know us under.*198.51.100.2.*customer gateway' 'proposal'
}
d7() { PEER_NET_B=10.77.0.0/24; theirs; ours; refused 'selectors.*10.10.1.0/24.*10.20.1.0/24.*mirror' 'proposal|pre-shared'; }
d7_peer() { PEER_NET_B=10.77.0.0/24; theirs; ours; peer_refused '10.77.0.0/24' 'proposal|pre-shared'; }
d9() { ESP_PROPOSALS_B=aes128-sha1; theirs; ours; refused 'IKE SA is good|phase 1 is good.*ESP proposal aes256-sha256' 'selector|pre-shared'; }
d9_peer() { ESP_PROPOSALS_B=aes128-sha256; theirs; ours; peer_refused 'aes128.*aes256|aes256.*aes128' 'PFS'; }

# The first child has the IKE SA's keys, so nothing shows until the first rekey.
d10() {
  SWAN_ESP=aes256-sha256-modp3072 ESP_PROPOSALS=aes256-sha256-modp2048
  theirs; ours
  expect "it comes up" ctl gwa up net --timeout 10
  step "its rekey is refused"
  ! ctl gwa rekey net --child net --timeout 4 || { step "it was rekeyed"; return 1; }
  expect "the log names PFS" wait_for 5 log_says 'PFS group can differ, ours is modp2048'
}
log_says() { grep -qE -- "$1" "$STATE/gwa-causewayd.out"; }

d11() {
  PEER_NET_B=10.10.1.0/25
  theirs; ours
  expect "it comes up" ctl gwa up net --timeout 10
  expect "the log names what was narrowed" wait_for 5 log_says 'narrowed|accepted only'
}
