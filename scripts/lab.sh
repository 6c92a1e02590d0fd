# lab.sh - sourced by the demo and the scenarios: two sites and the Internet between them, made of
# network namespaces, with a gateway of ours or a strongSwan at either end. Needs root.
# shellcheck shell=bash
#
#     hosta            gwa                       wan                      gwb            hostb
#   10.10.1.2 -- 10.10.1.1|198.51.100.2 -- 198.51.100.1|203.0.113.1 -- 203.0.113.2|10.20.1.1 -- 10.20.1.2
#   (a host)     (gateway A)                (a router: what the          (gateway B)     (a host)
#                lan0      wan0              Internet sees) wana wanb     wan0     lan0
#
#   lab_up NAME               make it; every namespace is called $LAB-..., files are in $STATE
#   lab_down                  end what runs in it and remove every trace
#   in_ns NS CMD...           run a command in a namespace
#   spawn NS NAME CMD...      start one in the background; stop NAME [SIGNAL] ends it
#   causeway_config SIDE      write $STATE/SIDE/causeway.conf from the variables below
#   causeway_start SIDE       causewayd there; ctl SIDE ARGS... is its causewayctl
#   strongswan_config SIDE    the same tunnel as strongSwan writes it
#   strongswan_start SIDE     charon there; sw SIDE ARGS... is its swanctl
#   ping_through FROM N       N pings to the other host, fails on any loss
#   tcp_through SECONDS       iperf3 from hosta to hostb and back, prints both rates
#   capture_start, capture_stop   every frame on the wire at gateway B's end into $STATE/wire.pcap
#   wait_for SECONDS CMD...   until CMD succeeds
#
# A namespace is private to one run, so whatever runs inside one was started here: that is what
# lab_down ends, and nothing else. Several labs can run side by side.

LAB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${CAUSEWAY_BUILD:-$LAB_TOP/build}
LAB_NAMESPACES="hosta gwa wan gwb hostb"

# The tunnel both ends are configured from. A scenario changes what it is about; NAME_A and NAME_B
# where the ends are to differ.
IKE_PROPOSALS=aes256gcm16-prfsha384-ecp384
ESP_PROPOSALS=aes256gcm16
PSK='a long enough secret for the lab: 4bd1c7'
START=now                  # causeway only: now, traffic or wait
AUTH=psk                   # or cert: certificates of $STATE/pki (test/support/pki.py), by name:
CERT_A=a CERT_B=b          # each side's own certificate and key, with what else goes into its file
CA_A=ca CA_B=ca            # whom each side trusts
CRL_A= CRL_B=              # and its revocation list
DPD_IDLE=30s               # silence after which the peer is asked
ENCAP=auto                 # causeway only: auto or force
TUNNEL_EXTRA=              # causeway only: more lines for the tunnel, and for its ike and esp groups
IKE_EXTRA=
ESP_EXTRA=
REMOTE=                    # causeway only: what it calls its peer; empty: the address
STRONGSWAN_EXTRA=          # strongSwan only: more lines for the connection (the last of a key counts)
CHILD_EXTRA=               # and for its child
CHILDREN_EXTRA=            # and more children
CHARON_EXTRA=              # and lines of strongswan.conf
CHARON_PLUGINS=            # and more plugins, each behind a blank
WAN_EXTRA='' LAN_EXTRA=''  # causeway only: more for a port
CONF_EXTRA=''              # causeway only: more lines for the whole
RAW_ESP=no                 # strongSwan only: native ESP (6.0), else in UDP
OUR_ROOT=                  # causeway only: a root with its own build (scripts/debian13-build); empty: $BUILD here
PEER_ROOT=                 # strongSwan only: the root it comes from; empty: this system
CHARON_LOG=2               # strongSwan only; 4 logs keys

