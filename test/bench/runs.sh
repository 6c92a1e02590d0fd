#!/usr/bin/env bash
# causeway-bench runs on any machine and says what it promises to say. No figure is judged.
set -uo pipefail
cd "$(dirname "$0")/../.."
bench=build/test/bench/causeway-bench
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case_() { # NAME COMMAND...
  local name=$1; shift
  if "$@"; then echo "ok bench: $name"; else echo "not ok bench: $name"; fi
}

without_options() { # both directions, seven sizes, in less than a minute; JSON alone on standard output
  timeout 60 "$bench" --json >"$work/default.json" || return 1
  python3 - "$work/default.json" <<'PY'
import json, sys
results = json.load(open(sys.argv[1]))["results"]
keys = {"direction", "suite", "size", "sas", "burst", "encap", "cycles", "raw_cycles", "raw_by", "overhead_p10",
        "overhead_median", "left_out", "cores", "mpps", "gbps"}
seen = set()
for r in results:
    missing = keys - r.keys()
    assert not missing, missing
    seen.add((r["direction"], r["size"]))
    assert (r["suite"], r["sas"], r["burst"], r["encap"], r["cores"]) == ("aes128gcm16", 1, 32, "native", 1), r
    assert r["cycles"] > 0 and r["raw_cycles"] > 0 and r["mpps"] > 0 and r["gbps"] > 0, r
    level, api = r["raw_by"].split("/")
    assert level in ("sse", "avx2", "avx512") and api in ("direct", "job", "burst", "split"), r
sizes = [64, 128, 256, 512, 1024, 1420, "imix"]
assert seen == {(d, s) for d in ("outbound", "inbound") for s in sizes}, seen
assert len(results) == 14, len(results)
PY
}

chosen() { # what is asked for is what is measured, also where lanes of the library fill across SAs
  timeout 60 "$bench" --json --seconds 0.1 --suite aes128-sha1,aes128-sha256,chacha20poly1305 --size 64,imix --sas 1,100 \
    --burst 1,4 --encap native,udp --direction inbound --profile --plot "$work/plot.svg" >"$work/chosen.json" || return 1
  python3 - "$work/chosen.json" "$work/plot.svg" <<'PY'
import itertools, json, sys
import xml.etree.ElementTree as ElementTree
results = json.load(open(sys.argv[1]))["results"]
got = {(r["suite"], r["size"], r["sas"], r["burst"], r["encap"]) for r in results}
want = set(itertools.product(("aes128-sha1", "aes128-sha256", "chacha20poly1305"), (64, "imix"), (1, 100), (1, 4),
                             ("native", "udp")))
assert got == want, got ^ want
for r in results:
    assert r["direction"] == "inbound"
    assert list(r["profile"]) == ["rx", "classify", "prepare", "crypto", "finish", "tx"], r
assert len(ElementTree.parse(sys.argv[2]).getroot()) > len(results)
PY
}

latency() {
  timeout 60 "$bench" --json --latency --seconds 0.1 --size 64 >"$work/latency.json" || return 1
  python3 -c '
import json, sys
rows = json.load(open(sys.argv[1]))["latency"]
assert len(rows) == 2 and all(0 < r["p50_us"] <= r["p99_us"] <= r["longest_us"] for r in rows), rows' "$work/latency.json"
}

lending() { # one core beside two; on a machine with one it is said that there are no two
  if (($(nproc) < 2)); then
    "$bench" --lend --cores 2 2>&1 | grep -q "this process may use 1"
    return
  fi
  timeout 60 "$bench" --json --lend --cores 2 --seconds 0.1 --size 1420 --direction inbound >"$work/lend.json" || return 1
  python3 -c '
import json, sys
rows = json.load(open(sys.argv[1]))["lend"]
assert len(rows) == 1, rows
r = rows[0]
assert r["cores"] == 2 and r["mpps_one"] > 0 and r["mpps_lent"] > 0 and r["times"] > 0 and r["raw_times"] > 0, r
assert 0 <= r["feed"] < 1 and r["lent"] > 0, r' "$work/lend.json"
}

refuses() { # usage errors: exit code 2, and the word that is wrong is named
  local code
  for words in "--suite rot13" "--size huge" "--size 9000" "--burst 65" "--direction up" "--encap tcp" "--cores 0"; do
    # shellcheck disable=SC2086  # a list of words
    "$bench" $words >"$work/out" 2>&1
    code=$?
    [[ $code == 2 ]] && grep -q -- "${words##* }" "$work/out" || { echo "$words: exit $code"; cat "$work/out"; return 1; }
  done
}

[[ -x $bench ]] || { echo "not ok bench: $bench is not built (ninja -C build)"; exit 0; }
case_ "without options: every size in both directions, JSON" without_options
case_ "suites, SAs, bursts and encapsulations as asked for; a picture" chosen
case_ "latency of lone packets" latency
case_ "decryption lent to another core" lending
case_ "usage errors" refuses
