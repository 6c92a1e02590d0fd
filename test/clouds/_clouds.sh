# _clouds.sh - sourced by test/clouds/*.sh: a configuration of conf/examples against a strongSwan that plays that
# cloud's gateway, and the life of the tunnel over many rekeys.
# shellcheck shell=bash disable=SC2034,SC2154
#
# The example is what runs. Only these are put in its place, by example_config:
#   - the devices (PCI addresses become the lab's interfaces), and /etc/causeway becomes the lab's directory;
#   - lifetimes, scaled: 24h becomes 16 s, 12h and 1h become 6 s; DPD's times become seconds;
#   - what a lab needs besides (worker, socket, no hugepages).
# Addresses, identities, suites, selectors and roles stay as they are: the lab takes the example's.

. "$(dirname "${BASH_SOURCE[0]}")/../support/scenario.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../support/strongswan_ikev1.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../interop/_stream.sh"

# What a scenario says about its cloud, beside the lab's variables:
EXAMPLE=                       # conf/examples/$EXAMPLE.conf
LANS_A=192.168.123.1/24        # our LAN port's networks and hosts, in the same order; the same for B
HOSTS_A=192.168.123.95
LANS_B=172.17.112.1/20
HOSTS_B=172.17.113.228
SUITE_IKE= SUITE_ESP=          # as strongSwan's log names them
IDS=                           # of phase 1, as strongSwan's log names them: its own ... ours
CHILDREN=1
US=198.51.100.2                # as the cloud sees us
ESP_LOG=2                      # strongSwan names its SAs as they come and go: what the capture is held against

rekeys=10
[[ ${CAUSEWAY_LONG:-no} == no ]] || rekeys=20
by_lifetime=3                  # of these, the rest by command

# --- the lab with this cloud's addresses --------------------------------------------------------------

cloud_hosts() {
  local i
  site_hosts hosta "$LANS_A" "$HOSTS_A"
  site_hosts hostb "$LANS_B" "$HOSTS_B"
  for i in 172.16.0.0/12 192.168.0.0/16; do ip -n "$LAB-wan" route replace blackhole "$i"; done
}

site_hosts() { # NS LANS HOSTS
  local lan hosts i=0
  read -ra hosts <<<"$3"
  ip -n "$LAB-$1" addr flush dev eth0
  for lan in $2; do
    ip -n "$LAB-$1" addr add "${hosts[i]}/${lan#*/}" dev eth0
    [[ $i != 0 ]] || ip -n "$LAB-$1" route replace default via "${lan%/*}"
    i=$((i + 1))
  done
}

# strongSwan's interfaces. It needs an address of its own inside each local selector.
cloud_gateway_addresses() {
  local lan
  ip -n "$LAB-gwb" addr flush dev wan0
  ip -n "$LAB-gwb" addr flush dev lan0
  ip -n "$LAB-gwb" addr add 203.0.113.2/24 dev wan0
  for lan in $LANS_B; do ip -n "$LAB-gwb" addr add "$lan" dev lan0; done
  ip -n "$LAB-gwb" route replace default via 203.0.113.1
  in_ns gwb sysctl -qw net.ipv4.ip_forward=1
  # Not by a pipe: grep -q ends at the first match, and what writes to it then fails by SIGPIPE, now and then.
  [[ $(ip -n "$LAB-gwb" rule list) == *suppress_prefixlength* ]] ||
    ip -n "$LAB-gwb" rule add pref 100 lookup main suppress_prefixlength 0
}

example_config() {
  local conf=$STATE/gwa/causeway.conf
  (umask 077; for f in alibaba tencent ctyun branch; do printf '%s\n' "$PSK" >"$STATE/gwa/$f.psk"; done)
  {
    echo "workers = [0]; polling = \"adaptive\"; hugepages = 0;"
    echo "socket = \"$STATE/gwa/causeway.sock\"; state_dir = \"$STATE/gwa\";"
    sed -e 's/"0000:3b:00.0"/"net_af_packet0,iface=wan0"/' -e 's/"0000:3b:00.1"/"net_af_packet1,iface=lan0"/' \
      -e "s|/etc/causeway/|$STATE/gwa/|" \
      -e 's/lifetime = "24h"/lifetime = "16s"/' -e 's/lifetime = "\(12h\|1h\)"/lifetime = "6s"/' \
      -e 's/dpd = {.*};/dpd = { idle = "2s"; retry = "1s"; tries = 4; };/' "$LAB_TOP/conf/examples/$EXAMPLE.conf"
  } >"$conf"
}

# --- the life of the tunnel ---------------------------------------------------------------------------

host_address() { if [[ $1 == hosta ]]; then echo "${HOSTS_A%% *}"; else echo "${HOSTS_B%% *}"; fi; }  # of the stream

