# _stream.sh - sourced by scenarios that rekey under load: numbered UDP both ways, and the captures that judge it.
# shellcheck shell=bash disable=SC2034

RATE=${RATE:-1000}  # datagrams a second, each way
# Rings for four seconds of the stream: a machine that is busy elsewhere does not lose it before it is given to us.
PORT_OPTIONS=,framecnt=4096

# What the ports of SIDE did not get since the last look, "wan0 0" a line (test/support/port_losses.py).
port_losses() { # SIDE
  local pid
  [[ -s $STATE/$1-causewayd.pid ]] || return 0  # strongSwan
  read -r _ pid <"$STATE/$1-causewayd.pid"
  /usr/bin/python3 "$LAB_TOP/test/support/port_losses.py" "$pid"
}
lost() { awk -v port="$2" '$1 == port { sum += $2 } END { print sum + 0 }' "$STATE/$1-losses"; } # SIDE PORT

# shellcheck disable=SC2016
arrived() { # HOST: datagrams that reached its receiver, as its kernel counts
  in_ns "$1" awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $2 }' /proc/net/snmp
}

stream_start() {
  local host
  for host in hosta hostb; do
    spawn $host $host-receiver /usr/bin/python3 "$LAB_TOP/test/support/udp_sequence.py" receive 9000
    hears() { grep -q listening "$STATE/$1-receiver.out"; }
    wait_for 10 hears $host || { step "the receiver on $host does not start"; return 1; }
  done
  capture_start
  for host in gwa gwb; do port_losses $host >"$STATE/$host-losses"; done  # what was before does not count
  for host in hosta hostb; do
    arrived $host >"$STATE/$host-before"
    spawn $host $host-sender /usr/bin/python3 "$LAB_TOP/test/support/udp_sequence.py" send \
      "$(host_address "$(other_host $host)")" 9000 --rate "$RATE"
  done
}

# Senders first; what is on its way arrives; then the receivers say what they have.
stream_stop() {
  local name side count
  for name in hosta-sender hostb-sender; do stop $name INT; done
  all_there() {
    (($(arrived hosta) - $(<"$STATE/hosta-before") >= $(said hostb-sender sent))) &&
      (($(arrived hostb) - $(<"$STATE/hostb-before") >= $(said hosta-sender sent)))
  }
  wait_for 3 all_there || true  # what does not come at all is judged below
  for name in hosta-receiver hostb-receiver; do stop $name INT; done
  capture_stop
  for side in gwa gwb; do
    port_losses $side >"$STATE/$side-losses"
    while read -r name count; do
      ((count == 0)) || figure "the machine let $count frames overflow the ring of $name on $side: they were never given to it"
    done <"$STATE/$side-losses"
  done
  grep -qE '^0 packets dropped by kernel' "$STATE/capture.out" || { step "the capture is not complete: $(tail -n 1 "$STATE/capture.out")"; return 1; }
  for name in hosta-sender hostb-receiver hostb-sender hosta-receiver; do echo "$name: $(grep '^{' "$STATE/$name.out")"; done
}

said() { sed -n "s/.*\"$2\": \([0-9]*\).*/\1/p" "$STATE/$1.out"; } # PROCESS FIELD

# No packet of the stream may be in our drop counters: whatever they show is named.
no_drops() { # SIDE
  local dropped
  dropped=$(ctl_json "$1" '" ".join(f"{k}={v}" for k, v in j["drops"].items() if v)' counters)
  is "drops counted on $1" "$dropped" ""
}

# judge TITLE: by the capture, what we sent and received; its figures are shown
judge() { # TITLE
  local code=0
  /usr/bin/python3 "$LAB_TOP/test/support/rekey_judge.py" "$STATE/wire.pcap" \
    --us "${US:-198.51.100.2}" --peer 203.0.113.2 --given "$(said hosta-sender sent)" \
    --delivered "$(said hosta-receiver distinct)" --lost-wan "$(lost gwa wan0)" --lost-lan "$(lost gwa lan0)" \
    --charon-log "$STATE/gwb/charon.log" >"$STATE/judge" || code=$?
  cat "$STATE/judge"
  while read -r line; do figure "$1: $line"; done <"$STATE/judge"
  return $code
}
