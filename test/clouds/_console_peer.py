#!/usr/bin/python3
"""_console_peer.py LOCAL REMOTE PSK - what `causewayctl --json console` says (on stdin) as a swanctl.conf, on stdout:
the cloud's side of the tunnel, from nothing but the values that a person would type into its console."""
import json
import re
import sys

sheet = json.load(sys.stdin)
local, remote, psk = sys.argv[1:4]
fields = {f["parameter"]: f["value"] for f in sheet["fields"]}


def cipher(text):
    bits = re.search(r"128|192|256", text)
    if "3DES" in text:
        return "3des"
    return f"aes{bits.group()}gcm16" if "GCM" in text else f"aes{bits.group()}"


def digest(text):
    if "MD5" in text:
        return "md5"
    bits = re.search(r"256|384|512", text)
    return f"sha{bits.group()}" if bits else "sha1"


def group(text):
    numbers = {"1": "modp768", "2": "modp1024", "5": "modp1536", "14": "modp2048", "15": "modp3072", "16": "modp4096",
               "19": "ecp256", "20": "ecp384", "21": "ecp521", "31": "x25519"}
    named = re.match(r"DH group (\d+)", text)
    return numbers[named.group(1)] if named else text.lower()


def suite(phase):
    encryption = cipher(fields[f"{phase}_encryption"])
    words = [encryption]
    integrity = fields.get(f"{phase}_integrity", "")
    if "gcm" not in encryption:
        words.append(digest(integrity))
    elif phase == "ike":
        words.append("prf" + digest(integrity))
    if "DH group" in fields[f"{phase}_group"] or "ECP" in fields[f"{phase}_group"]:
        words.append(group(fields[f"{phase}_group"]))
    return "-".join(words)


rules = [rule.split(" -> ") for rule in fields.get("spd_rules", "").split(", ") if rule]
if not rules:
    rules = [(fields.get("cloud_subnets", "0.0.0.0/0"), fields.get("our_subnets", "0.0.0.0/0"))]
children = "".join(
    f"""
      rule{n} {{
        local_ts = {theirs}
        remote_ts = {ours}
        esp_proposals = {suite("esp")}
        rekey_time = 4h
      }}""" for n, (theirs, ours) in enumerate(rules))
print(f"""connections {{
  cloud {{
    version = {fields["ike_version"][-1]}
    aggressive = {"yes" if fields.get("ike_mode") == "aggressive" else "no"}
    local_addrs = {local}
    remote_addrs = {fields["our_address"]}
    proposals = {suite("ike")}
    mobike = no
    dpd_delay = {"30s" if fields.get("dpd", "on") == "on" else "0s"}
    rekey_time = 12h
    local {{ auth = psk
            id = {fields.get("cloud_id", local)} }}
    remote {{ auth = psk
             id = {fields.get("our_id", remote)} }}
    children {{{children}
    }}
  }}
}}
secrets {{
  ike-cloud {{ secret = "{psk}" }}
}}""")
