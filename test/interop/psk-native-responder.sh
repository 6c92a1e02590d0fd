#!/usr/bin/env bash
# IKEv2 with a PSK, native ESP (strongSwan 6 of the Debian 13 root), strongSwan initiates: a tunnel's whole life.
set -euo pipefail
. "$(dirname "$0")/_strongswan.sh"

scenarios psk-native-responder
scenario "AES-256-GCM" whole_life native peer aes256gcm16
scenario "AES-128-CBC with HMAC-SHA2-256" whole_life native peer aes128-sha256
