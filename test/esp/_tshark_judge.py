#!/usr/bin/python3
"""_tshark_judge.py DIR - tshark's opinion of DIR/ours.pcap, with the keys of DIR/keys.json (see golden-esp).

Per SA: tshark finds the ICV good, and decrypts each packet to the inner one, the padding 1, 2, 3 ..., the pad
length and the next header. Prints "ok NAME" or "not ok NAME: why". What tshark 4.0 does not know is left to the
other judges: ESN, ChaCha20-Poly1305, GMAC, XCBC, HMAC-SHA2-256-96.
"""
import json
import os
import subprocess
import sys

GCM = "AES-GCM with {} octet ICV [RFC4106]"
CIPHERS = {"3des": "TripleDES-CBC [RFC2451]", "null": "NULL"}
for bits in ("128", "192", "256"):
    CIPHERS[f"aes{bits}"] = "AES-CBC [RFC3602]"
    CIPHERS[f"aes{bits}ctr"] = "AES-CTR [RFC3686]"
    for icv in (8, 12, 16):
        CIPHERS[f"aes{bits}gcm{icv}"] = GCM.format(icv)
INTEGRITY = {"": "NULL", "md5": "HMAC-MD5-96 [RFC2403]", "sha1": "HMAC-SHA-1-96 [RFC2404]",
             "sha256": "HMAC-SHA-256-128 [RFC4868]", "sha384": "HMAC-SHA-384-192 [RFC4868]",
             "sha512": "HMAC-SHA-512-256 [RFC4868]"}


def known(e):
    return not e["esn"] and e["cipher"] in CIPHERS and e["integrity"] in INTEGRITY


def write_keys(folder, entries):
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/esp_sa", "w", encoding="utf-8") as f:
        for e in entries:
            version = "IPv6" if ":" in e["source"] else "IPv4"
            hex_of = lambda k: "0x" + k if k else ""
            fields = (version, e["source"], e["destination"], "0x%08x" % e["spi"], CIPHERS[e["cipher"]],
                      hex_of(e["key"]), INTEGRITY[e["integrity"]], hex_of(e["integrity_key"]))
            f.write(",".join(f'"{x}"' for x in fields) + "\n")


def dissect(folder, profile):
    fields = ["esp.spi", "esp.sequence", "esp.icv_good", "esp.icv_bad", "esp.pad", "esp.pad_len", "esp.protocol",
              "esp.decrypted_data", "_ws.expert.message"]
    command = ["tshark", "-r", folder + "/ours.pcap", "-o", "esp.enable_encryption_decode:TRUE",
               "-o", "esp.enable_authentication_check:TRUE", "-T", "fields", "-E", "occurrence=f"]
    for field in fields:
        command += ["-e", field]
    out = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "WIRESHARK_CONFIG_DIR": profile},
                         check=True).stdout
    packets = {}
    for line in out.splitlines():
        row = dict(zip(fields, line.split("\t")))
        packets.setdefault(int(row["esp.spi"], 16), []).append(row)
    return packets


def compare(e, rows):
    if len(rows) != len(e["inner"]):
        return f"{len(rows)} packets, not {len(e['inner'])}"
    for i, (row, inner) in enumerate(zip(rows, e["inner"])):
        if int(row["esp.sequence"]) != i + 1:
            return f"packet {i}: sequence number {row['esp.sequence']}"
        if e["integrity"] and (row["esp.icv_good"], row["esp.icv_bad"]) != ("1", "0"):
            return f"packet {i}: the ICV is not good"
        data, pad = row["esp.decrypted_data"], int(row["esp.pad_len"] or 0)
        tail = bytes(range(1, pad + 1)).hex() + "%02x" % pad + ("04" if inner[0] == "4" else "29")
        if data != inner + tail:
            return f"packet {i} decrypts to something else"
        if row["esp.pad"] != bytes(range(1, pad + 1)).hex() or int(row["esp.protocol"], 16) != (4 if inner[0] == "4" else 41):
            return f"packet {i}: padding {row['esp.pad']}, next header {row['esp.protocol']}"
    return ""


def main():
    folder = sys.argv[1]
    with open(folder + "/keys.json", encoding="utf-8") as f:
        entries = [e for e in json.load(f)["ours"] if known(e)]
    write_keys(folder + "/profile", entries)
    packets = dissect(folder, folder + "/profile")
    failed = 0
    for e in entries:
        why = compare(e, packets.get(e["spi"], []))
        failed += bool(why)
        print(f"not ok tshark opens ours: {e['name']}: {why}" if why else f"ok tshark opens ours: {e['name']}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
