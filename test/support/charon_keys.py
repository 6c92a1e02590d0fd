#!/usr/bin/python3
"""charon_keys.py LOG - the keys of the latest child SA in a charon log (level 4), as JSON on stdout.

The keys are those of packets charon sends, where charon was the initiator. Fields: cipher and hash as
scapy calls them, encryption and integrity in hex (integrity empty for an AEAD).
"""
import json
import re
import sys

CIPHERS = {"AES_CBC": "AES-CBC", "AES_GCM_16": "AES-GCM"}
HASHES = {"HMAC_SHA2_256_128": "SHA2-256-128", "HMAC_SHA1_96": "HMAC-SHA1-96"}


def main():
    found = {"cipher": None, "hash": "NULL", "encryption": "", "integrity": ""}
    collecting, left = None, 0
    for line in open(sys.argv[1], encoding="utf-8", errors="replace"):
        text = re.sub(r"^\S+ \d+\[\w+\] (<[^>]*> )?", "", line.rstrip("\n"))
        octets = re.match(r"\s*\d+: ((?:[0-9A-F]{2} )+)", text)
        if collecting and octets:
            # An ASCII column follows the octets: the announced length tells where they end.
            taken = bytes.fromhex(octets.group(1))[:left]
            found[collecting] += taken.hex()
            left -= len(taken)
            collecting = collecting if left else None
            continue
        using = re.match(r"\s*using (\S+) for (encryption|integrity)", text)
        if using:
            table, field = (CIPHERS, "cipher") if using.group(2) == "encryption" else (HASHES, "hash")
            found[field] = table.get(using.group(1))
        key = re.match(r"(encryption|integrity) initiator key => (\d+) bytes", text)
        if key:
            collecting, left = key.group(1), int(key.group(2))
            found[collecting] = ""
    if not found["cipher"] or not found["encryption"]:
        sys.exit("no keys in this log: was it written at level 4?")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
