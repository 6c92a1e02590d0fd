#!/usr/bin/env bash
# Whole tunnels between two of ours with IPv4 and IPv6, outer and inner: all four combinations, native and in UDP, with
# full-sized and too large packets; tshark says what crossed the wire.
set -euo pipefail
. "$(dirname "$0")/_sizes.sh"

six_up() {
  local ns
  for ns in hosta hostb wan; do
    in_ns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
      net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
  done
  for ns in hosta/eth0 hostb/eth0 wan/wana wan/wanb; do
    in_ns "${ns%/*}" sysctl -qw "net.ipv6.conf.${ns#*/}.disable_ipv6=0" "net.ipv6.conf.${ns#*/}.accept_dad=0"
  done
  ip -n "$LAB-hosta" addr add fd10:1::2/64 dev eth0 nodad
  ip -n "$LAB-hosta" -6 route add default via fd10:1::1
  ip -n "$LAB-hostb" addr add fd10:2::2/64 dev eth0 nodad
  ip -n "$LAB-hostb" -6 route add default via fd10:2::1
  ip -n "$LAB-wan" addr add 2001:db8:a::1/64 dev wana nodad
  ip -n "$LAB-wan" addr add 2001:db8:b::1/64 dev wanb nodad
  in_ns wan sysctl -qw net.ipv6.conf.all.forwarding=1
}

# Both families on every port and in the selectors; with OUTER 6 the peers' addresses are IPv6.
six_config() { # SIDE OUTER
  local file=$STATE/$1/causeway.conf us=a them=b mine=1 theirs=2
  [[ $1 == gwa ]] || { us=b them=a mine=2 theirs=1; }
  causeway_config "$1"
  sed -i -e "s|addresses = \[\"10.\([12]\)0.1.1/24\"\]|addresses = [\"10.\10.1.1/24\", \"fd10:$mine::1/64\"]|" \
    -e "s|addresses = \[\"\([0-9.]*\).2/24\"\]; gateway|addresses = [\"\1.2/24\", \"2001:db8:$us::2/64\"]; gateway|" \
    -e "s|local_subnets = \[\(.*\)\]; remote_subnets = \[\(.*\)\];|local_subnets = [\1, \"fd10:$mine::/64\"]; remote_subnets = [\2, \"fd10:$theirs::/64\"];|" \
    -e "s|^tunnels = (|routes = ( { to = \"2001:db8:$them::/64\"; via = \"2001:db8:$us::1\"; } );\ntunnels = (|" "$file"
  [[ $2 == 4 ]] || sed -i "s|remote = \"[0-9.]*\"; local_id = \"[0-9.]*\"; remote_id = \"[0-9.]*\"|port = \"wan\"; remote = \"2001:db8:$them::2\"|" "$file"
}

tunnel() { # OUTER ENCAP
  local outer=$1 encap=$2 sizes wire
  [[ $encap == native ]] || ENCAP=force
  six_config gwa "$outer"
  six_config gwb "$outer"
  causeway_start gwa
  causeway_start gwb
  expect "the tunnel comes up over IPv$outer" wait_for 20 tunnel_is gwa established
  capture_at wan wanb wire
  expect "IPv4 inside" ping_through hosta 5
  expect "IPv6 inside" in_ns hosta ping -n -q -c 5 -i 0.2 -W 2 fd10:2::2
  expect "IPv6 inside, the other way" in_ns hostb ping -n -q -c 5 -i 0.2 -W 2 fd10:1::2
  # IPv6 hosts are told the tunnel's MTU, and send again in pieces.
  in_ns hosta ping -n -q -c 1 -W 1 -s 1440 fd10:2::2 >/dev/null || true
  in_ns hostb ping -n -q -c 1 -W 1 -s 1440 fd10:1::2 >/dev/null || true
  expect "IPv6 packets that are too large" in_ns hosta ping -n -q -c 3 -i 0.2 -W 2 -s 1440 fd10:2::2
  expect "IPv6 of many fragments" in_ns hosta ping -n -q -c 3 -i 0.2 -W 2 -s 3000 fd10:2::2
  expect "IPv4 of many fragments" in_ns hosta ping -n -q -c 3 -i 0.2 -W 2 -s 3000 10.20.1.2
  spawn hostb iperf3 iperf3 -s
  listens() { in_ns hostb ss -Hltn 'sport = :5201' | grep -q LISTEN; }
  wait_for 5 listens
  expect "TCP over IPv6" flows hosta fd10:2::2 -t 2
  expect "TCP over IPv6 the other way" flows hosta fd10:2::2 -t 1 -R
  expect "TCP over IPv4" flows hosta 10.20.1.2 -t 1
  stop capture-wire INT
  step "tshark on the wire"
  wire=$([[ $outer == 4 ]] && echo ip || echo ipv6)
  [[ $(tshark -n -r "$STATE/wire.pcap" -Y "esp && $wire" 2>/dev/null | wc -l) -gt 100 ]]
  is "packets that are neither ours nor the neighbors'" "$(tshark -n -r "$STATE/wire.pcap" \
    -Y "!(esp || isakmp || udpencap || arp || icmpv6.type == 135 || icmpv6.type == 136 || icmpv6.type == 133 || icmpv6.type == 134 || icmpv6.type == 143)" 2>/dev/null | wc -l)" 0
  sizes=$(tshark -n -r "$STATE/wire.pcap" -Y esp -T fields -e frame.len 2>/dev/null | sort -n | tail -n 1)
  [[ $sizes -le 1514 && $sizes -gt 1490 ]] || { step "the largest frame has $sizes octets"; return 1; }
}

scenarios ipv6
six_up
for outer in 4 6; do
  for encap in native udp; do scenario "IPv4 and IPv6 in IPv$outer, $encap" tunnel $outer $encap; done
done
