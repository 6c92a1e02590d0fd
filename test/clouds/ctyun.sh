#!/usr/bin/env bash
# CTyun's gateway as strongSwan can play it: single-valued, two subnets on either side, a phase 2 for each pair. Our
# side runs conf/examples/ctyun-*.conf as they are.
# alone: it measures loss
set -euo pipefail
. "$(dirname "$0")/_clouds.sh"

LANS_A="192.168.3.1/24 192.168.4.1/24" HOSTS_A="192.168.3.2 192.168.4.2"
LANS_B="192.168.1.1/24 192.168.2.1/24" HOSTS_B="192.168.1.2 192.168.2.2"
CHILDREN=4

# swanctl.conf with a child for each pair, net-1 to net-4, in place of the one child.
four_pairs() {
  /usr/bin/python3 - "$STATE/gwb/swanctl.conf" <<'PY'
import re, sys
path = sys.argv[1]
text = open(path).read()
child = re.search(r"      net \{.*?\n      \}\n", text, re.S).group(0)
pairs = [(there, here) for here in ("192.168.3.0/24", "192.168.4.0/24") for there in ("192.168.1.0/24", "192.168.2.0/24")]
out = ""
for i, (there, here) in enumerate(pairs, 1):
    one = child.replace("net {", f"net-{i} {{", 1)
    one = re.sub(r"local_ts = .*", f"local_ts = {there}", one)
    out += re.sub(r"remote_ts = .*", f"remote_ts = {here}", one)
open(path, "w").write(text.replace(child, out))
PY
}

cloud() {
  IKE_REKEY=0s CHILD_REKEY=0s CHILD_LIFE=12h IKE_OVER=24h DPD_IDLE=0s
  strongswan_ikev1 gwb
  four_pairs
}

ikev1_psk() {
  use_strongswan udp
  EXAMPLE=ctyun-ikev1-psk IKE_PROPOSALS=aes128-sha256-modp2048 SWAN_ESP=aes128-sha256-modp2048
  SUITE_IKE=AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048
  SUITE_ESP=AES_CBC_128/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ
  IDS='203.0.113.2\[203.0.113.2\]...198.51.100.2\[198.51.100.2\]'
  cloud
  cloud_life
}

# An authority and a certificate for each side: branch is ours, cloud the other.
certificates() {
  local name out=$STATE/pki
  mkdir -p "$out" "$STATE"/gwb/{x509,x509ca,private}
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/O=Lab/CN=Lab CA" -keyout "$out/ca.key" -out "$out/ca.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
  for name in branch cloud; do
    openssl req -newkey rsa:2048 -nodes -subj "/O=Lab/CN=$name.example" -keyout "$out/$name.key" -out "$out/$name.csr"
    openssl x509 -req -in "$out/$name.csr" -CA "$out/ca.pem" -CAkey "$out/ca.key" -CAcreateserial -days 30 \
      -extfile <(printf 'subjectAltName=DNS:%s.example\nkeyUsage=digitalSignature\n' "$name") -out "$out/$name.pem"
  done
  chmod 600 "$out"/*.key
  cp "$out/ca.pem" "$out"/branch.* "$STATE/gwa/"
  cp "$out/ca.pem" "$STATE/gwb/x509ca/"
  cp "$out/cloud.pem" "$STATE/gwb/x509/"
  cp "$out/cloud.key" "$STATE/gwb/private/"
}

ikev2_cert() {
  use_strongswan native
  EXAMPLE=ctyun-ikev2-cert VERSION=2 IKE_PROPOSALS=aes256-sha256-modp2048 SWAN_ESP=aes256-sha256-modp2048
  ID_A=branch.example ID_B=cloud.example
  SUITE_IKE=AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048
  SUITE_ESP=AES_CBC_256/HMAC_SHA2_256_128/MODP_2048/NO_EXT_SEQ
  IDS='203.0.113.2\[cloud.example\]...198.51.100.2\[branch.example\]'
  certificates
  cloud
  sed -i -e 's/auth = psk/auth = pubkey/' -e 's/id = cloud.example/&\n            certs = cloud.pem/' "$STATE/gwb/swanctl.conf"
  cloud_life
}

scenarios ctyun
scenario "ctyun-ikev1-psk.conf: four pairs; $rekeys rekeys under traffic" ikev1_psk
scenario "ctyun-ikev2-cert.conf: certificates, four pairs; $rekeys rekeys under traffic" ikev2_cert
