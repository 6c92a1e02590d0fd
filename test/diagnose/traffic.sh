#!/usr/bin/env bash
# A tunnel that is up and does not carry everything, and healthy ones beside it.
set -euo pipefail
. "$(dirname "$0")/_diagnose.sh"
VERSION=2 START=now
IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256

begin() {
  theirs
  ours
  expect "established" wait_for 15 tunnel_is gwa established
}
ask_in_vain() { in_ns "$1" ping -n -q -c "${3:-10}" -i 0.2 -W 1 "$2" >/dev/null || true; }
connect_in_vain() { # NS HOST PORT: a SYN, three times
  # shellcheck disable=SC2016  # python's
  in_ns "$1" /usr/bin/python3 -c 'import socket, sys
for i in range(3):
    s = socket.socket(); s.settimeout(0.7)
    try: s.connect((sys.argv[1], int(sys.argv[2])))
    except OSError: pass
    s.close()' "$2" "$3"
}

# One lab, one tunnel: healthy, then each way to be dead in turn, then healthy again.
dead_ways() {
  begin
  expect "pings" ping_through hosta 3
  verdict healthy
  step "the hosts behind the peer have no way back"
  ip -n "$LAB-hostb" route del default
  ask_in_vain hosta 10.20.1.2
  verdict F5
  ip -n "$LAB-hostb" route add default via 10.20.1.1
  expect "pings" ping_through hosta 3
  verdict healthy
  step "our hosts have no way back"
  ip -n "$LAB-hosta" route del default
  ask_in_vain hostb 10.10.1.2
  verdict F4
  ip -n "$LAB-hosta" route add default via 10.10.1.1
  expect "pings" ping_through hostb 3
  verdict healthy
  step "a port is closed by the peer's security group"
  in_ns hostb nft 'table ip sg { chain i { type filter hook input priority 0; tcp dport 22 drop; }; }'
  expect "pings" ping_through hosta 2
  connect_in_vain hosta 10.20.1.2 22
  in_ns hosta ping -n -q -c 2 10.20.1.2 >/dev/null
  verdict F7
  matches "the text" "$(ctl gwa diagnose net)" 'port 22'
  in_ns hostb nft delete table ip sg
  connect_in_vain hosta 10.20.1.2 22  # refused by a reset: an answer
  verdict healthy
}

# The peer translates what its hosts send into the tunnel.
translated() {
  VERSION=1 ESP_EXTRA='pfs = false;'
  scripted_start  # a strongSwan's own policies keep such packets back
  ours
  expect "established" wait_for 15 tunnel_is gwa established
  in_ns gwb nft 'table ip nat { chain p { type nat hook postrouting priority 100; ip daddr 10.10.1.0/24 ip saddr 10.20.1.0/24 snat to 203.0.113.2; }; }'
  ask_in_vain hostb 10.10.1.2
  verdict F6
  matches "the text" "$(ctl gwa diagnose net)" '203.0.113.2'
  in_ns gwb nft delete table ip nat
}

# The route is not published in the VPC: the same as F5, with the console's page named.
unpublished() {
  IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256-modp2048 TUNNEL_EXTRA='cloud = "aliyun";'
  SWAN_ESP=aes256-sha256-modp2048
  begin
  ip -n "$LAB-hostb" route del default
  ask_in_vain hosta 10.20.1.2
  verdict A4
  matches "the page" "$(ctl gwa diagnose net)" 'route table'
  ip -n "$LAB-hostb" route add default via 10.20.1.1
}

# Packets one way and nothing back, and answers of type 11 from routers on the way: all is well.
one_way() {
  begin
  in_ns hostb nft 'table ip quiet { chain i { type filter hook input priority 0; udp dport 5140 drop; }; }'
  # shellcheck disable=SC2016  # python's
  in_ns hosta /usr/bin/python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(60): s.sendto(b"log", ("10.20.1.2", 5140)); time.sleep(0.1)'
  stays healthy
  in_ns hostb nft delete table ip quiet
  step "L2: traceroute, whose answers are ICMP time exceeded"
  for ttl in 1 2 3; do in_ns hosta ping -n -q -c 2 -i 0.2 -W 1 -t "$ttl" 10.20.1.2 >/dev/null || true; done
  verdict healthy
}

row "F5, F4, F7 in turn, and healthy between and behind them" dead_ways
row "F6 the peer translates tunnel traffic" translated
row "A4 the route is not published" unpublished
row "healthy: one-way traffic, and traceroute (L2)" one_way
run_diagnoses traffic 2
