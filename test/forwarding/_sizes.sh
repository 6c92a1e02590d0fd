# _sizes.sh - sourced by test/forwarding/*.sh: links of a size, traffic that must not stall, and what tshark says of the
# wire and of the hosts' segments.
# shellcheck shell=bash disable=SC2034

. "$(dirname "${BASH_SOURCE[0]}")/../support/scenario.sh"

# link_mtu MTU: every link between the gateways takes so much; larger than 1500, the sites' links as well.
link_mtu() {
  local pair
  for pair in gwa/wan0 wan/wana wan/wanb gwb/wan0; do ip -n "$LAB-${pair%/*}" link set "${pair#*/}" mtu "$1"; done
  WAN_EXTRA="mtu = $1;"
  (($1 > 1500)) || return 0
  for pair in hosta/eth0 gwa/lan0 gwb/lan0 hostb/eth0; do ip -n "$LAB-${pair%/*}" link set "${pair#*/}" mtu "$1"; done
  LAN_EXTRA="mtu = $1;"
}

# What a suite carries, by arithmetic of the test's own: inner_of OUTER SUITE ENCAP -> octets
inner_of() {
  /usr/bin/python3 - "$@" <<'PYTHON'
import sys
outer, suite, encap = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if "gcm16" in suite or "chacha" in suite:
    iv, block, icv = 8, 4, 16
else:
    cipher, mac = suite.split("-")
    iv, block = (8, 4) if cipher.endswith("ctr") else (16, 16)
    icv = {"sha1": 12, "sha256": 16, "sha384": 24, "sha512": 32}[mac]
room = outer - 20 - (8 if encap == "udp" else 0) - 8 - iv - icv
print(room // block * block - 2)
PYTHON
}

capture_at() { # NS INTERFACE NAME FILTER...
  local ns=$1 interface=$2 name=$3; shift 3
  spawn "$ns" "capture-$name" tcpdump -n --immediate-mode -U -B 65536 -s "${SNAP:-128}" -i "$interface" -w "$STATE/$name.pcap" "$@"
  hears() { grep -q 'listening on' "$STATE/capture-$1.out"; }
  wait_for 5 hears "$name"
}

# flows FROM ADDRESS OPTIONS...: iperf3 whose every second brought something; prints what arrived.
flows() {
  local from=$1 to=$2 out; shift 2
  out=$(in_ns "$from" timeout 40 iperf3 -c "$to" -i 1 -J "$@") || { echo "iperf3 failed: $out" >&2; return 1; }
  /usr/bin/python3 -c '
import json, sys
j = json.load(sys.stdin)
if "error" in j: sys.exit("iperf3: " + j["error"])
still = [i for i, s in enumerate(j["intervals"]) if s["sum"]["bytes"] == 0 and s["sum"]["seconds"] > 0.5]
if still: sys.exit("nothing moved in second %s of %d" % (still, len(j["intervals"])))
end = j["end"]
if "sum_received" in end:
    if end["sum_received"]["bytes"] == 0: sys.exit("nothing arrived")
    print("TCP: %.1f Mbit/s" % (end["sum_received"]["bits_per_second"] / 1e6))
else:
    total, lost = end["sum"]["packets"], end["sum"]["lost_packets"]
    print("UDP: %d of %d datagrams lost" % (lost, total))
    if lost * 10 > total: sys.exit("more than a tenth lost: %d of %d" % (lost, total))' <<<"$out"
}

serve_iperf() { # NS
  spawn "$1" "iperf3-$1" iperf3 -s -4
  served() { in_ns "$1" ss -Hltn 'sport = :5201' | grep -q LISTEN; }
  wait_for 5 served "$1"
}

fields() { # PCAP FILTER FIELD: tshark's values, one a line
  tshark -n -r "$STATE/$1.pcap" -Y "$2" -T fields -e "$3" -E occurrence=f 2>/dev/null
}
largest() { fields "$1" "$2" ip.len | sort -n | tail -n 1; }
fragments() { fields "$1" 'ip.flags.mf == 1 || ip.frag_offset > 0' ip.len | wc -l; }
