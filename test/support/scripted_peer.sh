# scripted_peer.sh - sourced after scripts/lab.sh: the scripted IKEv1 peer (test/support/ikev1_peer.py) as gateway B.
# shellcheck shell=bash
#
#   scripted_start [OPTIONS]  starts it in gwb with the lab's addresses; $STATE/gwb-peer.out is what it says
#   tell COMMAND...           does what the peer's help lists; fails where the peer says that it is an error
#   scripted EXPRESSION       a Python expression over j, its status
#   scripted_said REGEX       whether it said something like that

scripted_start() {
  local wan router lan net core p_wan p_net psk ike esp id p_id
  side_vars gwb
  if [[ -z $(ip -n "$LAB-gwb" -4 addr show dev wan0) ]]; then
    ip -n "$LAB-gwb" addr add "$wan/24" dev wan0
    ip -n "$LAB-gwb" addr add "$lan/24" dev lan0
    ip -n "$LAB-gwb" route add default via "$router"
    in_ns gwb sysctl -qw net.ipv4.ip_forward=1
  fi
  rm -f "$STATE/gwb/peer.sock"
  spawn gwb gwb-peer /usr/bin/python3 "$LAB_TOP/test/support/ikev1_peer.py" run --local "$wan" --remote "$p_wan" \
    --psk "$psk" --local-net "$net" --remote-net "$p_net" --control "$STATE/gwb/peer.sock" \
    --ike "${ike%%,*}" --esp "${esp%%,*}" "$@"
  wait_for 10 scripted_said ready || { cat "$STATE/gwb-peer.out" >&2; lab_die "the scripted peer did not come up"; }
}

tell() { /usr/bin/python3 "$LAB_TOP/test/support/ikev1_peer.py" tell "$STATE/gwb/peer.sock" "$@"; }
scripted() { tell status | /usr/bin/python3 -c "import json, sys; j = json.load(sys.stdin); print($1)"; }
scripted_said() { grep -qE -- "$1" "$STATE/gwb-peer.out"; }
scripted_has() { [[ $(scripted 'j["children"]') == "$1" ]]; }
