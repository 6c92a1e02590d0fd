#!/usr/bin/env bash
# Our ESP before judges that share no code with us: scapy and tshark open what we made, and we open what scapy
# made; every suite they know, native and in UDP, over IPv4 and IPv6, ESN crossing 2^32 where they know it.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${CAUSEWAY_BUILD:-$here/../../build-san}
golden=$build/test/dataplane/golden-esp
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs a judge, one case; it prints a line per SA. Fewer good ones than `least` means that it did not look.
failed=0
judge() {
  local what=$1 least=$2
  shift 2
  if ! "$@" >"$work/said" 2>"$work/errors" && ! grep -q '^not ok ' "$work/said"; then
    echo "not ok $what: $(tail -n 1 "$work/errors")"
    failed=1
    return
  fi
  local good
  good=$(grep -c '^ok ' "$work/said")
  if grep '^not ok ' "$work/said"; then
    failed=1
  elif ((good < least)); then
    echo "not ok $what: $good SAs, not $least"
    failed=1
  else
    echo "ok $what, $good SAs"
  fi
}

if ! "$golden" write "$work" 2>"$work/errors"; then
  echo "not ok golden-esp writes: $(tail -n 1 "$work/errors")"
  exit 1
fi
judge "scapy opens ours" 400 /usr/bin/python3 "$here/_scapy_judge.py" open "$work"
judge "tshark opens ours" 180 /usr/bin/python3 "$here/_tshark_judge.py" "$work"
if ! /usr/bin/python3 "$here/_scapy_judge.py" seal "$work" 2>"$work/errors"; then
  echo "not ok scapy makes ESP: $(tail -n 1 "$work/errors")"
  failed=1
fi
judge "we open scapy's" 400 "$golden" read "$work"

# And a judge that says no: a packet with one bit changed must not pass.
/usr/bin/python3 - "$work/ours.pcap" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as f:
    data = bytearray(f.read())
    data[24 + 16 + 60] ^= 1
    f.seek(0)
    f.write(data)
PYTHON
for judge in "_scapy_judge.py open" "_tshark_judge.py"; do
  # shellcheck disable=SC2086
  if /usr/bin/python3 "$here"/$judge "$work" >"$work/said" 2>&1 || (($(grep -c '^not ok ' "$work/said") != 1)); then
    echo "not ok ${judge%% *} notices a changed bit"
    failed=1
  else
    echo "ok ${judge%% *} notices a changed bit"
  fi
done
exit $failed