# What differs by side: sets wan, router, lan, net, core, psk, ike, esp, id, the ..._extra, cert, ca, crl and the peer's p_wan, p_net, p_id.
# shellcheck disable=SC2034  # which of them are used is the caller's matter
side_vars() {
  if [[ $1 == gwa ]]; then
    wan=198.51.100.2 router=198.51.100.1 lan=10.10.1.1 net=${NET_A:-10.10.1.0/24} core=0
    p_wan=203.0.113.2 p_net=${PEER_NET_A:-${NET_B:-10.20.1.0/24}} psk=${PSK_A:-$PSK}
    ike=${IKE_PROPOSALS_A:-$IKE_PROPOSALS} esp=${ESP_PROPOSALS_A:-$ESP_PROPOSALS}
    id=${ID_A:-$wan} p_id=${PEER_ID_A:-${ID_B:-$p_wan}} cert=$CERT_A ca=$CA_A crl=$CRL_A
    wan_extra=${WAN_EXTRA_A-$WAN_EXTRA} lan_extra=${LAN_EXTRA_A-$LAN_EXTRA}
    tunnel_extra=${TUNNEL_EXTRA_A-$TUNNEL_EXTRA} conf_extra=${CONF_EXTRA_A-$CONF_EXTRA}
  else
    wan=203.0.113.2 router=203.0.113.1 lan=${LAN_B:-10.20.1.1} net=${NET_B:-10.20.1.0/24} core=$(($(nproc) > 1))
    p_wan=198.51.100.2 p_net=${PEER_NET_B:-${NET_A:-10.10.1.0/24}} psk=${PSK_B:-$PSK}
    ike=${IKE_PROPOSALS_B:-$IKE_PROPOSALS} esp=${ESP_PROPOSALS_B:-$ESP_PROPOSALS}
    id=${ID_B:-$wan} p_id=${PEER_ID_B:-${ID_A:-$p_wan}} cert=$CERT_B ca=$CA_B crl=$CRL_B
    wan_extra=${WAN_EXTRA_B-$WAN_EXTRA} lan_extra=${LAN_EXTRA_B-$LAN_EXTRA}
    tunnel_extra=${TUNNEL_EXTRA_B-$TUNNEL_EXTRA} conf_extra=${CONF_EXTRA_B-$CONF_EXTRA}
  fi
}

lab_die() { echo "lab: $*" >&2; exit 1; }

# --- namespaces and processes -----------------------------------------------------------------------

in_ns() { local ns=$1; shift; ip netns exec "$LAB-$ns" "$@"; }

wait_for() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

# In a session of its own, so that Ctrl-C reaches this script alone, which then ends things in order.
spawn() {
  local ns=$1 name=$2; shift 2
  : >"$STATE/$name.out"  # at once: who waits for a line in it must not find that of the process before
  setsid ip netns exec "$LAB-$ns" "$@" </dev/null >"$STATE/$name.out" 2>&1 &
  echo "$ns $!" >"$STATE/$name.pid"
}

runs() { # NAME: whether the process spawned by that name is still in its namespace
  local ns pid
  [[ -s $STATE/$1.pid ]] && read -r ns pid <"$STATE/$1.pid" && grep -qx "$pid" <<<"$(ip netns pids "$LAB-$ns")"
}

gone() { ! runs "$1"; }

ended() { # NAME: whether it is over; one that has only begun, and is not yet in its namespace, is not
  local pid
  [[ -s $STATE/$1.pid ]] && read -r _ pid <"$STATE/$1.pid" && ! kill -0 "$pid" 2>/dev/null
}

stop() { # NAME [SIGNAL]: asks, waits up to 10 s, insists
  local pid
  runs "$1" || { rm -f "$STATE/$1.pid"; return 0; }
  read -r _ pid <"$STATE/$1.pid"
  kill "-${2:-TERM}" "$pid" 2>/dev/null
  wait_for 10 gone "$1" || kill -KILL "$pid" 2>/dev/null
  rm -f "$STATE/$1.pid"
}

lab_pids() {
  local ns
  for ns in $LAB_NAMESPACES; do
    [[ ! -e /run/netns/$LAB-$ns ]] || ip netns pids "$LAB-$ns"
  done
}

lab_veth() { # NS_A IF_A NS_B IF_B
  ip link add name "$2" netns "$LAB-$1" type veth peer name "$4" netns "$LAB-$3"
  lab_link_up "$1" "$2"
  lab_link_up "$3" "$4"
}

# A veth leaves checksums and segmentation to hardware it does not have: whoever reads frames from
# it (DPDK, a TUN device) would get wrong checksums and frames of 64 kB.
lab_link_up() {
  in_ns "$1" ethtool -K "$2" tx off tso off gso off gro off sg off >/dev/null 2>&1
  ip -n "$LAB-$1" link set "$2" up
}

