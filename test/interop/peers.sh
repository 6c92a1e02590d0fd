#!/usr/bin/env bash
# Who the peer is and who begins: by any address, by name, by traffic, with another group than we guessed, on port 4500
# from the start, behind NATs, without a child at first. Against strongSwan 5.9.8.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

# A NAT of the router without memory of its own, so that its ports change when we say so:
# nat WHO PORT [PORT_500]: WHO is a or b; its datagrams from 4500 leave from PORT of the router's far address, those
# from 500 from the other port.
nat() {
  local inside outside far ike=${3:-$(($2 + 1))}
  case $1 in
    a) inside=198.51.100.2 outside=203.0.113.1 far=wanb ;;
    b) inside=203.0.113.2 outside=198.51.100.1 far=wana ;;
  esac
  # The source behind routing: a router takes no packet that claims to come from itself. No checksum: ESP in UDP has
  # none, and nft would make one of it.
  in_ns wan nft "table ip nat-$1 {
    chain back { type filter hook prerouting priority -300;
      iifname $far ip daddr $outside udp dport $ike udp dport set 500 ip daddr set $inside udp checksum set 0
      iifname $far ip daddr $outside udp dport $2 udp dport set 4500 ip daddr set $inside udp checksum set 0
    }
    chain out { type filter hook postrouting priority 300;
      oifname $far ip saddr $inside udp sport 500 udp sport set $ike ip saddr set $outside udp checksum set 0
      oifname $far ip saddr $inside udp sport 4500 udp sport set $2 ip saddr set $outside udp checksum set 0
    }; }"
}
no_nat() { in_ns wan nft delete table ip "nat-$1" 2>/dev/null || true; }
# What a failed case may have left behind.
without_nats() { no_nat a; no_nat b; "$@"; }

we_behind_nat() {
  nat a 14500
  START=wait DPD_IDLE=0s STRONGSWAN_EXTRA='remote_addrs = %any'
  start_both udp
  bring_up us
  is "who is behind a NAT" "$(our_field '["ike"]["nat"]')" both  # charon's ESP in UDP always claims one for itself
  expect "pings pass" ping_through hosta 5
  expect "pings pass the other way" ping_through hostb 5
  expect "we rekey the IKE SA through it" ctl gwa rekey net --ike
  expect "strongSwan rekeys the child through it" sw gwb --rekey --child net
  expect "pings pass" ping_through hosta 5
}

# The peer is behind a NAT, whose port changes in mid-life: we follow an authentic packet of its, once it has answered.
peer_behind_nat() {
  nat b 14500
  START=wait DPD_IDLE=0s REMOTE=any TUNNEL_EXTRA='port = "wan"; role = "responder";' PEER_ID_A=203.0.113.2
  start_both udp
  expect "strongSwan initiates" sw gwb --initiate --child net --timeout 15
  expect "pings pass" ping_through hosta 5
  matches "where its NAT shows it" "$(our_field '["ike"]["remote"]')" '198.51.100.1:14500'
  no_nat b
  nat b 24500
  expect "a packet of the peer from its new port is let in" in_ns hostb ping -n -q -c 1 -W 1 10.10.1.2 || true
  moved() { [[ $(our_field '["ike"]["remote"]') == *:24500 ]]; }
  expect "we follow" wait_for 10 moved
  expect "pings pass" ping_through hosta 5
  expect "we say so" grep -q 'moved from' "$STATE/gwa-causewayd.out"
}

both_behind_nat() {
  nat a 4500 500  # forwarded for us, so that the peer can begin
  nat b 15500
  START=wait DPD_IDLE=0s REMOTE=any TUNNEL_EXTRA='port = "wan"; role = "responder";' PEER_ID_A=203.0.113.2
  STRONGSWAN_EXTRA='remote_addrs = 203.0.113.1'
  start_both udp
  expect "strongSwan initiates" sw gwb --initiate --child net --timeout 15
  is "who is behind a NAT" "$(our_field '["ike"]["nat"]')" both
  expect "pings pass" ping_through hosta 5
  expect "pings pass the other way" ping_through hostb 5
}

by_traffic() {
  START=traffic DPD_IDLE=0s
  start_both udp
  is "our state before any packet" "$(tunnel_state gwa)" down
  expect "a packet brings it up" wait_for 10 flows_from hosta
  expect "established on our side" wait_for 5 tunnel_is gwa established
  # RFC 7296 2.9: the packet's own addresses stand first.
  expect "strongSwan saw the packet's addresses first" charon_says '10\.10\.1\.2/32.*10\.10\.1\.0/24'
  expect "pings pass" ping_through hosta 5
}

from_any() {
  START=wait DPD_IDLE=0s REMOTE=any TUNNEL_EXTRA='port = "wan"; role = "responder";' PEER_ID_A=branch.example.net ID_B=branch.example.net
  start_both udp
  expect "strongSwan initiates" sw gwb --initiate --child net --timeout 15
  expect "pings pass" ping_through hosta 5
  is "who it is" "$(ctl_json gwa '(j.get("tunnel") or j)["ike"]["remote_id"]' show net)" branch.example.net
}

by_name() {
  mkdir -p "/etc/netns/$LAB-gwa"
  echo "203.0.113.9 peer.example.net" >"/etc/netns/$LAB-gwa/hosts"
  START=now DPD_IDLE=0s REMOTE=peer.example.net TUNNEL_EXTRA='port = "wan";' PEER_ID_A=203.0.113.2
  start_both udp
  sleep 1
  is "our state while the name leads nowhere" "$(our_field '["children"].__len__()')" 0
  # ip netns exec mounts the file itself, so it is changed in place.
  echo "203.0.113.2 peer.example.net" >"/etc/netns/$LAB-gwa/hosts"
  expect "it is asked for again, and found" wait_for 60 tunnel_is gwa established
  expect "pings pass" ping_through hosta 5
}

