#!/usr/bin/env bash
# TCP and UDP between two of ours through links of 1280, 1400, 1500 and 9000 octets, packets with and without DF: nothing
# stalls, nothing on the wire is larger than the link or cut behind encryption, and TCP's MSS is right to the octet.
set -euo pipefail
. "$(dirname "$0")/_sizes.sh"

# through MTU SUITE ENCAP DF: DF is on (the hosts' packets forbid fragments) or off
through() {
  local mtu=$1 suite=$2 encap=$3 df=$4 inner outer mss link
  link_mtu "$mtu"
  [[ $encap == native ]] || ENCAP=force
  ESP_PROPOSALS=$suite
  inner=$(inner_of "$mtu" "$suite" "$encap")
  causeway_config gwa
  causeway_config gwb
  causeway_start gwa
  causeway_start gwb
  expect "the tunnel comes up" wait_for 20 tunnel_is gwa established
  is "the MTU that show names" "$(ctl_json gwa 'j["children"][0]["mtu"]' show net)" "$inner"
  ip -n "$LAB-hosta" route flush cache  # what they learnt of the links before
  ip -n "$LAB-hostb" route flush cache
  in_ns hosta sysctl -qw net.ipv4.ip_no_pmtu_disc="$([[ $df == on ]] && echo 0 || echo 1)"
  in_ns hostb sysctl -qw net.ipv4.ip_no_pmtu_disc="$([[ $df == on ]] && echo 0 || echo 1)"
  capture_at wan wanb wire 'ip proto 50 or udp'
  capture_at hostb eth0 syns 'tcp[tcpflags] & tcp-syn != 0'
  capture_at hosta eth0 answers 'tcp[tcpflags] & tcp-syn != 0'
  serve_iperf hostb
  expect "TCP from A to B" flows hosta 10.20.1.2 -t 2
  expect "TCP from B to A" flows hosta 10.20.1.2 -t 2 -R
  # An ICMP error ends iperf3's UDP: the hosts learn the tunnel's size before.
  in_ns hosta ping -n -q -c 1 -W 1 -s $((mtu > 1500 ? 8950 : 1460)) 10.20.1.2 >/dev/null || true
  in_ns hostb ping -n -q -c 1 -W 1 -s $((mtu > 1500 ? 8950 : 1460)) 10.10.1.2 >/dev/null || true
  expect "UDP of a site's full packets" flows hosta 10.20.1.2 -t 2 -u -b 4M -l $((mtu > 1500 ? 8900 : 1460))
  expect "UDP the other way" flows hosta 10.20.1.2 -t 2 -u -b 4M -l $((mtu > 1500 ? 8900 : 1460)) -R
  # The kernel puts fragments together before an af_packet port sees them; they must fit its frames.
  expect "datagrams in fragments" in_ns hosta ping -n -q -c 3 -i 0.2 -W 3 -s $((mtu > 1500 ? 9500 : 3000)) 10.20.1.2
  stop capture-wire INT
  stop capture-syns INT
  stop capture-answers INT
  step "tshark on the wire"
  link=$(largest wire 'ip')
  [[ $link -le $mtu ]] || { step "a packet of $link octets on a link of $mtu"; return 1; }
  # The largest outer packet is the one that the largest inner one makes: the tunnel is used to its last octet.
  outer=$(largest wire 'esp')
  is "the inner packet that the largest outer one holds" "$(inner_of "$outer" "$suite" "$encap")" "$inner"
  is "outer fragments" "$(fragments wire)" 0
  mss=$((inner - 40))
  is "the MSS that B's host is offered" "$(fields syns 'ip.src == 10.10.1.2' tcp.options.mss_val | sort -u)" $mss
  is "the MSS that A's host is offered" "$(fields answers 'ip.src == 10.20.1.2' tcp.options.mss_val | sort -u)" $mss
}

scenarios sizes
for mtu in 1280 1400 1500 9000; do
  for df in on off; do
    scenario "links of $mtu, DF $df, aes256gcm16, native" through $mtu aes256gcm16 native $df
  done
done
scenario "links of 1500, DF on, aes128-sha256 in UDP" through 1500 aes128-sha256 udp on
if [[ ${CAUSEWAY_LONG:-no} == yes ]]; then
  for suite in aes128gcm16 chacha20poly1305 aes256-sha1 aes256-sha384 aes256-sha512 aes128ctr-sha256; do
    for encap in native udp; do
      scenario "links of 1400, DF on, $suite, $encap" through 1400 $suite $encap on
    done
  done
fi
