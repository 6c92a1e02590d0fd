#!/usr/bin/env bash
# Overlapping sites: both have 10.10.1.0/24, each sees the other's under another prefix. TCP, UDP, and the ICMP errors
# that tell a host why. Then a site with strongSwan, which knows nothing of any translation.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

refused_at_once() { # NS ADDRESS: UDP to a port where nobody listens ends with the ICMP error, not with silence
  in_ns "$1" /usr/bin/python3 - "$2" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 4444))
s.settimeout(3)
s.send(b"anybody?")
try:
    s.recv(10)
except ConnectionRefusedError:
    sys.exit(0)
sys.exit("no ICMP error came back")
PYTHON
}

same_subnet() {
  LAN_B=10.10.1.1 NET_A=10.200.1.0/24 NET_B=10.201.1.0/24
  TUNNEL_EXTRA_A='translate = ( { local = "10.10.1.0/24"; seen_as = "10.200.1.0/24"; } );'
  TUNNEL_EXTRA_B='translate = ( { local = "10.10.1.0/24"; seen_as = "10.201.1.0/24"; } );'
  ip -n "$LAB-hostb" addr flush dev eth0
  ip -n "$LAB-hostb" addr add 10.10.1.2/24 dev eth0
  ip -n "$LAB-hostb" route add default via 10.10.1.1
  causeway_config gwa
  causeway_config gwb
  causeway_start gwa
  causeway_start gwb
  expect "the tunnel comes up" wait_for 20 tunnel_is gwa established
  capture_start
  expect "ping from A to B" in_ns hosta ping -n -q -c 5 -i 0.2 -W 2 10.201.1.2
  expect "ping from B to A" in_ns hostb ping -n -q -c 5 -i 0.2 -W 2 10.200.1.2
  step "TCP both ways"
  spawn hostb iperf3 iperf3 -s -4
  listens() { in_ns hostb ss -Hltn 'sport = :5201' | grep -q LISTEN; }
  wait_for 5 listens
  in_ns hosta timeout 20 iperf3 -c 10.201.1.2 -t 1
  in_ns hosta timeout 20 iperf3 -c 10.201.1.2 -t 1 -R
  step "UDP in fragments both ways"
  in_ns hosta ping -n -q -c 3 -i 0.2 -W 2 -s 3000 10.201.1.2
  expect "an ICMP error of the far host reaches the near one" refused_at_once hosta 10.201.1.2
  expect "and the other way" refused_at_once hostb 10.200.1.2
  expect "the far gateway answers under its translated address" in_ns hosta ping -n -q -c 2 -i 0.2 -W 2 10.201.1.1
  step "a packet whose time is up is told so"
  matches "what ping says" "$(in_ns hosta ping -n -c 1 -W 2 -t 1 10.201.1.2 || true)" 'Time to live exceeded'
  matches "what ping says behind the tunnel" "$(in_ns hosta ping -n -c 1 -W 2 -t 2 10.201.1.2 || true)" 'Time to live exceeded'
  capture_stop
  expect "nothing but ESP, IKE and ARP on the wire" capture_classify --require esp
}

with_strongswan() {
  NET_A=10.200.1.0/24
  TUNNEL_EXTRA_A='translate = ( { local = "10.10.1.0/24"; seen_as = "10.200.1.0/24"; } );'
  START="wait"
  use_strongswan udp
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  expect "we initiate" ctl gwa up net --timeout 15
  expect "ping from our site" ping_through hosta 5
  expect "ping to the address that the peer knows" in_ns hostb ping -n -q -c 5 -i 0.2 -W 2 10.200.1.2
  expect "TCP both ways" tcp_through 1
  expect "an ICMP error through strongSwan" refused_at_once hosta 10.20.1.2
}

scenarios translate
scenario "two sites of ours with the same subnet" same_subnet
ip -n "$LAB-hostb" addr flush dev eth0
ip -n "$LAB-hostb" addr add 10.20.1.2/24 dev eth0
ip -n "$LAB-hostb" route replace default via 10.20.1.1
scenario "our side translates, strongSwan's does not" with_strongswan