other_group() { # INITIATOR
  START=wait DPD_IDLE=0s IKE_PROPOSALS_A=aes256gcm16-prfsha384-x25519,aes256gcm16-prfsha384-ecp384
  IKE_PROPOSALS_B=aes256gcm16-prfsha384-ecp384
  [[ $1 == us ]] || IKE_PROPOSALS_A=aes256gcm16-prfsha384-ecp384 IKE_PROPOSALS_B=aes256gcm16-prfsha384-x25519-ecp384
  start_both udp
  bring_up "$1"
  matches "our suite" "$(our_field '["ike"]["suite"]')" ecp384
  expect "the first guess was turned down" charon_says 'N\(INVAL_KE\)'
  expect "pings pass" ping_through hosta 5
}

port_4500() {
  START=wait DPD_IDLE=0s IKE_EXTRA='port_4500_from_start = true;'
  start_both udp
  capture_start
  bring_up us
  expect "pings pass" ping_through hosta 5
  capture_stop
  is "packets on port 500" "$(tcpdump -nr "$STATE/wire.pcap" udp port 500 2>/dev/null | wc -l)" 0
}

forced_encapsulation() {
  START=wait DPD_IDLE=0s ENCAP=force
  start_both native
  capture_start
  bring_up us
  is "our encapsulation" "$(our_field '["children"][0]["encap"]')" udp
  expect "pings pass" ping_through hosta 5
  capture_stop
  is "packets of protocol 50" "$(tcpdump -nr "$STATE/wire.pcap" ip proto 50 2>/dev/null | wc -l)" 0
}

# RFC 6023: the IKE SA first, its children by CREATE_CHILD_SA.
childless() {
  START=wait DPD_IDLE=0s STRONGSWAN_EXTRA='childless = force'
  start_both udp
  expect "strongSwan initiates" sw gwb --initiate --child net --timeout 15
  expect "its IKE_AUTH had no child" charon_says 'generating IKE_AUTH request 1 \[ IDi .*AUTH( N\([^)]*\))* \]'
  expect "established on our side" wait_for 5 tunnel_is gwa established
  expect "pings pass" ping_through hosta 5
}

# A peer that insists on it refuses the child of our IKE_AUTH, and gets it asked for behind.
childless_for_us() {
  START=wait DPD_IDLE=0s STRONGSWAN_EXTRA='childless = force'
  start_both udp
  expect "we initiate" ctl gwa up net --timeout 15
  expect "strongSwan wanted no child in IKE_AUTH" charon_says 'peer did not initiate a childless IKE_SA'
  expect "its child came by CREATE_CHILD_SA" charon_says 'generating CREATE_CHILD_SA response .* SA '
  is "IKE SAs that it took" "$(ctl gwa log | grep -c 'IKE SA established')" 1
  expect "pings pass" ping_through hosta 5
}

# RFC 9611: with two workers we say that we take a child for each. strongSwan 5.9.8 does not know the notify, and goes on.
one_child_for_all_workers() {
  START=wait DPD_IDLE=0s
  use_strongswan udp
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  sed -i -e 's/^workers = .*/workers = [0, '$(($(nproc) > 1))'];/' -e 's/iface=\([a-z]*\)0"/iface=\10,qpairs=2"/' \
    "$STATE/gwa/causeway.conf"
  causeway_start gwa
  bring_up us
  expect "strongSwan has our SA_RESOURCE_INFO" charon_says 'parsed IKE_AUTH request .*N\(.*(16444|SA_RES)'
  expect "pings pass" ping_through hosta 5
  expect "pings pass the other way" ping_through hostb 5
  expect "we rekey the child" ctl gwa rekey net --child net
  expect "strongSwan rekeys the child" sw gwb --rekey --child net
  expect "we rekey the IKE SA" ctl gwa rekey net --ike
  expect "pings pass" ping_through hosta 5
  is "children" "$(our_children)" 1
  is "what we asked of strongSwan, but for the rekeys" \
    "$(grep 'parsed CREATE_CHILD_SA request' "$STATE/gwb/charon.log" | grep -vc -e REKEY_SA -e 'SA No KE \]')" 0
  expect "strongSwan deletes the tunnel" sw gwb --terminate --ike peer
  expect "we saw it go" wait_for 5 tunnel_is gwa down
  bring_up peer
  expect "pings pass" ping_through hostb 5
  is "children" "$(our_children)" 1
}

scenarios peers
trap 'rm -rf "/etc/netns/$LAB-gwa"; lab_down' EXIT
scenario "we are behind a NAT" without_nats we_behind_nat
scenario "strongSwan is behind a NAT, which changes its port" without_nats peer_behind_nat
scenario "both are behind NATs" without_nats both_behind_nat
scenario "the first packet brings it up, and its addresses stand first" without_nats by_traffic
scenario "a peer of any address, known by its name" without_nats from_any
scenario "a peer by host name, which is asked for again" without_nats by_name
scenario "another group than we guessed" without_nats other_group us
scenario "another group than strongSwan guessed" without_nats other_group peer
scenario "port 4500 from the first message on" without_nats port_4500
scenario "UDP encapsulation by force" without_nats forced_encapsulation
scenario "an IKE SA without a child, then the child" without_nats childless
scenario "strongSwan takes no child with our IKE_AUTH" without_nats childless_for_us
scenario "one child for all workers with a peer that knows no other way" without_nats one_child_for_all_workers
