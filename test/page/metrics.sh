#!/usr/bin/env bash
# Prometheus metrics: promtool finds nothing to say of them, and they are the numbers of causewayctl --json.
. "$(dirname "$0")/../support/scenario.sh"

scrape() { # FILE
  in_ns gwa curl -sS --fail --max-time 10 http://127.0.0.1:9190/metrics >"$1"
}

# value FILE SERIES: of the series that is written so
value() { grep -F -- "$2 " "$1" | grep -v '^#' | sed 's/.* //' | /usr/bin/python3 -c 'print(int(float(input())))'; }

# series of the only child, by direction
sa_series() { # NAME DIRECTION
  local spi
  spi=$(ctl_json gwa "j['tunnels'][0]['children'][0]['spi_$2']" status)
  echo "causeway_sa_$1_total{tunnel=\"net\",child=\"net\",direction=\"$2\",spi=\"$spi\"}"
}

start_with_metrics() {
  CONF_EXTRA='metrics = "127.0.0.1:9190";'
  START="wait" DPD_IDLE=0s
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
}

numbers() {
  local name direction file=$STATE/metrics
  start_with_metrics
  step "a scrape without a tunnel"
  scrape "$file"
  is "established, while it is down" "$(value "$file" 'causeway_tunnel_established{tunnel="net"}')" 0
  expect "the tunnel comes up" ctl gwa up net --timeout 15
  expect "50 pings" ping_through hosta 50
  step "a scrape with a tunnel that is at rest"
  scrape "$file"
  is "established" "$(value "$file" 'causeway_tunnel_established{tunnel="net"}')" 1
  for direction in in out; do
    for name in packets bytes; do
      is "$name $direction" "$(value "$file" "$(sa_series $name $direction)")" \
        "$(ctl_json gwa "j['tunnels'][0]['children'][0]['${name}_$direction']" status)"
    done
  done
  is "packets in, of which there were 50 answers" "$(value "$file" "$(sa_series packets in)")" 50
  step "packets that are dropped"
  in_ns hosta ping -n -q -c 7 -i 0.1 -W 1 -t 1 10.20.1.2 || true
  scrape "$file"
  name=$(ctl_json gwa 'max(j["drops"], key=lambda k: (j["drops"][k] == 7, j["drops"][k]))' counters)
  is "drops counted as $name" "$(value "$file" "causeway_drops_total{reason=\"$name\"}")" "$(drops gwa "$name")"
  is "the 7 packets whose TTL was 1" "$(drops gwa "$name")" 7
}

promtool_agrees() {
  command -v promtool || { step "promtool is missing: scripts/setup.sh installs it (package prometheus)"; return 1; }
  start_with_metrics
  ctl gwa up net --timeout 15
  scrape "$STATE/metrics"
  step "promtool check metrics"
  promtool check metrics <"$STATE/metrics" >"$STATE/promtool.out" 2>&1 || { step "promtool: $(tail -n 5 "$STATE/promtool.out")"; return 1; }
  is "what promtool says" "$(cat "$STATE/promtool.out")" ""
  is "series of tunnels" "$(grep -c '^causeway_tunnel_established' "$STATE/metrics")" 1
}

address_taken() {
  CONF_EXTRA='metrics = "192.0.2.77:9190";'
  causeway_config gwa
  spawn gwa gwa-causewayd "$BUILD/causewayd" --config "$STATE/gwa/causeway.conf"
  expect "causewayd ends" wait_for 20 ended gwa-causewayd
  matches "what it says" "$(cat "$STATE/gwa-causewayd.out")" 'metrics: cannot listen on 192.0.2.77:9190'
}

dashboard() {
  local file=$STATE/metrics missing
  start_with_metrics
  ctl gwa up net --timeout 15
  scrape "$file"
  missing=$(/usr/bin/python3 - "$LAB_TOP/conf/grafana/causeway.json" "$file" <<'PY'
import json, re, sys
queries = [t["expr"] for p in json.load(open(sys.argv[1]))["panels"] for t in p["targets"]]
there = set(re.findall(r"^# TYPE (\S+)", open(sys.argv[2]).read(), re.M))
asked = {name for q in queries for name in re.findall(r"causeway_\w+", q)}
assert len(asked) > 5, asked
print(" ".join(sorted(asked - there)))
PY
)
  is "metrics that the dashboard asks for and that are not there" "$missing" ""
}

scenarios metrics
scenario "metrics are the numbers of causewayctl --json" numbers
scenario "promtool check metrics has nothing to say" promtool_agrees
scenario "every query of the dashboard asks for what is there" dashboard
scenario "an address that is not the host's is refused by name" address_taken
