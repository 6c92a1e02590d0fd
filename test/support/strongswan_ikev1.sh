# strongswan_ikev1.sh - sourced by scenarios: strongSwan's side of a tunnel in IKEv1, from the lab's variables.
# shellcheck shell=bash disable=SC2034,SC2154

# Shell variables of strongswan_ikev1, beside those of the lab:
AGGRESSIVE=no
VERSION=1
SWAN_ESP=             # proposals of phase 2, with the group where there is PFS; empty: the lab's ESP proposals
SWAN_CONNECTION=      # more lines for the connection
SWAN_CHILD=           # more lines for the child
SWAN_REMOTE=          # remote_addrs; empty: gateway A's address

# What lab.sh's strongswan_config does not load: the old algorithms, and aggressive mode with a PSK.
strongswan_old_algorithms() { # SIDE
  sed -i -e 's/\<load = random nonce openssl/& md5 gmp/' \
    -e 's/^  load_modular = no/&\n  i_dont_care_about_security_and_use_aggressive_mode_psk = yes/' \
    "$STATE/$1/strongswan.conf"
}

strongswan_ikev1() { # SIDE
  local wan router lan net core p_wan p_net psk ike esp id p_id
  strongswan_config "$1"
  strongswan_old_algorithms "$1"
  side_vars "$1"
  cat >"$STATE/$1/swanctl.conf" <<CONF
connections {
  peer {
    version = $VERSION
    aggressive = $AGGRESSIVE
    local_addrs = $wan
    remote_addrs = ${SWAN_REMOTE:-$p_wan}
    proposals = $ike
    mobike = no
    encap = no
    dpd_delay = $DPD_IDLE
    rekey_time = ${IKE_REKEY:-4h}
    over_time = ${IKE_OVER:-10m}
    rand_time = 0s
    keyingtries = 1
    $SWAN_CONNECTION
    local { auth = psk
            id = $id }
    remote { auth = psk
             id = $p_id }
    children {
      net {
        local_ts = $net
        remote_ts = $p_net
        esp_proposals = ${SWAN_ESP:-$esp}
        rekey_time = ${CHILD_REKEY:-1h}
        life_time = ${CHILD_LIFE:-2h}
        rand_time = 0s
        start_action = none
        dpd_action = clear
        $SWAN_CHILD
      }
    }
  }
}
secrets {
  ike-peer { secret = "$psk" }
}
CONF
}
