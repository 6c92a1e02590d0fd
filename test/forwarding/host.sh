#!/usr/bin/env bash
# `host = true`: own traffic goes to the kernel and back through a tap, on the port's own addresses: TCP to the
# gateway and from it, in clear on the LAN, through the tunnel, and with the router before the WAN.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

serve() { # NS ADDRESS: an iperf3 server
  spawn "$1" "server-$1" iperf3 -s -B "$2"
  serving() { in_ns "$1" ss -Hltn 'sport = :5201' | grep -q LISTEN; }
  wait_for 5 serving "$1"
}
talk() { # FROM TO [OPTIONS]: TCP both ways, half a megabyte each
  local from=$1 to=$2; shift 2
  for way in "" -R; do
    # shellcheck disable=SC2086
    in_ns "$from" timeout 20 iperf3 -c "$to" -n 512K $way "$@" || return 1
  done
}
kernel_counts() { # SIDE: packets that went to the kernel
  in_ns "$1" cat /sys/class/net/cw-lan/statistics/rx_packets
}

own_traffic() {
  LAN_EXTRA_A='host = true;' WAN_EXTRA_A='host = true;'
  causeway_config gwa
  causeway_config gwb
  # The kernel sees what af_packet ports receive, too. It must not answer by itself: all is to go through the taps.
  in_ns gwa nft 'table netdev lab { chain wan { type filter hook ingress device wan0 priority 0; drop; };
    chain lan { type filter hook ingress device lan0 priority 0; drop; }; }'
  in_ns gwa sysctl -qw net.ipv4.conf.all.rp_filter=1  # what many distributions have
  causeway_start gwa
  causeway_start gwb
  expect "the tunnel comes up" wait_for 20 tunnel_is gwa established
  is "the kernel's interface in show port" "$(ctl_json gwa 'j["ports"][1]["host"]' show port)" cw-lan
  is "its MAC address" "$(in_ns gwa cat /sys/class/net/cw-lan/address)" "$(in_ns gwa cat /sys/class/net/lan0/address)"
  capture_start

  step "TCP from a host on the LAN to the gateway"
  serve gwa 10.10.1.1
  talk hosta 10.10.1.1
  step "TCP through the tunnel to the gateway's inner address"
  talk hostb 10.10.1.1
  [[ $(kernel_counts gwa) -gt 300 ]] || { step "only $(kernel_counts gwa) packets went to the kernel"; return 1; }
  step "TCP from the gateway to a host on the LAN"
  serve hosta 10.10.1.2
  talk gwa 10.10.1.2
  step "TCP from the gateway through the tunnel: its route and its source address are the kernel's to choose"
  serve hostb 10.20.1.2
  talk gwa 10.20.1.2
  expect "ping from the gateway through the tunnel" in_ns gwa ping -n -q -c 3 -i 0.2 -W 2 10.20.1.2
  step "a ping that does not fit the tunnel is told the tunnel's MTU"
  matches "what ping says" "$(in_ns gwa ping -n -c 2 -i 0.2 -W 1 -M do -s 1440 10.20.1.2 2>&1 || true)" \
    '(Frag needed and DF set|message too long).*mtu.*1446'

  step "with the router before the WAN, in clear and to nobody else"
  capture_stop
  capture_classify --require esp
  stop server-gwa
  serve gwa 198.51.100.2
  talk wan 198.51.100.2
  expect "ping from the gateway to its router" in_ns gwa ping -n -q -c 3 -i 0.2 -W 2 -I 198.51.100.2 198.51.100.1
  expect "the gateway still answers pings itself" in_ns hosta ping -n -q -c 3 -i 0.2 -W 2 10.10.1.1
  is "the rules of its addresses" "$(in_ns gwa ip rule list pref 5200 | wc -l)" 2
  stop gwa-causewayd
  is "the rules when it has ended" "$(in_ns gwa ip rule list pref 5200 | wc -l)" 0
  is "the interfaces when it has ended" "$(in_ns gwa ip -br link | grep -c cw- || true)" 0
}

scenarios host
scenario "own traffic through the kernel's taps" own_traffic
