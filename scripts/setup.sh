#!/usr/bin/env bash
# setup.sh - install everything that building, testing and the demo need, on Debian 12 and 13.
# Idempotent: what is there already is left alone, and nothing is asked.
#
#   sudo scripts/setup.sh [--build-only]
#
# --build-only leaves out what only the tests and the demo use.
set -euo pipefail

die() { echo "setup.sh: $*" >&2; exit 1; }

build_only=no
for arg in "$@"; do
  case $arg in
    --build-only) build_only=yes ;;
    -h | --help) sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) die "unknown option '$arg' (there is only --build-only)" ;;
  esac
done

[[ -r /etc/os-release ]] || die "no /etc/os-release: Causeway is built on Debian 12 or 13"
. /etc/os-release
case "${ID:-}:${VERSION_ID:-}" in
  debian:12) fuzz_runtime="clang-14 libclang-rt-14-dev llvm-14" ;;
  debian:13) fuzz_runtime="clang libclang-rt-19-dev llvm" ;;
  *) die "this is ${PRETTY_NAME:-an unknown system}; Causeway is built on Debian 12 or 13" ;;
esac

# What the build needs. libsystemd-dev and friends are what a static DPDK asks for at link time.
build_packages="g++ meson ninja-build pkg-config ccache git ca-certificates
  libdpdk-dev dpdk-dev libipsec-mb-dev libssl-dev libconfig++-dev libcli11-dev
  nlohmann-json3-dev libspdlog-dev libexpected-dev libmnl-dev catch2 libsystemd-dev libpcap-dev zlib1g-dev
  prometheus-cpp-dev"

# What the tests and the demo need besides: the peer (strongSwan with its userspace ESP), hosts made
# of network namespaces, judges (tshark, scapy, promtool), sanitizers and fuzzers.
test_packages="$fuzz_runtime clang-format clang-tidy
  strongswan-charon strongswan-swanctl strongswan-pki libcharon-extra-plugins
  libcharon-extauth-plugins libstrongswan-standard-plugins libstrongswan-extra-plugins
  iproute2 nftables ethtool iputils-ping iperf3 tcpdump tshark procps util-linux
  python3 python3-scapy python3-cryptography mmdebstrap openssl ike-scan
  prometheus curl"

packages=$build_packages
[[ $build_only == no ]] && packages="$packages $test_packages"

missing=""
for p in $packages; do
  [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null) == "ii "* ]] || missing="$missing $p"
done
if [[ -z $missing ]]; then
  echo "setup: every package is here"
  exit 0
fi

[[ $(id -u) == 0 ]] || die "needs root to install:$missing"
export DEBIAN_FRONTEND=noninteractive
# A package must not start a service here: strongSwan's own would take UDP 500 and 4500 of the host.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  made_policy=yes
fi
trap '[[ $made_policy == yes ]] && rm -f "$policy"' EXIT

echo "setup: installing $(wc -w <<<"$missing") packages:$missing"
install_missing() {
  # shellcheck disable=SC2086  # a list of words
  apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 $missing
}
echo "wireshark-common wireshark-common/install-setuid boolean false" | debconf-set-selections 2>/dev/null || true
if ! install_missing >/tmp/causeway-setup.$$.log 2>&1; then
  # Package lists may be missing or too old: fetch them once and try again.
  apt-get update -q >>/tmp/causeway-setup.$$.log 2>&1 || true
  if ! install_missing >>/tmp/causeway-setup.$$.log 2>&1; then
    tail -n 20 /tmp/causeway-setup.$$.log >&2
    die "apt-get could not install the packages; the whole output is in /tmp/causeway-setup.$$.log"
  fi
fi
# Only its programs are wanted: strongSwan's own service is not to come up at the next boot either.
if [[ $missing == *strongswan-charon* ]] && command -v systemctl >/dev/null; then
  systemctl disable strongswan-starter.service >/dev/null 2>&1 || true
fi
if [[ " $missing " == *" prometheus "* ]] && command -v systemctl >/dev/null; then
  systemctl disable prometheus.service >/dev/null 2>&1 || true
fi
rm -f /tmp/causeway-setup.$$.log
echo "setup: done"