ping_pairs() { # COUNT: from every host of a site to every one of the other, and back
  local a b
  for a in $HOSTS_A; do
    for b in $HOSTS_B; do
      pings hosta "$a" "$b" "$1"
      pings hostb "$b" "$a" "$1"
    done
  done
}
pings() { # NS FROM TO COUNT
  in_ns "$1" ping -n -q -i 0.05 -W 2 -c "$4" -I "$2" "$3" | grep -E 'packets transmitted' | tee "$STATE/ping.out"
  grep -q ' 0% packet loss' "$STATE/ping.out" || { step "pings from $2 to $3 were lost"; return 1; }
}

charon_says() { grep -cE -- "$1" "$STATE/gwb/charon.log" || true; }
children_made() { charon_says 'CHILD_SA net[^ ]*\{[0-9]+\} established'; }
ike_made() { charon_says 'IKE_SA peer\[[0-9]+\] (established|rekeyed) between'; }
rekeys_done() { echo $(($(children_made) - CHILDREN + $(ike_made) - 1)); }
at_least() { [[ $("$1") -ge $2 ]]; } # FUNCTION NUMBER
all_children() { [[ $(ctl_json gwa 'len(j["tunnels"][0]["children"])' status) == "$CHILDREN" ]]; }

# A rekey by command has happened when strongSwan counts another SA of the kind.
rekey_by_command() { # child|ike
  local before after=children_made tunnel child
  [[ $1 == child ]] || after=ike_made
  before=$($after)
  tunnel=$(ctl_json gwa 'j["tunnels"][0]["name"]' status)
  child=$(ctl_json gwa 'j["tunnels"][0]["children"][0]["name"]' status)
  if [[ $1 == child ]]; then ctl gwa rekey "$tunnel" --child "$child"; else ctl gwa rekey "$tunnel" --ike; fi
  expect "strongSwan saw the $1 rekey by command" wait_for 10 at_least $after $((before + 1))
}

# cloud_life PEER: strongSwan udp or native, configured already (swanctl.conf written by the caller).
cloud_life() {
  step "strongSwan starts as the cloud's gateway"
  cloud_hosts
  cloud_gateway_addresses
  strongswan_start gwb
  step "causewayd starts with $EXAMPLE.conf"
  example_config
  causeway_start gwa
  expect "established" wait_for 15 tunnel_is gwa established
  expect "all $CHILDREN children are there" wait_for 10 all_children
  is "our role" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["role"]' status)" initiator
  matches "phase 1's suite in strongSwan's log" "$(grep 'selected proposal: IKE' "$STATE/gwb/charon.log")" "IKE:$SUITE_IKE\$"
  matches "identities in strongSwan's log" "$(grep 'established between' "$STATE/gwb/charon.log")" "$IDS"
  expect "traffic both ways" ping_pairs 3

  cloud_rekeys
}

# Loss as it is judged for IKEv2: numbered datagrams both ways all the while, and a capture. Every ESP packet that the
# cloud put on the wire is delivered, every packet we were given leaves on an SA that the cloud has, no sequence number
# is used twice, and our drop counters stay as they were. What charon loses inside does not count.
cloud_rekeys() {
  local made before i=0
  before=$(ctl gwa --json counters | drops_of)
  expect "numbered datagrams flow both ways" stream_start
  step "$by_lifetime rekeys by lifetime, $((rekeys - by_lifetime)) by command, under traffic"
  made=$(rekeys_done)
  expect "$by_lifetime rekeys by lifetime" wait_for 60 at_least rekeys_done $((made + by_lifetime))
  while [[ $(rekeys_done) -lt $((made + rekeys)) ]]; do
    if ((i++ % 3 == 2)); then rekey_by_command ike; else rekey_by_command child; fi
  done
  figure "$EXAMPLE.conf: $(($(rekeys_done) - made)) rekeys, $i of them by command"
  step "after the rekeys"
  expect "all children are there" wait_for 10 all_children
  stream_stop
  expect "every packet is where it belongs" judge "$EXAMPLE.conf"
  is "datagrams that came twice" "$(said hosta-receiver repeated)" 0
  is "our drop counters" "$(ctl gwa --json counters | drops_of)" "$before"
  # In IKEv2 the first child shows no group: it has the IKE SA's keys.
  matches "phase 2's suite in strongSwan's log" "$(grep 'selected proposal: ESP' "$STATE/gwb/charon.log")" "ESP:$SUITE_ESP\$"
  expect "traffic on every pair" ping_pairs 1
  is "our state" "$(ctl_json gwa 'j["tunnels"][0]["state"]' status)" established
}

drops_of() {
  /usr/bin/python3 -c 'import json, sys; d = json.load(sys.stdin)["drops"]; print(" ".join(f"{k}={v}" for k, v in sorted(d.items()) if v))'
}
