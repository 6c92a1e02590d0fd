#!/usr/bin/env bash
# alone: it measures
# 10,000 IKE_SA_INITs a second from addresses that are not the sender's, the live peers' among them, while 100 tunnels
# between two gateways of ours live and rekey: none drops, new ones come up through it, memory stays where it was.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

TOOLS=${CAUSEWAY_TEST_BUILD:-$LAB_TOP/build-san}/test/support
tunnels=100 new=5 seconds=24
[[ ${CAUSEWAY_LONG:-no} == no ]] || seconds=120

# One port with an address for each tunnel at gateway B; the last NEW tunnels wait to be begun by B.
config() { # SIDE
  local dir=$STATE/$1 i start all=$((tunnels + new)) addresses=() list=()
  (umask 077; printf 'a secret for a hundred tunnels: 77a1' >"$dir/tunnel.psk")
  for ((i = 1; i <= all; i++)); do
    start="wait"
    [[ $1 == gwa || $i -gt $tunnels ]] || start=now
    addresses+=("\"203.0.113.$((i + 9))/24\"")
    if [[ $1 == gwa ]]; then
      list+=("{ name = \"t$i\"; remote = \"203.0.113.$((i + 9))\"; psk_file = \"$dir/tunnel.psk\"; start = \"$start\";
        ike = { proposals = [\"aes256gcm16-prfsha384-x25519\"]; lifetime = \"40s\"; };
        esp = { proposals = [\"aes256gcm16\"]; lifetime = \"15s\"; };
        local_subnets = [\"10.10.1.0/24\"]; remote_subnets = [\"10.20.$i.0/24\"]; }")
    else
      list+=("{ name = \"t$i\"; local = \"203.0.113.$((i + 9))\"; remote = \"198.51.100.2\"; psk_file = \"$dir/tunnel.psk\"; start = \"$start\";
        ike = { proposals = [\"aes256gcm16-prfsha384-x25519\"]; lifetime = \"1h\"; };
        esp = { proposals = [\"aes256gcm16\"]; lifetime = \"1h\"; };
        local_subnets = [\"10.20.$i.0/24\"]; remote_subnets = [\"10.10.1.0/24\"]; }")
    fi
  done
  local IFS=,
  local wan='"198.51.100.2/24"' router=198.51.100.1 lan=10.10.1.1 core=0
  [[ $1 == gwa ]] || { wan="${addresses[*]}"; router=203.0.113.1; lan=10.20.1.1; core=$(($(nproc) > 1)); }
  cat >"$dir/causeway.conf" <<CONF
workers = [$core]; polling = "adaptive"; hugepages = 0; socket = "$dir/causeway.sock"; state_dir = "$dir";
ports = ( { name = "wan"; device = "net_af_packet0,iface=wan0"; addresses = [$wan]; gateway = "$router"; },
          { name = "lan"; device = "net_af_packet1,iface=lan0"; addresses = ["$lan/24"]; } );
tunnels = ( ${list[*]} );
CONF
}

established() { ctl_json "$1" 'sum(t["state"] == "established" for t in j["tunnels"])' status; }
all_up() { [[ $(established gwa) -ge $tunnels ]]; }
control() { ctl_json gwa "j['control'].get('$1', 0)" counters; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$(cut -d' ' -f2 "$STATE/gwa-causewayd.pid")/status"; }
lost() { grep -cE 'warning.*(no answer|closed by the peer|reached its lifetime|out of step)' "$STATE/gw$1-causewayd.out" || true; }

flooded() {
  local i before after begun=0 up=0 asked rekeyed
  [[ -x $TOOLS/ike-flood ]] || { step "$TOOLS/ike-flood is not built"; return 1; }
  config gwa; config gwb
  causeway_start gwa; causeway_start gwb
  expect "$tunnels tunnels come up" wait_for 60 all_up
  before=$(rss)
  asked=$(control ike_cookies_asked)
  spawn wan flood "$TOOLS/ike-flood" 198.51.100.2 203.0.113.10 203.0.113.$((tunnels + 9)) 10000 "$seconds"
  sleep 3
  for ((i = tunnels + 1; i <= tunnels + new; i++)); do
    step "new tunnel t$i comes up through the flood"
    begun=$SECONDS
    ctl gwb up "t$i" --timeout 20
    up=$((up > SECONDS - begun ? up : SECONDS - begun))
  done
  expect "pings through a tunnel meanwhile" ping_through hostb 10
  after=$(rss)
  expect "the flood ends" wait_for $((seconds + 20)) gone flood
  after=$(($(rss) > after ? $(rss) : after))
  is "tunnels that are up" "$(established gwa)" $((tunnels + new))
  is "and at the other end" "$(established gwb)" $((tunnels + new))
  is "tunnels that dropped" "$(lost a) $(lost b)" "0 0"
  rekeyed=$(grep -c 'rekeyed' "$STATE/gwa-causewayd.out" || true)
  expect "every tunnel rekeyed meanwhile" test "$rekeyed" -ge $tunnels
  expect "cookies were asked for" test "$(control ike_cookies_asked)" -gt "$asked"
  expect "memory grew by less than 16 MiB" test $((after - before)) -lt 16384
  echo "figures: $(<"$STATE/flood.out")"
  echo "figures: $rekeyed rekeys, $(($(control ike_cookies_asked) - asked)) cookies asked, slowest new tunnel $up s," \
    "resident memory $before KiB before, $after KiB at the end"
}

scenarios flood
scenario "$tunnels tunnels live and rekey, $new come up" flooded
grep -h '^figures' "$STATE/case.log" || true
