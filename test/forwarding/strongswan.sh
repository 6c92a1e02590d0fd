#!/usr/bin/env bash
# Sizes against strongSwan, which fragments its outer packets: no stall through links of 1500, 1400 and 1280.
set -euo pipefail
. "$(dirname "$0")/_sizes.sh"

against() { # MTU
  link_mtu "$1"
  START="wait"
  use_strongswan udp
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
  expect "we initiate" ctl gwa up net --timeout 15
  capture_at wan wanb wire 'ip proto 50 or udp or (ip[6:2] & 0x3fff != 0)'
  serve_iperf hostb
  expect "TCP to strongSwan's side" flows hosta 10.20.1.2 -t 2
  expect "TCP from strongSwan's side" flows hosta 10.20.1.2 -t 2 -R
  expect "UDP from strongSwan's side, which comes in outer fragments" flows hosta 10.20.1.2 -t 2 -u -b 2M -l 1350 -R
  in_ns hosta ping -n -q -c 1 -W 1 -s 1350 10.20.1.2 >/dev/null || true  # an ICMP error would end iperf3's UDP
  expect "UDP to it" flows hosta 10.20.1.2 -t 2 -u -b 2M -l 1350
  expect "large pings" in_ns hostb ping -n -q -c 5 -i 0.2 -W 3 -s 1350 10.10.1.2
  stop capture-wire INT
  [[ $(largest wire 'ip') -le $1 ]] || { step "a packet of $(largest wire ip) octets on a link of $1"; return 1; }
  is "outer fragments of ours" "$(fields wire '(ip.flags.mf == 1 || ip.frag_offset > 0) && ip.src == 198.51.100.2' ip.len | wc -l)" 0
  (($1 == 1500)) || [[ $(fragments wire) -gt 0 ]] || { step "strongSwan sent no fragments: nothing was proved"; return 1; }
}

scenarios sizes-strongswan
for mtu in 1500 1400 1280; do scenario "links of $mtu" against $mtu; done
