#!/usr/bin/env bash
# A path that is narrower than the ports: with routers that say so by ICMP, and with routers that swallow what is too
# large without a word, which the gateway finds out through the tunnel itself.
set -euo pipefail
. "$(dirname "$0")/_sizes.sh"

# A link drops what is too large for its far end, without a word: B's port is told its size.
narrow() { ip -n "$LAB-wan" link set wanb mtu "$1"; } # MTU: of the link behind the router
mtu_is() { [[ $(ctl_json "$1" 'j["children"][0]["mtu"]' show net) == "$2" ]]; } # SIDE MTU
asks_and_knows() { # MTU
  in_ns hosta ip route flush cache  # of what the case before taught the host
  in_ns hosta ping -n -q -M do -c 1 -W 1 -s 1400 10.20.1.2 >/dev/null || true
  mtu_is gwa "$1"
}
mtu_between() { # SIDE LEAST MOST
  local mtu
  mtu=$(ctl_json "$1" 'j["children"][0]["mtu"]' show net)
  [[ $mtu -ge $2 && $mtu -le $3 ]]
}
both_up() {
  causeway_config gwa
  causeway_config gwb
  causeway_start gwa
  causeway_start gwb
  expect "the tunnel comes up" wait_for 20 tunnel_is gwa established
}

told() { # ENCAP
  [[ $1 == native ]] || ENCAP=force
  TUNNEL_EXTRA='probe = false;' WAN_EXTRA_B='mtu = 1320;'
  narrow 1320
  both_up
  # Asked until it is known: both sides begin, and what was learnt on the SA that goes is asked for again. Not by TCP,
  # which B clamps.
  expect "our side knows the path" wait_for 10 asks_and_knows "$(inner_of 1320 aes256gcm16 "$1")"
  expect "and tells hosts" in_ns hosta ping -n -q -c 3 -i 0.2 -W 2 -s 1400 10.20.1.2
  serve_iperf hostb
  expect "TCP does not stall" flows hosta 10.20.1.2 -t 2
}

# Own IKE messages that are larger than the path is known to take leave in fragments of that size: a rekey of the IKE SA
# with a group of 512 octets, and fragments of IKE itself turned off.
own_ike() {
  local path=640
  IKE_PROPOSALS=aes256gcm16-prfsha384-modp4096 IKE_EXTRA='fragment = false;'
  TUNNEL_EXTRA='probe = false;' WAN_EXTRA_B="mtu = $path;"
  narrow $path
  both_up
  expect "our side knows the path" wait_for 10 asks_and_knows "$(inner_of $path aes256gcm16 native)"
  SNAP=0 capture_at wan wana ours 'udp or (ip[6:2] & 0x3fff != 0)'
  expect "the IKE SA is rekeyed" ctl gwa rekey net --ike
  expect "and pings pass" ping_through hosta 5
  stop capture-ours INT
  step "tshark on what left gateway A"
  [[ $(largest ours 'ip.src == 198.51.100.2') -le $path ]] ||
    { step "a packet of $(largest ours 'ip.src == 198.51.100.2') octets on a path of $path"; return 1; }
  matches "first fragments of A's IKE messages" "$(fields ours 'ip.src == 198.51.100.2 && ip.flags.mf == 1' ip.len | wc -l)" '^[1-9]'
  # tshark puts them together again, and the whole is a sound CREATE_CHILD_SA.
  matches "whole messages of A larger than the path" "$(tshark -n -r "$STATE/ours.pcap" -Y 'ip.src == 198.51.100.2 && isakmp.exchangetype == 36' \
    -T fields -e isakmp.length 2>/dev/null | sort -n | tail -n 1)" '^[6-9][0-9][0-9]$'
}

silent() { # HOST: "given" by the configuration, or "seen"
  # What is too large is dropped in the router, not on a link: a veth would keep a frame that its far end does not
  # take at the head of the sender's queue for ever.
  in_ns wan nft 'table ip silent; delete table ip silent; table ip silent { chain pass { type filter hook forward priority 0;
    meta length > 1400 drop; }; }'
  narrow 1500
  [[ $1 != given ]] || TUNNEL_EXTRA_A='probe = "10.20.1.2";' TUNNEL_EXTRA_B='probe = "10.10.1.2";'
  both_up
  [[ $1 != seen ]] || { serve_iperf hostb && in_ns hosta timeout 20 iperf3 -c 10.20.1.2 -n 1K >/dev/null; }
  # To eight octets, and what the cipher's blocks leave over.
  expect "what the path carries is found" wait_for 45 mtu_between gwa $((1400 - 54 - 12)) $((1400 - 54))
  expect "and by the other side" wait_for 45 mtu_between gwb $((1400 - 54 - 12)) $((1400 - 54 + 4))
  [[ $1 == seen ]] || serve_iperf hostb
  expect "TCP flows" flows hosta 10.20.1.2 -t 3
  expect "large packets pass" in_ns hosta ping -n -q -c 3 -i 0.2 -W 2 -s 1400 10.20.1.2
}

scenarios paths
scenario "the router tells, native ESP" told native
scenario "the router tells, ESP in UDP: eight octets are quoted" told udp
scenario "own IKE messages leave in fragments that the path takes" own_ike
# told scenarios come first: the table of the silent router stays.
scenario "the router is silent, a host to ask is named" silent given
scenario "the router is silent, a host is seen" silent seen
