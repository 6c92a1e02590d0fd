#!/usr/bin/python3
"""_scapy_judge.py open|seal DIR - scapy's opinion of our ESP, and scapy's ESP for us (see golden-esp).

open: decrypts DIR/ours.pcap with the keys of DIR/keys.json and compares with the inner packets there.
seal: makes DIR/theirs.json, packets under the SAs of keys.json's "theirs".
Prints "ok NAME" or "not ok NAME: why" per SA. What scapy does not know is left to the other judges: XCBC,
GMAC, HMAC-SHA2-256-96. ESN with a separate integrity algorithm scapy has for AH only: the ICV is then checked
with Python's own hmac.
"""
import hashlib
import hmac
import ipaddress
import json
import os
import struct
import sys

from scapy.config import conf
conf.crypto_valid = True
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AUTH_ALGOS, CRYPT_ALGOS, ESP, CryptAlgo, IPSecIntegrityError, SecurityAssociation
from scapy.utils import RawPcapReader

INTEGRITY = {"md5": ("HMAC-MD5-96", hashlib.md5), "sha1": ("HMAC-SHA1-96", hashlib.sha1),
             "sha256": ("SHA2-256-128", hashlib.sha256), "sha384": ("SHA2-384-192", hashlib.sha384),
             "sha512": ("SHA2-512-256", hashlib.sha512)}


def short_gcm(octets):
    return CryptAlgo("AES-GCM", cipher=algorithms.AES, mode=modes.GCM, salt_size=4, block_size=1, iv_size=8,
                     icv_size=octets, key_size=(16, 24, 32),
                     format_mode_iv=lambda sa, iv, **kw: sa.crypt_salt + iv)


def cipher_of(name):
    if name.endswith("gcm16"):
        return CRYPT_ALGOS["AES-GCM"]
    if name.endswith("gcm12") or name.endswith("gcm8"):
        return short_gcm(12 if name.endswith("12") else 8)
    return CRYPT_ALGOS.get({"chacha20poly1305": "CHACHA20-POLY1305", "3des": "3DES", "null": "NULL", "aes128": "AES-CBC",
                            "aes192": "AES-CBC", "aes256": "AES-CBC", "aes128ctr": "AES-CTR", "aes192ctr": "AES-CTR",
                            "aes256ctr": "AES-CTR"}.get(name))


class Sa:
    """One SA of keys.json in scapy's terms; `known` is False where scapy lacks an algorithm."""

    def __init__(self, entry):
        self.entry = entry
        self.cipher = cipher_of(entry["cipher"])
        name, self.hash = INTEGRITY.get(entry["integrity"], ("NULL", None))
        self.known = self.cipher is not None and (not entry["integrity"] or self.hash is not None)
        if not self.known:
            return
        self.own_mac = entry["esn"] and self.hash is not None
        self.integrity = AUTH_ALGOS["NULL" if self.own_mac else name]
        self.icv = AUTH_ALGOS[name].icv_size
        self.key = bytes.fromhex(entry["integrity_key"])
        self.sa = SecurityAssociation(ESP, spi=entry["spi"], crypt_algo="NULL", auth_algo="NULL",
                                      tunnel_header=IP(src="192.0.2.1", dst="198.51.100.2"))
        self.sa.crypt_algo = self.cipher
        self.sa.auth_algo, self.sa.auth_key = self.integrity, self.key
        key = bytes.fromhex(entry["key"])
        cut = len(key) - self.cipher.salt_size
        self.sa.crypt_key, self.sa.crypt_salt = key[:cut], key[cut:]

    def mac(self, esp, high):
        return hmac.new(self.key, esp + struct.pack("!L", high), self.hash).digest()[:self.icv]

    def open(self, esp, high):
        if self.own_mac:
            esp, icv = esp[:-self.icv], esp[-self.icv:]
            if icv != self.mac(esp, high):
                raise IPSecIntegrityError("the ICV differs")
        packet = ESP(esp)
        self.integrity.verify(packet, self.key)
        size = self.cipher.icv_size or self.integrity.icv_size
        return self.cipher.decrypt(self.sa, packet, self.sa.crypt_key, size, esn_en=self.entry["esn"], esn=high)

    def seal(self, inner, sequence):
        low, high = sequence & 0xffffffff, sequence >> 32
        iv = os.urandom(self.cipher.iv_size)
        self.sa.tunnel_header = IP(src="192.0.2.1", dst="198.51.100.2")
        self.sa.seq_num = low  # scapy takes 0 for "not given"
        out = self.sa.encrypt(inner, seq_num=low, iv=iv, esn_en=self.entry["esn"], esn=high)
        esp = bytes(out[IP].payload)
        return esp + self.mac(esp, high) if self.own_mac else esp

    def wrap(self, esp):
        e = self.entry
        ip = IP if ipaddress.ip_address(e["source"]).version == 4 else IPv6
        outer = ip(src=e["source"], dst=e["destination"])
        if not e["source_port"]:
            packet = outer / ESP(esp)
            (packet.__setattr__("proto", 50) if ip is IP else packet.__setattr__("nh", 50))
            return bytes(packet)
        udp = UDP(sport=e["source_port"], dport=e["destination_port"])
        if ip is IP:
            udp.chksum = 0
        return bytes(outer / udp / esp)


