#!/usr/bin/env bash
# A middlebox that passes UDP but not inbound protocol 50, with conf/examples/load-balancer.conf as it is: within 15 s
# traffic flows in UDP, and status says why. Where the path is whole, one-way traffic never leads to that.
set -euo pipefail
. "$(dirname "$0")/_clouds.sh"
EXAMPLE=load-balancer VERSION=2 NET_A=192.168.123.0/24 NET_B=172.17.112.0/20
IKE_PROPOSALS=aes256-sha256-modp2048 SWAN_ESP=aes256-sha256-modp2048

begin() {
  use_strongswan native
  IKE_REKEY=0s CHILD_REKEY=0s CHILD_LIFE=12h IKE_OVER=24h DPD_IDLE=0s
  strongswan_ikev1 gwb
  cloud_hosts
  cloud_gateway_addresses
  strongswan_start gwb
  example_config
  [[ ${1:-} == rekeys ]] || sed -i 's/lifetime = "[0-9]*s"/lifetime = "1h"/' "$STATE/gwa/causeway.conf"
  causeway_start gwa
  expect "established" wait_for 15 tunnel_is gwa established
}
encap_is() { [[ $(ctl_json gwa 'j["tunnels"][0]["children"][0]["encap"]' status) == "$1" ]]; }
diagnosed() { ctl_json gwa 'j["verdict"]' diagnose "$(ctl_json gwa 'j["tunnels"][0]["name"]' status)"; }
flows() { in_ns hosta ping -n -q -c 1 -W 1 172.17.113.228 >/dev/null; }

# The gateway's own probes are in the tunnel too, so packets cannot be counted here: pings both ways are.
rekeys_under_pings() {
  local made i=0
  spawn hosta background-a ping -n -i 0.05 172.17.113.228
  spawn hostb background-b ping -n -i 0.05 "$HOSTS_A"
  made=$(rekeys_done)
  expect "$by_lifetime rekeys by lifetime" wait_for 90 at_least rekeys_done $((made + by_lifetime))
  while [[ $(rekeys_done) -lt $((made + rekeys)) ]]; do
    if ((i++ % 3 == 2)); then rekey_by_command ike; else rekey_by_command child; fi
  done
  step "after $(rekeys_done) rekeys"
  stop background-a INT
  stop background-b INT
  is "pings from our side that went unanswered" "$(unanswered <"$STATE/background-a.out")" 0
  is "pings from the branch that went unanswered" "$(unanswered <"$STATE/background-b.out")" 0
}

swallows_esp() {
  in_ns wan nft 'table ip middlebox { chain f { type filter hook forward priority 0;
    iifname "wanb" ip protocol esp counter drop; }; }'
  begin rekeys
  expect "it begins in native ESP" encap_is native
  spawn hosta background ping -n -i 0.2 172.17.113.228
  expect "traffic flows within 15 s" wait_for 15 flows
  expect "in UDP" wait_for 3 encap_is udp
  stop background INT
  expect "pings from our side" in_ns hosta ping -n -q -c 10 -i 0.1 -W 2 172.17.113.228
  matches "what status says" "$(ctl gwa --json status)" '[Pp]rotocol 50|ESP'
  matches "the log" "$(<"$STATE/gwa-causewayd.out")" 'UDP'
  is "what diagnose says" "$(diagnosed)" L1
  rekeys_under_pings
  expect "still in UDP" encap_is udp
  in_ns wan nft delete table ip middlebox
}

# Packets go out, none come in: an ordinary sender of logs or sensor data. The probe is answered, so the path is good.
one_way() {
  begin
  in_ns hostb nft 'table ip quiet { chain i { type filter hook input priority 0; udp dport 5140 drop; }; }'
  step "20 s of traffic one way"
  # shellcheck disable=SC2016  # python's
  in_ns hosta /usr/bin/python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(200): s.sendto(b"log", ("172.17.113.228", 5140)); time.sleep(0.1)'
  in_ns hostb nft delete table ip quiet
  expect "still native" encap_is native
  is "what diagnose says" "$(diagnosed)" healthy
  is "IKE SAs begun" "$(sw gwb --list-sas | grep -c '^peer: ')" 1
}

scenarios load-balancer
scenario "inbound protocol 50 is swallowed: traffic in UDP within 15 s, status says why, $rekeys rekeys" swallows_esp
scenario "one-way traffic on a good path triggers nothing" one_way
