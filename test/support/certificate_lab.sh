# certificate_lab.sh - sourced by scenarios with certificates: authorities and gateways in $STATE/pki.
# shellcheck shell=bash disable=SC2034

PKI="/usr/bin/python3 $LAB_TOP/test/support/pki.py"

pki() { $PKI "$STATE/pki" "$@"; }

# Gateways a and b below root "ca" and intermediate "sub", with keys of that kind; both sides check by certificate.
use_certificates() { # KIND
  [[ -e $STATE/pki/ca.pem ]] || { pki ca ca; pki ca sub --issuer ca; }
  pki cert a --issuer sub --key "$1" --san DNS:a.example.com
  pki cert b --issuer sub --key "$1" --san DNS:b.example.com
  AUTH=cert ID_A=a.example.com ID_B=b.example.com
}
