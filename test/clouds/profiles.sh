#!/usr/bin/env bash
# Every cloud profile: a tunnel with `cloud = "..."` and no more lines than a user must write, against a strongSwan
# that is configured from what `causewayctl console` says to type into that cloud's console, and from nothing else.
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

PSK='Lab.4bd1c7_Xq82mZ0aa'  # of the characters that every one of them takes
rekeys=4
[[ ${CAUSEWAY_LONG:-no} == no ]] || rekeys=20

tunnel_of() { # CLOUD NETWORKS
  cat <<CONF
workers = [0];
polling = "adaptive";
hugepages = 0;
socket = "$STATE/gwa/causeway.sock";
state_dir = "$STATE/gwa";
ports = (
  { name = "wan"; device = "net_af_packet0,iface=wan0"; addresses = ["198.51.100.2/24"]; gateway = "198.51.100.1"; },
  { name = "lan"; device = "net_af_packet1,iface=lan0"; addresses = ["10.10.1.1/24"]; }
);
tunnels = (
  { name = "net"; cloud = "$1"; remote = "203.0.113.2"; psk_file = "$STATE/gwa/tunnel.psk"; $2 }
);
CONF
}

strongswan_of_console() {
  strongswan_config gwb  # strongswan.conf, and a swanctl.conf that is replaced
  ctl gwa --json console net |
    /usr/bin/python3 "$LAB_TOP/test/clouds/_console_peer.py" 203.0.113.2 198.51.100.2 "$PSK" >"$STATE/gwb/swanctl.conf"
}

profile() { # CLOUD NETWORKS
  local i
  use_strongswan udp
  (umask 077; printf '%s\n' "$PSK" >"$STATE/gwa/tunnel.psk")
  tunnel_of "$1" "$2" >"$STATE/gwa/causeway.conf"
  expect "--check takes it" "$BUILD/causewayd" --config "$STATE/gwa/causeway.conf" --check
  step "both start"
  causeway_start gwa
  strongswan_of_console
  strongswan_start gwb
  expect "the tunnel comes up" ctl gwa up net --timeout 30
  is "the suite in use is the profile's" "$(ctl_json gwa 'j["children"][0]["suite"]' show net)" "$(wanted_suite)"
  step "pings run, while the children are renewed $rekeys times and the IKE SA once"
  spawn hosta background ping -n -i 0.05 10.20.1.2
  for ((i = 0; i < rekeys; i++)); do
    step "rekey $i of the children"
    ctl gwa rekey net --timeout 20
  done
  expect "rekey of the IKE SA" ctl gwa rekey net --ike --timeout 20
  expect "pings pass behind it" ping_through hosta 5
  stop background INT
  is "pings lost over the rekeys" "$(unanswered <"$STATE/background.out")" 0
  is "our state at the end" "$(tunnel_state gwa)" established
}

# The profile's own ESP suite without its group, from the console's words by way of strongSwan.
wanted_suite() { sed -n 's/.*esp_proposals = //p' "$STATE/gwb/swanctl.conf" | head -n 1 | sed -E 's/-(modp[0-9]+|ecp[0-9]+)$//'; }

subnets='local_subnets = ["10.10.1.0/24"]; remote_subnets = ["10.20.1.0/24"];'
routes='local_subnets = ["0.0.0.0/0"]; remote_subnets = ["0.0.0.0/0"]; routes = ["10.20.1.0/24"];'

scenarios profiles
for cloud in aliyun tencent ctyun-standard ctyun-enterprise huawei; do
  scenario "$cloud, by networks" profile "$cloud" "$subnets"
done
for cloud in aws azure gcp oci; do
  scenario "$cloud, by routes" profile "$cloud" "$routes"
done
