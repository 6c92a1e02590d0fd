#!/usr/bin/env bash
# strongswan-tunnels.sh [N] - what N tunnels (1000) between two strongSwan 5.9.8 cost, for the documents: the same
# addresses, suites and subnets as suite scale has, with charon's userspace ESP. Prints figures, judges nothing.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

tunnels=${1:-1000}
branch() { echo "198.18.$(($1 / 250)).$(($1 % 250 + 1))"; }
net_of() { echo "10.$(($2 + $1 / 250)).$(($1 % 250)).0/24"; }

connections() { # SIDE
  local i near far mine theirs start
  echo "connections {"
  for ((i = 0; i < tunnels; i++)); do
    near=$(branch $i) far=203.0.113.2 mine=$(net_of $i 64) theirs=$(net_of $i 128) start=start
    [[ $1 == gwa ]] || { near=203.0.113.2 far=$(branch $i) mine=$(net_of $i 128) theirs=$(net_of $i 64) start=none; }
    cat <<CONF
  t$i { version = 2
    local_addrs = $near
    remote_addrs = $far
    proposals = aes128gcm16-prfsha256-x25519
    mobike = no
    local { auth = psk }
    remote { auth = psk }
    children { t$i { local_ts = $mine
      remote_ts = $theirs
      esp_proposals = aes128gcm16
      start_action = $start } } }
CONF
  done
  echo "}"
  echo "secrets { ike-all { secret = \"$PSK\" } }"
}

cpu_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/$1/stat"; }
rss_kib() { awk '/VmRSS/ { print $2 }' "/proc/$1/status"; }
pid_of() { local pid; read -r _ pid <"$STATE/$1-charon.pid"; echo "$pid"; }

measure() {
  local side pid begin rss=() i up
  use_strongswan udp
  CHARON_LOG=0
  for side in gwb gwa; do
    strongswan_config $side
    strongswan_start $side
  done
  for ((i = 0; i < tunnels; i++)); do ip -n "$LAB-gwa" addr add "$(branch $i)/32" dev wan0; done
  ip -n "$LAB-wan" route replace 198.18.0.0/16 via 198.51.100.2
  for side in gwb gwa; do rss+=("$(rss_kib "$(pid_of $side)")"); done
  connections gwb >"$STATE/gwb/swanctl.conf"
  sw gwb --load-all --noprompt >/dev/null
  connections gwa >"$STATE/gwa/swanctl.conf"
  begin=$(date +%s%N)
  sw gwa --load-all --noprompt >/dev/null &
  up=0
  until ((up >= tunnels)); do
    sleep 0.2
    up=$(sw gwb --list-sas 2>/dev/null | grep -c INSTALLED || true)
  done
  figure "strongSwan: $tunnels tunnels up in $((($(date +%s%N) - begin) / 1000000)) ms;" \
    "processor time $(cpu_ms "$(pid_of gwa)") and $(cpu_ms "$(pid_of gwb)") ms in all;" \
    "memory $((($(rss_kib "$(pid_of gwa)") - rss[1]) / tunnels)) and $((($(rss_kib "$(pid_of gwb)") - rss[0]) / tunnels)) KiB a tunnel"
}

scenarios strongswan-tunnels
scenario "$tunnels tunnels between two strongSwan" measure