lab_up() {
  local ns tool
  [[ $(id -u) == 0 ]] || lab_die "needs root (namespaces)"
  for tool in ip ethtool nft tcpdump iperf3 ping setsid nsenter; do
    command -v "$tool" >/dev/null || lab_die "'$tool' is missing: scripts/setup.sh installs it"
  done
  LAB=cw$BASHPID-$1
  STATE=$(mktemp -d "/tmp/causeway-$1.XXXXXX")
  mkdir -p "$STATE/gwa" "$STATE/gwb"
  for ns in $LAB_NAMESPACES; do
    ip netns add "$LAB-$ns"
    ip -n "$LAB-$ns" link set lo up
    # "default" as well as "all", before any interface is made: an interface copies it then.
    in_ns "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
      net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  done
  lab_veth hosta eth0 gwa lan0
  lab_veth gwa wan0 wan wana
  lab_veth wan wanb gwb wan0
  lab_veth gwb lan0 hostb eth0
  ip -n "$LAB-hosta" addr add 10.10.1.2/24 dev eth0
  ip -n "$LAB-hosta" route add default via 10.10.1.1
  ip -n "$LAB-hostb" addr add 10.20.1.2/24 dev eth0
  ip -n "$LAB-hostb" route add default via 10.20.1.1
  ip -n "$LAB-wan" addr add 198.51.100.1/24 dev wana
  ip -n "$LAB-wan" addr add 203.0.113.1/24 dev wanb
  in_ns wan sysctl -qw net.ipv4.ip_forward=1
  # A gateway that is slow to answer ARP on a busy machine is no news: the router keeps it to itself.
  in_ns wan nft 'table ip lab { chain out { type filter hook output priority 0;
    icmp type destination-unreachable icmp code host-unreachable drop; }; }'
  # Private networks are not routed by the Internet: a packet that leaked would be seen, and lost.
  ip -n "$LAB-wan" route add blackhole 10.0.0.0/8
}

lab_end_processes() {
  local pid
  for pid in $(lab_pids); do kill -TERM "$pid" 2>/dev/null || true; done
  if ! wait_for 10 lab_is_quiet; then
    for pid in $(lab_pids); do kill -KILL "$pid" 2>/dev/null || true; done
    wait_for 30 lab_is_quiet || lab_die "processes of the lab do not end: $(lab_pids | xargs)"
  fi
  rm -f "$STATE"/*.pid
}

lab_is_quiet() { [[ -z $(lab_pids) ]]; }

lab_down() {
  local ns
  [[ -n ${LAB:-} ]] || return 0
  lab_end_processes
  for ns in $LAB_NAMESPACES; do
    [[ ! -e /run/netns/$LAB-$ns ]] || ip netns del "$LAB-$ns"
  done
  rm -rf --one-file-system "$STATE"
  LAB=
}

# --- causeway ---------------------------------------------------------------------------------------

causeway_config() {
  local wan router lan net core p_wan p_net psk ike esp id p_id cert ca crl auth wan_extra lan_extra tunnel_extra conf_extra dir=$STATE/$1 pki=$STATE/pki
  side_vars "$1"
  (umask 077; printf '%s\n' "$psk" >"$dir/tunnel.psk")
  auth="psk_file = \"$dir/tunnel.psk\";"
  if [[ $AUTH == cert ]]; then
    auth="auth = \"cert\"; cert = \"$pki/$cert.pem\"; key = \"$pki/$cert.key\"; ca = \"$pki/$ca.pem\";"
    [[ -z $crl ]] || auth+=" crl = \"$pki/$crl.crl\";"
  fi
  cat >"$dir/causeway.conf" <<CONF
workers = [$core];
polling = "adaptive";
hugepages = 0;
socket = "$dir/causeway.sock";
state_dir = "$dir";
ports = (
  { name = "wan"; device = "net_af_packet0,iface=wan0${PORT_OPTIONS:-}"; addresses = ["$wan/24"]; gateway = "$router"; $wan_extra },
  { name = "lan"; device = "net_af_packet1,iface=lan0${PORT_OPTIONS:-}"; addresses = ["$lan/24"]; $lan_extra }
);
${LAB_CAUSEWAY_TOP:-}
$conf_extra
tunnels = (
  { name = "net"; remote = "${REMOTE:-$p_wan}"; local_id = "$id"; remote_id = "$p_id";
    $auth start = "$START"; encap = "$ENCAP";
    ike = { version = 2; proposals = ["${ike//,/\", \"}"]; dpd = { idle = "$DPD_IDLE"; retry = "1s"; tries = 4; }; $IKE_EXTRA };
    esp = { proposals = ["${esp//,/\", \"}"]; $ESP_EXTRA };
    local_subnets = ["${net//,/\", \"}"]; remote_subnets = ["${p_net//,/\", \"}"];
    $tunnel_extra
  }
);
CONF
}

# The interfaces of a Causeway gateway carry no address: the kernel has no part in what they receive.
causeway_start() {
  local i
  [[ -x $BUILD/causewayd ]] || lab_die "$BUILD/causewayd is not built"
  for i in wan0 lan0; do
    ip -n "$LAB-$1" addr flush dev $i
    ip -n "$LAB-$1" link set $i arp off
  done
  # shellcheck disable=SC2016  # expanded by the inner shell
  spawn "$1" "$1-causewayd" bash -c '
    root=$1; shift
    if [[ -z $root ]]; then exec "$@"; fi
    mount --bind /tmp "$root/tmp" && mount --bind /dev "$root/dev" && mount -t proc proc "$root/proc" &&
      mount -t sysfs sysfs "$root/sys" || exit 1
    exec chroot "$root" "/causeway/build/${1##*/}" "${@:2}"' - "$OUR_ROOT" \
    "$BUILD/causewayd" --config "$STATE/$1/causeway.conf" --log-level "${LOG_LEVEL:-info}"
  causeway_answers() { ended "$1-causewayd" || ctl "$1" status; }
  wait_for 120 causeway_answers "$1" && runs "$1-causewayd" && return
  tail -n 20 "$STATE/$1-causewayd.out" >&2
  lab_die "causewayd on $1 did not come up"
}

