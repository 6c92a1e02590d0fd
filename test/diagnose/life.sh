#!/usr/bin/env bash
# A tunnel that does not stay; what a rehearsal finds out before; and why it went down, kept across a restart.
set -euo pipefail
. "$(dirname "$0")/_diagnose.sh"
VERSION=2 START=now
IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256-modp2048

comes_up() { expect "established" wait_for 20 tunnel_is gwa established; }
socket_is_dead() { ! ctl gwa status; }
fell() { [[ $(ctl_json gwa 'len(j["falls"])' show net) -ge $1 ]]; }

# The peer closes what is idle, and we ask for it again.
falls_when_idle() {
  SWAN_CHILD='inactivity = 4s'
  theirs
  ours
  comes_up
  expect "it falls, twice" wait_for 40 fell 2
  PATIENCE=15 verdict F3
  matches "the cure" "$(ctl gwa diagnose net)" 'probe_host'
  step "the daemon starts again"
  stop gwa-causewayd KILL
  expect "it is gone" wait_for 10 socket_is_dead
  causeway_start gwa
  expect "the falls are still known" fell 2
  matches "why" "$(ctl gwa show net)" 'up for [0-9]+ s'
  step "a history that is not ours is put aside, and named"
  stop gwa-causewayd
  expect "it is gone" wait_for 10 socket_is_dead
  echo garbage >"$STATE/gwa/history"
  causeway_start gwa
  matches "the log" "$(ctl gwa log)" "$STATE/gwa/history.*put aside"
  is "what is put aside" "$(<"$STATE/gwa/history.corrupt")" garbage
}

rehearsal_fails() {
  SWAN_ESP=aes256-sha256-modp3072
  theirs
  ours
  comes_up
  local before
  before=$(ctl_json gwa '[(c["spi_in"], c["spi_out"]) for c in j["tunnels"][0]["children"]]' status)
  step "a rehearsal finds out about PFS"
  ! ctl gwa rehearse net --timeout 10 2>"$STATE/rehearse.out" || { step "it passed"; return 1; }
  matches "what it says" "$(<"$STATE/rehearse.out")" 'PFS.*untouched'
  is "the SAs" "$(ctl_json gwa '[(c["spi_in"], c["spi_out"]) for c in j["tunnels"][0]["children"]]' status)" "$before"
  expect "traffic" ping_through hosta 5
  verdict D10
}

rehearsal_passes() {
  theirs
  ours
  comes_up
  local children ike
  children=$(ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_out"]' status)
  ike=$(ctl_json gwa 'j["ike"]["spi_initiator"]' show net)
  spawn hosta background ping -n -i 0.05 10.20.1.2
  expect "a rehearsal passes" ctl gwa rehearse net --timeout 15
  stop background INT
  is "pings that went unanswered" "$(unanswered <"$STATE/background.out")" 0
  [[ $(ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_out"]' status) != "$children" ]] || { step "the child is the same"; return 1; }
  [[ $(ctl_json gwa 'j["ike"]["spi_initiator"]' show net) != "$ike" ]] || { step "the IKE SA is the same"; return 1; }
  verdict healthy
}

# Azure interrupts at each renewal of phase 1 in IKEv1: it is said, and nothing is done.
rehearsal_warns() {
  VERSION=1 AGGRESSIVE=no TUNNEL_EXTRA='cloud = "azure"; selectors = "joint";' IKE_PROPOSALS=aes256-sha256-modp2048 ESP_PROPOSALS=aes256-sha256-modp2048
  theirs
  ours
  comes_up
  local before
  before=$(ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_out"]' status)
  ! ctl gwa rehearse net 2>"$STATE/rehearse.out" || { step "it was done"; return 1; }
  matches "the warning" "$(<"$STATE/rehearse.out")" 'up to 5 s.*--yes'
  is "the SA" "$(ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_out"]' status)" "$before"
  expect "and with --yes it passes here" ctl gwa rehearse net --yes --timeout 20
}

row "F3 it is closed when idle; the history outlives a restart" falls_when_idle
row "rehearse: a refusal shows at noon, and leaves the SAs as they are" rehearsal_fails
row "rehearse: passes under traffic without loss" rehearsal_passes
row "rehearse: a cloud that interrupts is warned of first" rehearsal_warns
run_diagnoses life 2
