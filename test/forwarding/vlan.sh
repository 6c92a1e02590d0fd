#!/usr/bin/env bash
# Two 802.1Q sub-ports on one device: hosts of two VLANs reach each other and the tunnel, each under its own tag, with
# full-sized packets.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"
LAB_NAMESPACES="$LAB_NAMESPACES guests"

sub_ports() {
  NET_A=10.10.1.0/24,10.30.1.0/24
  LAN_EXTRA_A='vlan = 20; }, { name = "guests"; device = "net_af_packet1,iface=lan0"; addresses = ["10.30.1.1/24"]; vlan = 30;'
  causeway_config gwa
  causeway_config gwb
  step "hosts behind a switch that tags"
  spawn hosta switch /usr/bin/python3 "$LAB_TOP/test/support/vlan_switch.py" eth0 20:office 30:guests
  tagging() { grep -q ready "$STATE/switch.out"; }
  wait_for 10 tagging
  ip -n "$LAB-hosta" addr flush dev eth0
  ip -n "$LAB-hosta" link set guests netns "$LAB-guests"
  ip -n "$LAB-hosta" addr add 10.10.1.2/24 dev office
  ip -n "$LAB-hosta" link set office up
  ip -n "$LAB-hosta" route add default via 10.10.1.1
  ip -n "$LAB-guests" addr add 10.30.1.2/24 dev guests
  ip -n "$LAB-guests" link set guests up
  ip -n "$LAB-guests" route add default via 10.30.1.1
  causeway_start gwa
  causeway_start gwb
  expect "the tunnel comes up" wait_for 20 tunnel_is gwa established
  expect "ping from one VLAN to the other" in_ns hosta ping -n -q -c 5 -i 0.2 -W 2 10.30.1.2
  expect "full packets from one to the other" in_ns guests ping -n -q -c 3 -i 0.2 -W 2 -M do -s 1472 10.10.1.2
  expect "ping from the first through the tunnel" in_ns hosta ping -n -q -c 5 -i 0.2 -W 2 10.20.1.2
  expect "ping from the second through the tunnel" in_ns guests ping -n -q -c 5 -i 0.2 -W 2 10.20.1.2
  expect "TCP through the tunnel" tcp_through 2
  expect "ping to the gateway in either VLAN" in_ns guests ping -n -q -c 2 -i 0.2 -W 2 10.30.1.1
  is "neighbors of the second port" "$(ctl_json gwa '[n["address"] for n in j["neighbors"] if n["port"] == "guests"]' neighbors)" "['10.30.1.2']"
}

scenarios vlan
scenario "two sub-ports on one device" sub_ports