def payload(raw):
    """(ESP octets) of an outer IP packet."""
    p = IP(raw) if raw[0] >> 4 == 4 else IPv6(raw)
    return bytes(p[UDP].payload) if UDP in p else bytes(p.payload)


def verdict(name, why):
    print(f"not ok {name}: {why}" if why else f"ok {name}")
    return 1 if why else 0


def open_ours(folder, keys):
    by_spi = {}
    for raw, _ in RawPcapReader(folder + "/ours.pcap"):
        esp = payload(raw)
        by_spi.setdefault(struct.unpack("!L", esp[:4])[0], []).append(esp)
    failed = 0
    for entry in keys["ours"]:
        sa = Sa(entry)
        if sa.known:
            failed += verdict("scapy opens ours: " + entry["name"], compare(sa, by_spi.get(entry["spi"], [])))
    return failed


def compare(sa, packets):
    entry, seen_iv = sa.entry, set()
    if len(packets) != len(entry["inner"]):
        return f"{len(packets)} packets, not {len(entry['inner'])}"
    for i, (esp, inner) in enumerate(zip(packets, entry["inner"])):
        sequence = entry["first_sequence"] + i
        if struct.unpack("!L", esp[4:8])[0] != sequence & 0xffffffff:
            return f"packet {i} has the wrong sequence number"
        try:
            plain = sa.open(esp, sequence >> 32)
        except IPSecIntegrityError as e:
            return f"packet {i}: {e}"
        if bytes(plain.data).hex() != inner:
            return f"packet {i} decrypts to something else"
        if plain.nh != (4 if inner[0] == "4" else 41):
            return f"packet {i}: next header {plain.nh}"
        if plain.iv in seen_iv and plain.iv:
            return f"packet {i} repeats an IV"
        seen_iv.add(bytes(plain.iv))
    return ""


def seal_theirs(folder, keys):
    theirs = {}
    for entry in keys["theirs"]:
        sa = Sa(entry)
        if not sa.known:
            continue
        case = {"packets": [], "inner": []}
        for i in range(6):
            v4 = i % 2 == 0
            inner = (IP(src="10.2.3.4", dst="10.1.9.8") if v4 else IPv6(src="fd02::9", dst="fd01::1"))
            inner = inner / UDP(sport=53, dport=4000) / os.urandom(37 * i + i * i)
            inner = (IP if v4 else IPv6)(bytes(inner))
            case["inner"].append(bytes(inner).hex())
            case["packets"].append(sa.wrap(sa.seal(inner, entry["first_sequence"] + i)).hex())
        theirs[entry["name"]] = case
    with open(folder + "/theirs.json", "w", encoding="utf-8") as f:
        json.dump(theirs, f)
    return 0


def main():
    verb, folder = sys.argv[1:3]
    with open(folder + "/keys.json", encoding="utf-8") as f:
        keys = json.load(f)
    return 1 if {"open": open_ours, "seal": seal_theirs}[verb](folder, keys) else 0


if __name__ == "__main__":
    sys.exit(main())
