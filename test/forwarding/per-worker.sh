#!/usr/bin/env bash
# A child for each worker (RFC 9611) between two of ours with two workers each: one tunnel with many flows, which both
# workers encrypt and decrypt with a child of their own. By devices whose queues keep apart what different workers send
# (memif), nobody hands anything over; rekeyed under numbered datagrams, nothing is lost.
# alone: a machine that is busy with others loses frames before we have them
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

flows=32 rate=${RATE:-1000}
[[ ${CAUSEWAY_LONG:-} == yes ]] && rekeys=20 || rekeys=4

# two_workers SIDE ROLE: the WAN is memif, directly to the other side: what a worker sends by its queue arrives in the
# queue of the same number, as a NIC with a rule for each SPI would have it.
two_workers() {
  causeway_config "$1"
  sed -i -e 's/^workers = .*/workers = [0, '$(($(nproc) > 1))'];/' \
    -e "s|net_af_packet0,iface=wan0|net_memif0,role=$2,id=0,socket=$STATE/wan.sock,socket-abstract=no|" \
    -e 's/iface=lan0"/iface=lan0,qpairs=2,framecnt=4096"/' \
    -e 's/198\.51\.100\.[12]/192.0.2.1/g; s/203\.0\.113\.[12]/192.0.2.2/g' \
    -e 's/gateway = "192[^"]*";//; s/role = "both";//' "$STATE/$1/causeway.conf"
}
status() { ctl_json "$1" "j['tunnels'][0]$2" status; }                       # SIDE EXPRESSION
children() { status "$1" '["children"].__len__()'; }                         # SIDE
spis() { ctl_json "$1" '" ".join(sorted(str(c["spi_out"]) for c in j["tunnels"][0]["children"]))' status; }
least() { ctl_json "$1" "min(c['$2'] for c in j['tunnels'][0]['children'])" status; }  # SIDE KEY, over the children
carries() { (($(least "$1" packets_out) > 0 && $(least "$1" packets_in) > 0)); }
handed_over() { ctl_json "$1" "sum(w['handed_over'] for w in j['workers'])" counters; }
least_of() { ctl_json "$1" "min(w['$2'] for w in j['workers'])" counters; }  # SIDE KEY, over the workers
said() { sed -n "s/.*\"$2\": \([0-9]*\).*/\1/p" "$STATE/$1.out"; }           # PROCESS FIELD
arrived() { in_ns "$1" awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $2 }' /proc/net/snmp; }
has_children() { [[ $(children "$1") == "$2" ]]; }
drops_of() { ctl_json "$1" '" ".join(f"{k}={v}" for k, v in j["drops"].items() if v)' counters; }

stream_start() {
  local host
  for host in hosta hostb; do
    spawn $host $host-receiver /usr/bin/python3 "$LAB_TOP/test/support/udp_sequence.py" receive 9000
    hears() { grep -q listening "$STATE/$1-receiver.out"; }
    expect "the receiver on $host listens" wait_for 10 hears $host
    arrived $host >"$STATE/$host-before"
  done
  for host in hosta hostb; do
    spawn $host $host-sender /usr/bin/python3 "$LAB_TOP/test/support/udp_sequence.py" send \
      "$(host_address "$(other_host $host)")" 9000 --rate "$rate" --flows $flows
  done
}
all_there() {
  (($(arrived hosta) - $(<"$STATE/hosta-before") >= $(said hostb-sender sent))) &&
    (($(arrived hostb) - $(<"$STATE/hostb-before") >= $(said hosta-sender sent)))
}
stream_stop() {
  local name
  for name in hosta-sender hostb-sender; do stop $name INT; done
  wait_for 5 all_there || true  # what does not come at all is judged by the caller
  for name in hosta-receiver hostb-receiver; do stop $name INT; done
}
# What the LANs' rings lost before a gateway had it is the machine's.
never_given() { # SIDE
  local pid
  read -r _ pid <"$STATE/$1-causewayd.pid"
  /usr/bin/python3 "$LAB_TOP/test/support/port_losses.py" "$pid" | awk '{ sum += $2 } END { print sum + 0 }'
}

per_worker() {
  local i side before a b lost
  START="wait" DPD_IDLE=0s
  two_workers gwa server
  two_workers gwb client
  causeway_start gwa
  causeway_start gwb
  expect "the tunnel comes up" ctl gwa up net --timeout 20
  for side in gwa gwb; do
    expect "two children on $side" wait_for 45 has_children $side 2
    is "workers of $side that have an outbound SA" "$(least_of $side sas_outbound)" 1
    is "workers of $side that have an inbound SA" "$(least_of $side sas_inbound)" 1
  done
  expect "neighbors are known" ping_through hosta 5
  a=$(handed_over gwa) b=$(handed_over gwb)
  # What was sent before the other side's device was there was dropped, and counted.
  for side in gwa gwb; do never_given $side >/dev/null; drops_of $side >"$STATE/$side-dropped"; done
  stream_start
  for ((i = 1; i <= rekeys; i++)); do
    if ((i % 2)); then side=gwa; else side=gwb; fi
    before=$(spis $side)
    expect "rekey $i, by $side" ctl $side rekey net
    changed() { [[ $(spis "$1" | tr ' ' '\n' | grep -cFxf <(tr ' ' '\n' <<<"$2")) == 0 ]] && has_children "$1" 2; }
    expect "both children have other keys" wait_for 10 changed $side "$before"
  done
  expect "the IKE SA is rekeyed" ctl gwb rekey net --ike
  for side in gwa gwb; do
    expect "each child of $side carries packets both ways" wait_for 10 carries $side
  done
  stream_stop
  lost=$(($(never_given gwa) + $(never_given gwb)))
  figure "$(said hosta-sender sent) and $(said hostb-sender sent) datagrams in $flows flows each, $rekeys rekeys of both children:" \
    "$(said hostb-receiver distinct) and $(said hosta-receiver distinct) arrived, $lost were never given to a gateway"
  expect "of what was sent, all arrives that a gateway was given" test \
    $(($(said hosta-sender sent) + $(said hostb-sender sent) - $(said hostb-receiver distinct) - $(said hosta-receiver distinct))) -le "$lost"
  is "packets that A's workers handed over" $(($(handed_over gwa) - a)) 0
  is "packets that B's workers handed over" $(($(handed_over gwb) - b)) 0
  for side in gwa gwb; do is "drops counted on $side" "$(drops_of $side)" "$(<"$STATE/$side-dropped")"; done
}

scenarios per-worker
scenario "a child for each of two workers, between two of ours" per_worker
