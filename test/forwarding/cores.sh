#!/usr/bin/env bash
# One tunnel on two workers, with real daemons: `spread` (every worker encrypts what it receives) and `lend` (the other
# helps to decrypt), between two of ours and against strongSwan; rekeyed under traffic, which goes on.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

# two_workers SIDE CORES: devices with two queues each, which the kernel fills by flow
two_workers() {
  causeway_config "$1"
  sed -i -e 's/^workers = .*/workers = [0, '$(($(nproc) > 1))'];/' \
    -e 's/iface=wan0"/iface=wan0,qpairs=2"/; s/iface=lan0"/iface=lan0,qpairs=2"/' \
    -e 's/esp = { /esp = { replay_window = 8192; /' \
    -e "s/local_subnets/cores = \"$2\"; local_subnets/" "$STATE/$1/causeway.conf"
}
sum_of() { ctl_json "$1" "sum(w['$2'] for w in j['workers'])" counters; }      # SIDE KEY
least_of() { ctl_json "$1" "min(w['$2'] for w in j['workers'])" counters; }    # SIDE KEY
flows() { # SECONDS OPTIONS...: eight TCP connections each way, so that both queues have some
  tcp_rate "$@" -P 8 >/dev/null && tcp_rate "$@" -P 8 -R >/dev/null
}
serve() {
  spawn hostb iperf3 iperf3 -s -4
  listens() { in_ns hostb ss -Hltn 'sport = :5201' | grep -q LISTEN; }
  wait_for 5 listens
}
# What is never excused. Packets that come too late are: where a worker was descheduled; how many is reported. So is a
# ring between workers that is full, but only while TCP fills every queue it finds: held_up says how many there were.
nothing_broken() {
  local side name
  for side in "$@"; do
    for name in icv_failed esp_malformed selector_mismatch crypto_failed no_sa unknown_spi; do
      is "$name on $side" "$(drops "$side" $name)" 0
    done
  done
}
held_up() { # SIDE...
  local side sum=0
  for side in "$@"; do sum=$((sum + $(drops "$side" handover_full))); done
  echo $sum
}
one_ike_sa() { [[ $(ctl_json gwa 'j["control"]["ike_sas"]' counters) == 1 && $(ctl_json gwb 'j["control"]["ike_sas"]' counters) == 1 ]]; }
out_spi() { ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_out"]' status; }
has_changed() { [[ $(out_spi) != "$1" ]]; }

between_ours() { # CORES
  local before held_up
  two_workers gwa "$1"
  two_workers gwb "$1"
  causeway_start gwb
  causeway_start gwa
  expect "the tunnel comes up" ctl gwa up net --timeout 20
  # Both sides began, A when B had for a while: until one of two IKE SAs is closed there may be two outbound SAs.
  expect "one IKE SA remains" wait_for 45 one_ike_sa
  matches "what show says of the queues" "$(ctl gwa show port wan)" '2 to receive, 2 to send'
  serve
  expect "pings" ping_through hosta 10
  expect "eight flows each way" flows 2
  if [[ $1 == spread ]]; then
    is "workers of A that have an outbound SA" "$(least_of gwa sas_outbound)" 1
    matches "packets that the less busy worker of A sent" "$(least_of gwa tx)" '^[0-9]{3,}$'
  else
    is "outbound SAs of A" "$(sum_of gwa sas_outbound)" 1
    matches "batches that B's workers lent each other" "$(sum_of gwb lent)" '^[1-9]'
    echo "figure lend: $(sum_of gwb lent) batches lent, $(sum_of gwb helped) decrypted by the other worker" >&3
  fi
  held_up=$(held_up gwa gwb)
  spawn hosta background ping -n -i 0.02 10.20.1.2
  for _ in 1 2; do
    before=$(out_spi)
    expect "a rekey under traffic" ctl gwa rekey net --child net
    expect "the keys change" wait_for 5 has_changed "$before"
    expect "eight flows each way, of a rate that fills no queue" flows 1 -b 1M
  done
  stop background INT
  is "pings that went unanswered meanwhile" "$(unanswered <"$STATE/background.out")" 0
  nothing_broken gwa gwb
  is "packets that met a full ring between workers while TCP filled no queue" "$(held_up gwa gwb)" "$held_up"
  echo "figure $1, window 8192: $(($(drops gwa replayed) + $(drops gwb replayed))) of $(($(sum_of gwa tx) + $(sum_of gwb tx))) packets came too late, $held_up met a full ring between workers" >&3
}

with_strongswan() {
  use_strongswan udp
  START="wait"
  strongswan_config gwb
  strongswan_start gwb
  two_workers gwa spread
  causeway_start gwa
  expect "the tunnel comes up" ctl gwa up net --timeout 20
  serve
  expect "pings from our side" ping_through hosta 10
  expect "pings from strongSwan's side" ping_through hostb 10
  expect "TCP both ways" tcp_through 2
  nothing_broken gwa
}

exec 3>&1
scenarios cores
# First, while gateway B still is a host with addresses and ARP.
scenario "spread over two workers, against strongSwan" with_strongswan
scenario "spread over two workers, between two of ours" between_ours spread
scenario "lent between two workers, between two of ours" between_ours lend