ctl() { local side=$1; shift; "$BUILD/causewayctl" --socket "$STATE/$side/causeway.sock" "$@"; }

# ctl_json SIDE EXPRESSION ARGS...: evaluates a Python expression over j, the answer in JSON.
ctl_json() {
  local side=$1 expression=$2; shift 2
  ctl "$side" --json "$@" | /usr/bin/python3 -c "import json, sys; j = json.load(sys.stdin); print($expression)"
}

tunnel_state() { ctl_json "$1" 'j["tunnels"][0]["state"]' status; }
tunnel_is() { [[ $(tunnel_state "$1") == "$2" ]]; } # SIDE STATE
down_reason() { ctl_json "$1" 'j["tunnels"][0]["down_reason"] or ""' status; }
drops() { ctl_json "$1" "j['drops'].get('$2', 0)" counters; } # SIDE NAME

# --- strongSwan -------------------------------------------------------------------------------------

# charon with its userspace ESP (kernel-libipsec). The side's directory becomes charon's /run: its pid
# file, socket, configuration and log are then private, whether it comes from this system or another root.
strongswan_config() {
  local wan router lan net core p_wan p_net psk ike esp id p_id cert ca crl dir=$STATE/$1
  local own="auth = psk" theirs="auth = psk"
  side_vars "$1"
  if [[ $AUTH == cert ]]; then
    strongswan_certificates "$dir" "$cert" "$ca" "$crl"
    own="auth = ${STRONGSWAN_AUTH:-pubkey}; certs = $cert.pem" theirs="auth = ${STRONGSWAN_PEER_AUTH:-pubkey}; cacerts = $ca.pem"
    [[ -z $crl ]] || theirs+="; revocation = strict"
  fi
  cat >"$dir/strongswan.conf" <<CONF
charon {
  # kernel-libipsec stands before kernel-netlink: the first to offer a feature is the one that is used.
  load_modular = no
  load = random nonce openssl kdf aes sha1 sha2 hmac gcm curve25519 pem pkcs1 pkcs8 x509 pubkey constraints revocation kernel-libipsec kernel-netlink socket-default vici${CHARON_PLUGINS:-}
  retransmit_timeout = 1.0
  retransmit_base = 1.5
  retransmit_tries = 4
  ${CHARON_EXTRA:-}
  plugins {
    vici { socket = unix:///run/charon.vici }
    kernel-libipsec { raw_esp = $RAW_ESP }
  }
  filelog {
    main {
      path = /run/charon.log
      flush_line = yes
      time_format = %H:%M:%S
      ike_name = yes
      default = 1
      ike = $CHARON_LOG
      chd = $CHARON_LOG
      cfg = 2
      esp = ${ESP_LOG:-1}
    }
  }
}
swanctl { load = random openssl pem pkcs1 pkcs8 x509 pubkey }
CONF
  cat >"$dir/swanctl.conf" <<CONF
connections {
  peer {
    version = 2
    local_addrs = $wan
    remote_addrs = $p_wan
    proposals = $ike
    mobike = no
    encap = no
    dpd_delay = $DPD_IDLE
    rekey_time = 4h
    ${STRONGSWAN_EXTRA:-}
    local {
      ${own//; /$'\n'      }
      id = $id
    }
    remote {
      ${theirs//; /$'\n'      }
      id = $p_id
    }
    children {
      net {
        local_ts = $net
        remote_ts = $p_net
        esp_proposals = $esp
        rekey_time = ${CHILD_REKEY:-1h}
        start_action = none
        dpd_action = clear
        $CHILD_EXTRA
      }
      $CHILDREN_EXTRA
    }
  }
}
secrets {
  ike-peer { secret = "$psk" }
}
CONF
}

# strongswan_certificates DIR CERT CA CRL: where swanctl looks for them. Of a file with several, the first is the own one.
strongswan_certificates() {
  local pki=$STATE/pki
  rm -rf "$1"/x509 "$1"/x509ca "$1"/x509crl "$1"/private
  mkdir -p "$1"/x509 "$1"/x509ca "$1"/x509crl "$1"/private
  openssl x509 -in "$pki/$2.pem" -out "$1/x509/$2.pem"
  cp "$pki/$2.key" "$1/private/"
  cp "$pki/$3.pem" "$1/x509ca/"
  [[ ! -e $pki/$2.chain ]] || cp "$pki/$2.chain" "$1/x509ca/$2-issuer.pem"
  [[ -z $4 ]] || cp "$pki/$4.crl" "$1/x509crl/"
}

strongswan_start() {
  local wan router lan net core p_wan p_net psk ike esp id p_id
  side_vars "$1"
  [[ -x $PEER_ROOT/usr/lib/ipsec/charon ]] || lab_die "no strongSwan in ${PEER_ROOT:-this system}: scripts/setup.sh installs it"
  if [[ -z $(ip -n "$LAB-$1" -4 addr show dev wan0) ]]; then
    ip -n "$LAB-$1" addr add "$wan/24" dev wan0
    ip -n "$LAB-$1" addr add "$lan/24" dev lan0
    ip -n "$LAB-$1" link set wan0 arp on
    ip -n "$LAB-$1" link set lan0 arp on
    ip -n "$LAB-$1" route add default via "$router"
    in_ns "$1" sysctl -qw net.ipv4.ip_forward=1
    # charon's own table comes before main: with a selector of 0.0.0.0/0 it would take the LAN's traffic too.
    ip -n "$LAB-$1" rule add pref 100 lookup main suppress_prefixlength 0
  fi
  # A charon that was killed leaves its pid file, and one that finds it may believe that the other still runs.
  rm -f "$STATE/$1/charon.vici" "$STATE/$1/charon.pid" "$STATE/$1/charon.log"
  # ip netns exec gives its command a mount namespace of its own: these mounts go with charon.
  # shellcheck disable=SC2016  # expanded by the inner shell
  spawn "$1" "$1-charon" bash -c '
    root=$1
    mount --bind "$2" "$root/run" || exit 1
    if [[ -z $root ]]; then exec env STRONGSWAN_CONF=/run/strongswan.conf /usr/lib/ipsec/charon; fi
    mount --bind /dev "$root/dev" && mount -t proc proc "$root/proc" && mount -t sysfs sysfs "$root/sys" || exit 1
    exec chroot "$root" env STRONGSWAN_CONF=/run/strongswan.conf /usr/lib/ipsec/charon' - "$PEER_ROOT" "$STATE/$1"
  # It is there once it answers: its socket's name exists before anybody listens on it. How long that takes is the
  # machine's matter; a charon that ended is not waited for.
  charon_answers() { ended "$1-charon" || { [[ -S $STATE/$1/charon.vici ]] && sw "$1" --stats; }; }
  if ! wait_for 120 charon_answers "$1" || ! runs "$1-charon"; then
    tail -n 20 "$STATE/$1-charon.out" "$STATE/$1/charon.log" >&2
    lab_die "charon on $1 did not come up"
  fi
  sw "$1" --load-all --noprompt >"$STATE/$1/load.out" 2>&1 || { cat "$STATE/$1/load.out" >&2; lab_die "swanctl on $1 refused the configuration"; }
}

# swanctl of the same release, in the namespaces and the root of that charon.
sw() {
  local pid command=$2
  read -r _ pid <"$STATE/$1-charon.pid"
  shift 2
  nsenter -t "$pid" -m -n -r -w env STRONGSWAN_CONF=/run/strongswan.conf SWANCTL_DIR=/run \
    /usr/sbin/swanctl "$command" "$@" --uri unix:///run/charon.vici
}

strongswan_children() { sw "$1" --list-sas 2>/dev/null | grep -c INSTALLED || true; }
strongswan_has() { [[ $(strongswan_children "$1") == "$2" ]]; } # SIDE COUNT
strongswan_is_idle() { [[ -z $(sw "$1" --list-sas 2>/dev/null) ]]; }

# The strongSwan of choice: udp (this system's: ESP in UDP) or native (the Debian 13 root's: protocol 50).
use_strongswan() {
  case $1 in
    udp) PEER_ROOT='' RAW_ESP=no ;;
    native) PEER_ROOT=$("$LAB_TOP/scripts/peer-root") || lab_die "scripts/peer-root failed"; RAW_ESP=yes ;;
  esac
}

# --- traffic and the wire ---------------------------------------------------------------------------

host_address() { if [[ $1 == hosta ]]; then echo 10.10.1.2; else echo 10.20.1.2; fi; }
other_host() { if [[ $1 == hosta ]]; then echo hostb; else echo hosta; fi; }

ping_through() { # FROM COUNT [PING OPTIONS]: prints ping's summary
  local from=$1 count=$2 out; shift 2
  out=$(in_ns "$from" ping -n -i 0.1 -W 2 -c "$count" "$@" "$(host_address "$(other_host "$from")")") || true
  grep -E 'packets transmitted' <<<"$out"
  grep -q " 0% packet loss" <<<"$out" || { cat <<<"$out"; return 1; }  # which ones are missing
}

# One ping of a second: for wait_for, where it is asked whether traffic flows at all.
flows_from() { in_ns "$1" ping -n -q -c 1 -W 1 "$(host_address "$(other_host "$1")")" >/dev/null; }

tcp_through() {
  local up down
  if ! runs iperf3; then
    spawn hostb iperf3 iperf3 -s -4
    listens() { in_ns hostb ss -Hltn 'sport = :5201' | grep -q LISTEN; }
    wait_for 5 listens || { echo "the iperf3 server does not listen" >&2; return 1; }
  fi
  up=$(tcp_rate "$1") || return 1
  down=$(tcp_rate "$1" -R) || return 1
  echo "$up Mbit/s from hosta to hostb, $down Mbit/s from hostb to hosta"
}

tcp_rate() { # SECONDS [IPERF3 OPTIONS]
  local out seconds=$1; shift
  out=$(in_ns hosta timeout $((seconds + 20)) iperf3 -c 10.20.1.2 -t "$seconds" -J "$@") || { echo "iperf3 failed: $out" >&2; return 1; }
  /usr/bin/python3 -c '
import json, sys
j = json.load(sys.stdin)
if "error" in j or j["end"]["sum_received"]["bytes"] == 0: sys.exit("iperf3: " + j.get("error", "nothing arrived"))
print(round(j["end"]["sum_received"]["bits_per_second"] / 1e6))' <<<"$out"
}

capture_start() {
  rm -f "$STATE/wire.pcap"
  # Immediate mode and no buffering of the file: what crossed before capture_stop is in it.
  spawn wan capture tcpdump -n --immediate-mode -U -B 65536 -s 128 -i wanb -w "$STATE/wire.pcap"
  listening() { grep -q 'listening on' "$STATE/capture.out"; }
  wait_for 5 listening || { cat "$STATE/capture.out" >&2; return 1; }
}

capture_stop() { stop capture INT; }

# What crossed the wire, every frame by its kind; fails if there was anything but ESP, IKE and ARP.
capture_classify() { # [--require KIND]...
  grep -qE '^0 packets dropped by kernel' "$STATE/capture.out" || {
    echo "the capture is not complete: $(tail -n 1 "$STATE/capture.out")" >&2
    return 1
  }
  /usr/bin/python3 "$LAB_TOP/scripts/classify-wire" "$STATE/wire.pcap" "$@"
}
