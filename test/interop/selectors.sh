#!/usr/bin/env bash
# Which packets a tunnel carries, as two sides agree on it: narrowing both ways, pairs, a further child for what was
# narrowed away, route-based tunnels, protocols and ports, transport mode. Against strongSwan 5.9.8.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

# More networks behind hosta and hostb than one: addresses of theirs, and the routes to them.
more_networks() {
  ip -n "$LAB-hosta" addr replace 10.11.1.2/24 dev eth0
  ip -n "$LAB-hostb" addr replace 10.21.1.2/24 dev eth0
  ip -n "$LAB-gwb" route replace 10.21.1.0/24 via 10.20.1.2 || true
}
from_to() { in_ns hosta ping -n -q -i 0.1 -W 2 -c 3 -I "$1" "$2" | grep -q ' 0% packet loss'; } # SOURCE DESTINATION
not_from_to() { ! from_to "$@"; }
CAUSEWAY_ROUTES='routes = ( { to = "10.11.1.0/24"; via = "10.10.1.2"; } );'

peer_narrows() {
  START=wait DPD_IDLE=0s NET_A=10.10.0.0/16 PEER_NET_B=10.10.1.0/24
  start_both udp
  bring_up us
  expect "pings pass" ping_through hosta 5
  matches "our local selectors" "$(ctl gwa show net)" '10\.10\.1\.0/24'
  matches "we say what was narrowed" "$(ctl gwa log)" 'narrow'
}

we_narrow() {
  START=wait DPD_IDLE=0s PEER_NET_B=10.10.0.0/16
  start_both udp
  bring_up peer
  expect "pings pass" ping_through hostb 5
  matches "strongSwan's remote selector" "$(sw gwb --list-sas)" 'remote +10\.10\.1\.0/24'
}

pairs() { # INITIATOR
  START=wait DPD_IDLE=0s NET_A=10.10.1.0/24,10.11.1.0/24 NET_B=10.20.1.0/24 TUNNEL_EXTRA='selectors = "pairs";'
  PEER_NET_B=10.10.1.0/24
  CHILDREN_EXTRA='second { local_ts = 10.20.1.0/24
        remote_ts = 10.11.1.0/24
        esp_proposals = aes256gcm16 }'
  LAB_CAUSEWAY_TOP=$CAUSEWAY_ROUTES
  start_both udp
  more_networks
  if [[ $1 == us ]]; then
    expect "we initiate" ctl gwa up net --timeout 15
  else
    expect "strongSwan initiates the first child" sw gwb --initiate --child net --timeout 15
    expect "strongSwan initiates the second child" sw gwb --initiate --child second --timeout 15
  fi
  expect "two children on strongSwan's side" wait_for 10 strongswan_has gwb 2
  is "two children on ours" "$(our_children)" 2
  expect "the first pair's pings pass" from_to 10.10.1.2 10.20.1.2
  expect "the second pair's pings pass" from_to 10.11.1.2 10.20.1.2
  expect "we rekey all children" ctl gwa rekey net
  expect "two children on strongSwan's side after it" wait_for 10 strongswan_has gwb 2
  expect "the first pair's pings pass" from_to 10.10.1.2 10.20.1.2
  expect "the second pair's pings pass" from_to 10.11.1.2 10.20.1.2
}

# We ask for both networks in one child; strongSwan has a child for each.
split_by_peer() { # INITIATOR
  START=wait DPD_IDLE=0s NET_A=10.10.1.0/24,10.11.1.0/24 NET_B=10.20.1.0/24
  PEER_NET_B=10.10.1.0/24
  CHILDREN_EXTRA='second { local_ts = 10.20.1.0/24
        remote_ts = 10.11.1.0/24
        esp_proposals = aes256gcm16 }'
  LAB_CAUSEWAY_TOP=$CAUSEWAY_ROUTES
  start_both udp
  more_networks
  if [[ $1 == us ]]; then
    expect "we initiate" ctl gwa up net --timeout 15
  else
    expect "strongSwan initiates the first child" sw gwb --initiate --child net --timeout 15
    expect "strongSwan initiates the second child" sw gwb --initiate --child second --timeout 15
  fi
  expect "two children on strongSwan's side" wait_for 10 strongswan_has gwb 2
  expect "two children on ours" wait_for 5 two_of_ours
  expect "the first network's pings pass" from_to 10.10.1.2 10.20.1.2
  expect "the second network's pings pass" from_to 10.11.1.2 10.20.1.2
  expect "we rekey all children" ctl gwa rekey net
  sleep 1
  expect "two children on strongSwan's side after it" wait_for 10 strongswan_has gwb 2
  expect "the first network's pings pass after it" from_to 10.10.1.2 10.20.1.2
  expect "the second network's pings pass after it" from_to 10.11.1.2 10.20.1.2
}
two_of_ours() { [[ $(our_children) == 2 ]]; }

route_based() { # INITIATOR
  START=wait DPD_IDLE=0s NET_A=0.0.0.0/0 NET_B=0.0.0.0/0 TUNNEL_EXTRA='routes = ["10.20.1.0/24"];'
  start_both udp
  bring_up "$1"
  expect "pings pass" ping_through hosta 5
  expect "pings pass the other way" ping_through hostb 5
  matches "our selectors" "$(ctl gwa show net)" '0\.0\.0\.0/0'
}

protocol_and_port() {
  START=wait DPD_IDLE=0s NET_B='10.20.1.0/24[tcp/5201]' NET_A='10.10.1.0/24[tcp]'
  start_both udp
  bring_up us
  expect "TCP to the port passes" tcp_through 1
  expect "pings do not" not_from_to 10.10.1.2 10.20.1.2
}

transport_mode() {
  START=wait DPD_IDLE=0s CHILD_EXTRA='mode = transport'
  start_both udp
  # RFC 7296 1.3.1: who does not want it leaves the notify out; the initiator may then take tunnel mode or delete.
  sw gwb --initiate --child net --timeout 10 || true
  expect "strongSwan asked for it" charon_says 'USE_TRANSP'
  expect "the IKE SA stands or was deleted, and we are alive" ctl gwa status
  is "we installed no child in transport mode" "$(sw gwb --list-sas | grep -c 'INSTALLED, TRANSPORT' || true)" 0
}

scenarios selectors
scenario "strongSwan narrows what we ask for" peer_narrows
scenario "we narrow what strongSwan asks for" we_narrow
scenario "pairs, we initiate" pairs us
scenario "pairs, strongSwan initiates" pairs peer
scenario "two networks in one child here, a child for each there, we initiate" split_by_peer us
scenario "two networks in one child here, a child for each there, strongSwan initiates" split_by_peer peer
scenario "0.0.0.0/0 and routes, we initiate" route_based us
scenario "0.0.0.0/0 and routes, strongSwan initiates" route_based peer
scenario "a protocol and a port" protocol_and_port
scenario "transport mode is refused politely" transport_mode
