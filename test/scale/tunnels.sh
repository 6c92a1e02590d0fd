#!/usr/bin/env bash
# Many tunnels between two of our gateways, as from that many branches: each with an address, identities, subnets and
# keys of its own. All come up, all children and all IKE SAs are rekeyed, all go down again. Time and memory of a tunnel
# are printed; what is judged is that every one gets there, and that no step of the control thread takes 50 ms of
# processor time from the other tunnels.
# alone: it measures time and memory
set -euo pipefail
. "$(dirname "$0")/../support/scenario.sh"

tunnels=${CAUSEWAY_TUNNELS:-200}
[[ ${CAUSEWAY_LONG:-no} == no ]] || tunnels=1000
suite=aes128gcm16-prfsha256-x25519

branch() { echo "198.18.$(($1 / 250)).$(($1 % 250 + 1))"; }
net_of() { echo "10.$(($2 + $1 / 250)).$(($1 % 250)).0/24"; } # N FIRST

# gateway SIDE: the configuration of all tunnels
gateway() {
  local wan router lan net core p_wan p_net psk ike esp id p_id cert ca crl dir=$STATE/$1 i addresses end
  side_vars "$1"
  (umask 077; printf '%s\n' "$PSK" >"$dir/tunnel.psk")
  addresses="\"$wan/24\""
  [[ $1 == gwb ]] || for ((i = 0; i < tunnels; i++)); do addresses+=", \"$(branch $i)/32\""; done
  {
    cat <<CONF
workers = [$core];
polling = "adaptive";
hugepages = 0;
socket = "$dir/causeway.sock";
state_dir = "$dir";
ports = (
  { name = "wan"; device = "net_af_packet0,iface=wan0"; addresses = [$addresses]; gateway = "$router"; },
  { name = "lan"; device = "net_af_packet1,iface=lan0"; addresses = ["$lan/24"]; }
);
tunnels = (
CONF
    for ((i = 0; i < tunnels; i++)); do
      end=,
      ((i + 1 < tunnels)) || end=
      if [[ $1 == gwa ]]; then
        echo "  { name = \"t$i\"; port = \"wan\"; local = \"$(branch $i)\"; remote = \"$p_wan\"; start = \"now\";" \
          "local_subnets = [\"$(net_of $i 64)\"]; remote_subnets = [\"$(net_of $i 128)\"];"
      else
        echo "  { name = \"t$i\"; port = \"wan\"; remote = \"$(branch $i)\"; start = \"wait\";" \
          "local_subnets = [\"$(net_of $i 128)\"]; remote_subnets = [\"$(net_of $i 64)\"];"
      fi
      echo "    psk_file = \"$dir/tunnel.psk\"; ike = { proposals = [\"$suite\"]; dpd = { idle = 0; }; };" \
        "esp = { proposals = [\"aes128gcm16\"]; }; }$end"
    done
    echo ");"
  } >"$dir/causeway.conf"
}

life() {
  gateway gwa
  gateway gwb
  ip -n "$LAB-wan" route replace 198.18.0.0/16 via 198.51.100.2
  causeway_start gwb
  step "causewayd of the branches starts"
  ip -n "$LAB-gwa" addr flush dev wan0
  ip -n "$LAB-gwa" addr flush dev lan0
  ip -n "$LAB-gwa" link set wan0 arp off
  ip -n "$LAB-gwa" link set lan0 arp off
  spawn gwa gwa-causewayd "$BUILD/causewayd" --config "$STATE/gwa/causeway.conf" --log-level warning
  expect "every tunnel gets where it should" /usr/bin/python3 "$LAB_TOP/test/support/many_tunnels.py" \
    "$tunnels" "$STATE/gwa/causeway.sock" "$STATE/gwb/causeway.sock" --figures "$STATE/figures"
}

scenarios tunnels
scenario "$tunnels tunnels between two gateways come up, are rekeyed and go down" life
