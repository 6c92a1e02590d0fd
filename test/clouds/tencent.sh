#!/usr/bin/env bash
# Tencent Cloud's gateway as strongSwan can play it: IKEv1 with the weak suite of its defaults and ESP in UDP. Our side
# runs conf/examples/tencent-*.conf as they are.
# alone: it measures loss
set -euo pipefail
. "$(dirname "$0")/_clouds.sh"

LANS_A=192.168.1.1/24 HOSTS_A=192.168.1.12 NET_A=192.168.1.0/24
LANS_B=10.100.1.1/24 HOSTS_B=10.100.1.6 NET_B=10.100.1.0/24
SUITE_IKE=AES_CBC_128/HMAC_MD5_96/PRF_HMAC_MD5/MODP_768
SUITE_ESP=AES_CBC_128/HMAC_MD5_96/NO_EXT_SEQ

cloud() {
  use_strongswan udp
  IKE_PROPOSALS=aes128-md5-modp768 SWAN_ESP=aes128-md5
  IKE_REKEY=0s CHILD_REKEY=0s CHILD_LIFE=12h IKE_OVER=24h DPD_IDLE=0s
  strongswan_ikev1 gwb
}

main_mode() {
  EXAMPLE=tencent-main IDS='203.0.113.2\[203.0.113.2\]...198.51.100.2\[198.51.100.2\]'
  cloud
  cloud_life
  is "encapsulation" "$(ctl_json gwa 'j["tunnels"][0]["children"][0]["encap"]' status)" udp
}

aggressive_mode() {
  EXAMPLE=tencent-aggressive AGGRESSIVE=yes ID_A=branch.example ID_B=cloud.example
  IDS='203.0.113.2\[cloud.example\]...198.51.100.2\[branch.example\]'
  cloud
  cloud_life
}

scenarios tencent
scenario "tencent-main.conf: $rekeys rekeys under traffic" main_mode
scenario "tencent-aggressive.conf: names as identities; $rekeys rekeys under traffic" aggressive_mode
