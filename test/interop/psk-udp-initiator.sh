#!/usr/bin/env bash
# IKEv2 with a PSK, ESP in UDP (strongSwan 5.9.8 of Debian 12), we initiate: a tunnel's whole life.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

scenarios psk-udp-initiator
scenario "AES-256-GCM" whole_life udp us aes256gcm16
scenario "AES-128-CBC with HMAC-SHA2-256" whole_life udp us aes128-sha256
