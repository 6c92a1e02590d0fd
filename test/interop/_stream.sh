# _stream.sh - sourced by scenarios that rekey under load: numbered UDP both ways, and the captures that judge it.
# shellcheck shell=bash disable=SC2034

RATE=${RATE:-1000}  # datagrams a second, each way

stream_start() {
  local host
  for host in hosta hostb; do
    spawn $host $host-receiver /usr/bin/python3 "$LAB_TOP/test/support/udp_sequence.py" receive 9000
    hears() { grep -q listening "$STATE/$1-receiver.out"; }
    wait_for 10 hears $host || { step "the receiver on $host does not start"; return 1; }
  done
  capture_start
  for host in hosta hostb; do
    spawn $host $host-sender /usr/bin/python3 "$LAB_TOP/test/support/udp_sequence.py" send \
      "$(host_address "$(other_host $host)")" 9000 --rate "$RATE"
  done
}

# Senders first; what is on its way arrives; then the receivers say what they have.
stream_stop() {
  local name
  for name in hosta-sender hostb-sender; do stop $name INT; done
  sleep 1  # a packet's way through two gateways, many times over
  for name in hosta-receiver hostb-receiver; do stop $name INT; done
  capture_stop
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
    --delivered "$(said hosta-receiver distinct)" --charon-log "$STATE/gwb/charon.log" >"$STATE/judge" || code=$?
  cat "$STATE/judge"
  while read -r line; do figure "$1: $line"; done <"$STATE/judge"
  return $code
}
