# _strongswan.sh - sourced by test/interop/*.sh: gateway A is ours, gateway B strongSwan, and the life
# of one tunnel between them from both sides.
# shellcheck shell=bash disable=SC2034

. "$(dirname "${BASH_SOURCE[0]}")/../support/scenario.sh"

# whole_life PEER INITIATOR SUITE: PEER is udp or native (see use_strongswan), INITIATOR us or peer.
whole_life() {
  local initiator=$2
  use_strongswan "$1"
  ESP_PROPOSALS=$3
  case $1 in udp) encap=udp wire=esp-in-udp ;; native) encap=native wire=esp ;; esac
  START="wait"
  step "strongSwan starts, and asks whether we live after 1 s of silence"
  DPD_IDLE=1s strongswan_config gwb
  strongswan_start gwb
  step "causewayd starts, and would ask after 3 s"
  DPD_IDLE=3s causeway_config gwa
  causeway_start gwa

  capture_start
  bring_up "$initiator"
  both_agree "$initiator" "$encap" "$3"
  expect "20 pings from our side" ping_through hosta 20
  expect "20 pings from strongSwan's side" ping_through hostb 20
  expect "we answer strongSwan's liveness checks" wait_for 10 strongswan_was_answered 3
  is "our state after them" "$(tunnel_state gwa)" established
  capture_stop
  expect "nothing but IKE, ESP and ARP on the wire" capture_classify --require ike --require "$wire"

  expect "strongSwan deletes the tunnel" sw gwb --terminate --ike peer
  expect "we saw it go" wait_for 5 tunnel_is gwa down
  matches "our reason" "$(down_reason gwa)" 'peer'

  DPD_IDLE=0s strongswan_config gwb
  expect "strongSwan is told not to ask any more" sw gwb --load-all --noprompt
  bring_up "$initiator"
  expect "strongSwan answers our liveness checks" wait_for 12 we_were_answered 2
  is "our state after them" "$(tunnel_state gwa)" established
  expect "pings still pass" ping_through hosta 5
  expect "we delete the tunnel" ctl gwa down net
  expect "strongSwan saw it go" wait_for 5 strongswan_is_idle gwb
  is "our state at the end" "$(tunnel_state gwa)" down
}

# start_both KIND: strongSwan of that kind and causewayd, with whatever the scenario has set
start_both() {
  use_strongswan "$1"
  strongswan_config gwb
  strongswan_start gwb
  causeway_config gwa
  causeway_start gwa
}

# One ping every 20 ms for as long as a scenario lasts; none of them may go unanswered.
pings_begin() { spawn "${1:-hosta}" background ping -n -i 0.02 "$(host_address "$(other_host "${1:-hosta}")")"; }
pings_end() { stop background INT; is "pings that went unanswered" "$(unanswered <"$STATE/background.out")" 0; }

our_ike_spis() { ctl_json gwa '(lambda i: i["spi_initiator"] + " " + i["spi_responder"])((j.get("tunnel") or j)["ike"])' show net; }
our_field() { ctl_json gwa "j[\"tunnels\"][0]$1" status; } # EXPRESSION behind the tunnel
our_children() { our_field '["children"].__len__()'; }
their_ikes() { sw gwb --list-sas | sed -n 's/^peer: .*IKEv2, \([0-9a-f]*\)_i\** \([0-9a-f]*\)_r.*/0x\1 0x\2/p'; }
equal_ikes() { [[ -n $(their_ikes) && $(their_ikes) == "$(our_ike_spis)" ]]; }  # one, and the same on both sides
differs() { local old=$1; shift; [[ -n $("$@") && $("$@") != "$old" ]]; }
charon_says() { grep -qE -- "$1" "$STATE/gwb/charon.log"; }

bring_up() {
  if [[ $1 == us ]]; then
    expect "we initiate" ctl gwa up net --timeout 15
  else
    expect "strongSwan initiates" sw gwb --initiate --child net --timeout 15
  fi
  expect "established on our side" wait_for 5 tunnel_is gwa established
  expect "installed on strongSwan's side" wait_for 5 strongswan_has gwb 1
}

# both_agree INITIATOR ENCAP SUITE: what status says is what strongSwan says
both_agree() {
  local role=initiator mode spi_in
  [[ $1 == us ]] || role=responder
  is "our role" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["role"]' status)" $role
  is "our encapsulation" "$(ctl_json gwa 'j["tunnels"][0]["children"][0]["encap"]' status)" "$2"
  is "our suite" "$(ctl_json gwa 'j["tunnels"][0]["children"][0]["suite"]' status)" "$3"
  mode='INSTALLED, TUNNEL,'
  [[ $2 == native ]] || mode='INSTALLED, TUNNEL-in-UDP'
  matches "strongSwan's child" "$(sw gwb --list-sas)" "$mode"
  spi_in=$(ctl_json gwa 'j["tunnels"][0]["children"][0]["spi_in"][2:].lower()' status)
  matches "strongSwan's outbound SPI" "$(sw gwb --list-sas)" "out +$spi_in"
}

strongswan_was_answered() { # COUNT: of liveness checks, by strongSwan's log
  [[ $(grep -c 'parsed INFORMATIONAL response' "$STATE/gwb/charon.log") -ge $1 ]]
}

we_were_answered() { # COUNT
  [[ $(grep -c 'generating INFORMATIONAL response' "$STATE/gwb/charon.log") -ge $1 ]]
}
