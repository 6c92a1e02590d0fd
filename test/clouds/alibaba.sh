#!/usr/bin/env bash
# Alibaba Cloud's gateway as strongSwan can play it: single-valued, it never begins a renewal. Our side runs
# conf/examples/alibaba-*.conf as they are.
# alone: it measures loss
set -euo pipefail
. "$(dirname "$0")/_clouds.sh"

ike1_suite=AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024
esp1_suite=AES_CBC_128/HMAC_SHA1_96/MODP_1024/NO_EXT_SEQ
NET_A=192.168.123.0/24 NET_B=172.17.112.0/20

cloud() { # the cloud never renews by itself
  IKE_REKEY=0s CHILD_REKEY=0s CHILD_LIFE=12h IKE_OVER=24h DPD_IDLE=0s
  strongswan_ikev1 gwb
}

ikev1() {
  use_strongswan udp
  EXAMPLE=alibaba-ikev1 IKE_PROPOSALS=aes128-sha1-modp1024 SWAN_ESP=aes128-sha1-modp1024
  SUITE_IKE=$ike1_suite SUITE_ESP=$esp1_suite IDS='203.0.113.2\[203.0.113.2\]...198.51.100.2\[198.51.100.2\]'
  cloud
  cloud_life
}

# The lab's router becomes the NAT: the gateway's port has a private address, the Internet sees 203.0.113.77.
behind_nat() {
  use_strongswan udp
  ip -n "$LAB-wan" addr flush dev wana
  ip -n "$LAB-wan" addr add 192.168.1.1/24 dev wana
  ip -n "$LAB-wan" addr add 203.0.113.77/24 dev wanb
  in_ns wan nft 'table ip nat { chain post { type nat hook postrouting priority srcnat;
    oifname "wanb" ip saddr 192.168.1.0/24 meta l4proto udp snat to 203.0.113.77:20000-40000 fully-random; }; }'
  EXAMPLE=alibaba-nat IKE_PROPOSALS=aes128-sha1-modp1024 SWAN_ESP=aes128-sha1-modp1024
  ID_A=203.0.113.77 SWAN_REMOTE=203.0.113.77 US=203.0.113.77
  SUITE_IKE=$ike1_suite SUITE_ESP=$esp1_suite IDS='203.0.113.2\[203.0.113.2\]...203.0.113.77\[203.0.113.77\]'
  cloud
  cloud_life
  is "what NAT detection found" "$(ctl_json gwa 'j["tunnels"][0]["ike"]["nat"] in ("us", "both")' status)" True
}

ikev2() {
  use_strongswan native
  EXAMPLE=alibaba-ikev2 VERSION=2 IKE_PROPOSALS=aes256-sha256-modp2048 SWAN_ESP=aes256-sha256-modp2048
  SUITE_IKE=AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048
  SUITE_ESP=AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ
  IDS='203.0.113.2\[203.0.113.2\]...198.51.100.2\[198.51.100.2\]'
  cloud
  cloud_life
}

scenarios alibaba
scenario "alibaba-ikev2.conf: $rekeys rekeys under traffic, native ESP" ikev2
scenario "alibaba-ikev1.conf: $rekeys rekeys under traffic" ikev1
scenario "alibaba-nat.conf: behind a NAT, known by the public address; $rekeys rekeys under traffic" behind_nat
