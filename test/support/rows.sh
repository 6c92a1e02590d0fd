# rows.sh - sourced by scenarios: one failure between gateways after the other, and what our side says of it.
# shellcheck shell=bash disable=SC2034,SC2154

. "$(dirname "${BASH_SOURCE[0]}")/scenario.sh"
. "$(dirname "${BASH_SOURCE[0]}")/scripted_peer.sh"
. "$(dirname "${BASH_SOURCE[0]}")/strongswan_ikev1.sh"

# ours EXTRA...: our side for IKE version $VERSION (and IKE_MODE), with more lines for the tunnel
ours() {
  TUNNEL_EXTRA="${TUNNEL_EXTRA:-} ${*:-}"
  rm -f "$STATE/gwa/history"  # of the row before
  causeway_config gwa
  sed -i "s/version = 2;/version = $VERSION; mode = \"${IKE_MODE:-main}\";/; s/tries = 4/tries = ${DPD_TRIES:-4}/" "$STATE/gwa/causeway.conf"
  causeway_start gwa
}

# strongSwan as gateway B. It never asks whether we live, so that what ends is ended by us.
theirs() {
  use_strongswan "${SWAN:-udp}"
  DPD_IDLE=0s strongswan_ikev1 gwb
  strongswan_start gwb
}

# says REGEX [UNLIKE]: within 40 s the reason is like the one and not like the other
says() {
  reason_is() { [[ -n $(down_reason gwa) ]] && grep -qE -- "$1" <<<"$(down_reason gwa)"; }
  wait_for "${PATIENCE:-40}" reason_is "$1" || true
  down_reason gwa
  matches "the reason" "$(down_reason gwa)" "$1"
  [[ -z ${2:-} ]] || ! grep -qE -- "$2" <<<"$(down_reason gwa)" || { step "the reason '$(down_reason gwa)' names a neighbor: '$2'"; return 1; }
}

# refused REGEX [UNLIKE]: we initiate, and it does not come up
refused() {
  step "we initiate"
  ! ctl gwa up net --timeout "${TRY:-12}" || { step "the tunnel came up"; return 1; }
  says "$@"
}

# peer_refused REGEX [UNLIKE]: the peer initiates, and it does not come up
peer_refused() {
  step "the peer initiates"
  ! sw gwb --initiate --child net --timeout 6 || { step "the tunnel came up"; return 1; }
  says "$@"
}

on_the_path() { in_ns wan nft "table ip path { chain f { type filter hook forward priority 0; $*; }; }"; }
path_is_clear() { in_ns wan nft delete table ip path 2>/dev/null || true; }

# Rows mostly wait for a peer that says nothing: several labs go on side by side.
#   row TITLE FUNCTION...     declares one
#   run_rows NAME LANES       runs them all, each in the next lane's lab, and prints what came of them lane by lane
row_titles=() row_calls=()
row() { row_titles+=("$1"); shift; row_calls+=("$*"); }
one_row() { path_is_clear; "$@"; }

run_rows() {
  local name=$1 lanes=$2 lane out pids=()
  out=$(mktemp -d "/tmp/causeway-$name-rows.XXXXXX")
  trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$out"; exit 130' INT TERM
  for ((lane = 0; lane < lanes; lane++)); do
    run_lane "$name" "$lane" "$lanes" >"$out/$lane" 2>&1 &
    pids+=($!)
  done
  wait
  cat "$out"/*
  rm -rf "$out"
}

run_lane() {
  local i
  scenarios "$1-$2"
  NAME=$1
  for ((i = $2; i < ${#row_titles[@]}; i += $3)); do
    # shellcheck disable=SC2086  # a function and its arguments
    scenario "${row_titles[i]}" one_row ${row_calls[i]}
  done
}
