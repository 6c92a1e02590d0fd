#!/usr/bin/env bash
# demo.sh - two sites joined by a tunnel, on this machine: network namespaces stand for two gateways, a
# host behind each, and a piece of Internet between, where every frame is captured and classified.
#
#   sudo scripts/demo.sh [--peer causeway|strongswan] [--keep] [--no-setup]
#   sudo scripts/demo.sh --stop
#
# --peer strongswan puts a strongSwan in place of the far gateway. --keep leaves everything running, to
# play with; --stop ends what --keep left. --no-setup installs no packages; the build always runs.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/scripts/lab.sh"

usage_error() { echo "demo.sh: $*" >&2; exit 2; }

main() {
  local peer=causeway keep=no setup=yes
  while [[ $# -gt 0 ]]; do
    case $1 in
      --peer)
        [[ ${2:-} == causeway || ${2:-} == strongswan ]] || usage_error "--peer is causeway or strongswan"
        peer=$2; shift ;;
      --keep) keep=yes ;;
      --no-setup) setup=no ;;
      --stop) stop_kept; exit ;;
      -h | --help) sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit ;;
      *) usage_error "unknown option '$1' (see --help)" ;;
    esac
    shift
  done
  [[ $(id -u) == 0 ]] || usage_error "needs root: it makes network namespaces"

  if [[ $setup == yes ]]; then
    say "Installing what is missing"
    "$top/scripts/setup.sh"
  fi
  say "Building causewayd and causewayctl"
  (cd "$top" && { [[ -f build/build.ninja ]] || meson setup build; } && ninja -C build)

  trap 'finish' EXIT
  trap 'echo; echo "Interrupted: cleaning up"; exit 130' INT TERM
  network
  gateways "$peer"
  tunnel_up
  pings
  tcp
  status "$peer"
  wire "$peer"
  if [[ $keep == yes ]]; then leave "$peer"; fi
  say "All done: the tunnel carried everything, and nothing left it in clear"
}

number=0
say() { number=$((number + 1)); printf '\n[%d] %s\n' $number "$*"; }

failed() {
  local side
  echo
  echo "demo.sh: $*" >&2
  for side in gwa gwb; do
    [[ ! -s $STATE/$side-causewayd.out ]] || { echo "--- the end of causewayd's log on $side" >&2; tail -n 30 "$STATE/$side-causewayd.out" >&2; }
    [[ ! -s $STATE/$side/charon.log ]] || { echo "--- the end of charon's log on $side" >&2; tail -n 30 "$STATE/$side/charon.log" >&2; }
  done
  exit 1
}

finish() {
  [[ -n ${LAB:-} && ! -e $STATE/kept ]] || return 0
  echo "Cleaning up: ending the gateways, removing the namespaces"
  lab_down
}

# Waits for background jobs of a known length: a bar on a terminal, a line elsewhere.
progress() { # SECONDS TEXT PID...
  local total=$1 text=$2 begin=$SECONDS passed code=0 pid; shift 2
  [[ -t 1 ]] || echo "    $text: about $total s"
  while [[ -t 1 ]] && kill -0 "$@" 2>/dev/null; do
    passed=$((SECONDS - begin))
    ((passed <= total)) || passed=$total
    printf '\r    %s: [%-20s] %d of %d s' "$text" "$(printf '#%.0s' $(seq 0 $((passed * 19 / total))))" $passed "$total"
    sleep 0.2
  done
  [[ ! -t 1 ]] || printf '\r\033[K'
  for pid in "$@"; do wait "$pid" || code=1; done
  return $code
}

network() {
  say "Making the network: five namespaces, joined by veth pairs"
  lab_up demo
  cat <<E
      host A          gateway A                the Internet              gateway B          host B
    10.10.1.2 --- 10.10.1.1|198.51.100.2 --- .1 (captured) .1 --- 203.0.113.2|10.20.1.1 --- 10.20.1.2
E
  capture_start
}

gateways() { # PEER
  say "Starting gateway B: $1, which waits to be asked"
  if [[ $1 == strongswan ]]; then
    use_strongswan udp
    strongswan_config gwb
    strongswan_start gwb
  else
    START='wait' causeway_config gwb
    causeway_start gwb
  fi
  say "Starting gateway A: causeway, which negotiates at once (IKEv2, a pre-shared key, $ESP_PROPOSALS)"
  causeway_config gwa
  grep -vE '^(workers|polling|hugepages|state_dir)' "$STATE/gwa/causeway.conf" | sed 's/^/    | /'
  causeway_start gwa
}

tunnel_up() {
  say "Waiting for the tunnel"
  wait_for 30 tunnel_is gwa established || failed "the tunnel did not come up: $(down_reason gwa)"
  echo "    established"
}

pings() {
  local a b
  say "100 pings each way through it"
  ping_through hosta 100 >"$STATE/ping.a" & a=$!
  ping_through hostb 100 >"$STATE/ping.b" & b=$!
  progress 10 "pinging" $a $b || failed "pings were lost: $(cat "$STATE/ping.a" "$STATE/ping.b")"
  echo "    host A to host B: $(<"$STATE/ping.a")"
  echo "    host B to host A: $(<"$STATE/ping.b")"
}

tcp() {
  local job
  say "TCP through it, both ways (iperf3)"
  tcp_through 4 >"$STATE/tcp" 2>&1 & job=$!
  progress 8 "sending" $job || failed "$(<"$STATE/tcp")"
  echo "    $(<"$STATE/tcp")"
}

status() { # PEER
  say "What gateway A says (causewayctl status)"
  ctl gwa status
  say "What gateway B says"
  if [[ $1 == strongswan ]]; then sw gwb --list-sas; else ctl gwb status; fi
}

wire() { # PEER
  local kind=esp
  [[ $1 == causeway ]] || kind=esp-in-udp
  say "What crossed the Internet"
  capture_stop
  capture_classify --require ike --require $kind || failed "something else than ESP, IKE and ARP crossed the wire"
}

leave() { # PEER
  local netns="ip netns exec $LAB"
  say "Left running, as asked"
  touch "$STATE/kept"
  cat <<E
    ping through the tunnel    $netns-hosta ping 10.20.1.2
    see gateway A              $BUILD/causewayctl --socket $STATE/gwa/causeway.sock status
    take it down, and up       ... down net      ... up net
    count drops                ... counters
    watch the wire             $netns-wan tcpdump -ni wanb
    logs and configuration     $STATE
E
  if [[ $1 == causeway ]]; then
    echo "    see gateway B              $BUILD/causewayctl --socket $STATE/gwb/causeway.sock status"
  fi
  echo "    end it                     sudo scripts/demo.sh --stop"
  echo "$LAB" >"$STATE/kept"
}

stop_kept() {
  local mark found=no
  for mark in /tmp/causeway-demo.*/kept; do
    [[ -O $mark ]] || continue
    found=yes
    STATE=$(dirname "$mark")
    LAB=$(<"$mark")
    echo "Ending the demo in $STATE"
    lab_down
  done
  [[ $found == yes ]] || echo "No demo was left running"
}

main "$@"
