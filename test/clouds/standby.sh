#!/usr/bin/env bash
# Two tunnels to one cloud, one in use and one standing by: a strongSwan with two public addresses plays the two
# gateways of a cloud. The one in use is lost, or loses what it carries while IKE still answers: the other takes over,
# and gives it back when the first has lasted.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

connections() { # both gateways of the cloud, for the same networks
  local n
  echo "connections {"
  for n in 2 3; do
    cat <<CONF
  gate$n { version = 2
    local_addrs = 203.0.113.$n
    remote_addrs = 198.51.100.2
    proposals = $IKE_PROPOSALS
    mobike = no
    local { auth = psk
      id = 203.0.113.$n }
    remote { auth = psk
      id = 198.51.100.2 }
    children { net$n { local_ts = 10.20.1.0/24
      remote_ts = 10.10.1.0/24
      esp_proposals = $ESP_PROPOSALS } } }
CONF
  done
  echo "}"
  echo "secrets { ike-all { secret = \"$PSK\" } }"
}

tunnel() { # NAME LAST-OCTET WEIGHT START
  cat <<CONF
  { name = "$1"; remote = "203.0.113.$2"; psk_file = "$STATE/gwa/tunnel.psk"; group = "cloud"; weight = $3;
    probe = "10.20.1.2"; start = "$4";
    ike = { proposals = ["$IKE_PROPOSALS"]; dpd = { idle = "1s"; retry = "1s"; tries = 3; }; };
    esp = { proposals = ["$ESP_PROPOSALS"]; };
    local_subnets = ["10.10.1.0/24"]; remote_subnets = ["10.20.1.0/24"]; }
CONF
}

both_gateways() {
  use_strongswan udp
  strongswan_config gwb
  strongswan_start gwb
  ip -n "$LAB-gwb" addr replace 203.0.113.3/32 dev wan0
  connections >"$STATE/gwb/swanctl.conf"
  sw gwb --load-all --noprompt >/dev/null
  causeway_config gwa
  { sed '/^tunnels = (/,$d' "$STATE/gwa/causeway.conf"; echo "tunnels = ("; tunnel first 2 10 now; echo ,; tunnel second 3 1 wait; echo ");"; } \
    >"$STATE/gwa/two.conf"
  mv "$STATE/gwa/two.conf" "$STATE/gwa/causeway.conf"
  causeway_start gwa
  # strongSwan's userspace ESP answers by the newest of two equal policies until it has itself missed the peer on that
  # path: the one that is to be lost comes up first.
  expect "the first comes up" wait_for 20 up_first
  expect "the second comes up" ctl gwa up second --timeout 20
  expect "both are up" both_up
  expect "the heavier one carries the traffic" wait_for 15 used_is first
  expect "pings pass" ping_through hosta 5
}
up_first() { [[ $(ctl_json gwa "[t['state'] for t in j['tunnels'] if t['name'] == 'first'][0]" status) == established ]]; }
both_up() { [[ $(ctl_json gwa '[t["state"] for t in j["tunnels"]].count("established")' status) == 2 ]]; }
group_of() { ctl_json gwa "str((j.get('tunnel') or j)['group']['$2'])" show "$1"; } # TUNNEL FIELD
used_is() { [[ $(group_of "$1" in_use) == True ]]; }
packets_out() { ctl_json gwa "sum(c['packets_out'] for t in j['tunnels'] if t['name'] == '$1' for c in t['children'])" status; }

# PREDICATES drop on the path until the case lifts them.
on_the_path() { in_ns wan nft "table ip path { chain f { type filter hook forward priority 0; $*; }; }"; }
path_is_well() { in_ns wan nft delete table ip path; }

takes_over() { # WHY WITHIN
  local before
  expect "the second takes over" wait_for "$2" used_is second
  matches "what the log says of it" "$(ctl gwa log)" "second.*carries the traffic of group cloud now, instead of first: $1"
  expect "pings pass by the second" ping_through hosta 5
  before=$(packets_out second)
  expect "ten more" ping_through hosta 10
  (($(packets_out second) >= before + 10)) || { step "they did not leave by the second tunnel"; return 1; }
}
gives_back() {
  expect "the first has it again once it has lasted" wait_for 60 used_is first
  matches "what the log says of it" "$(ctl gwa log)" 'first.*carries the traffic of group cloud now, instead of second: first has the greater weight'
  expect "pings pass by the first" ping_through hosta 5
}

lost() {
  both_gateways
  on_the_path 'ip daddr 203.0.113.2 drop; ip saddr 203.0.113.2 drop'
  takes_over "first is down" 20
  path_is_well
  gives_back
}

# IKE answers, so no liveness check fails: only what goes through the tunnel shows it.
hollow() {
  both_gateways
  # All but the non-ESP marker behind UDP 4500 (RFC 3948 2.2).
  on_the_path 'ip daddr 203.0.113.2 udp dport 4500 @th,64,32 != 0 drop'
  takes_over "first does not answer its probe" 20
  is "the first tunnel, by what its IKE says" "$(ctl_json gwa "[t['state'] for t in j['tunnels'] if t['name'] == 'first'][0]" status)" established
  is "the first tunnel, by its probe" "$(group_of first probe)" silent
  path_is_well
  gives_back
}

scenarios standby
scenario "the gateway in use is lost and comes back" lost
scenario "the gateway in use answers IKE and carries nothing" hollow
