#!/usr/bin/python3
"""_attacker.py KIND --interface IF --sample PCAP [--count N] [--keys JSON] - bad packets from the wire.

Sends N packets of one KIND to the gateway that the sample's ESP packets went to, from the same peer and
in the same form (native or in UDP 4500). Kinds:
  replay      an ESP packet of the sample once more
  bad-icv     the same with a fresh sequence number: its integrity check cannot hold
  unknown-spi ESP for an SPI nobody gave out
  short       an ESP header that ends in the middle
  odd-length  a ciphertext one octet longer than a multiple of the block
  cleartext   a packet from the peer's protected network to ours, not encrypted at all
  outside     rightly encrypted, but from an address outside the selectors (needs --keys)
"""
import argparse
import json

from scapy.all import IP, UDP, Ether, Raw, rdpcap, sendp
from scapy.layers.ipsec import ESP, SecurityAssociation


def esp_of(packet):
    """The ESP octets of a captured frame, native or in UDP; None if it is something else."""
    ip = packet.getlayer(IP)
    if ip is None:
        return None
    body = bytes(ip.payload)
    if ip.proto == 50:
        return body
    if ip.proto == 17 and UDP in packet and 4500 in (packet[UDP].sport, packet[UDP].dport):
        inside = body[8:]
        return inside if len(inside) > 16 and inside[:4] != bytes(4) else None
    return None


class Attacker:
    def __init__(self, options):
        self.options = options
        frames = [p for p in rdpcap(options.sample) if esp_of(p)]
        self.sample = frames[-1]
        self.esp = esp_of(self.sample)
        self.sequence = max(int.from_bytes(esp_of(p)[4:8], "big") for p in frames)

    def frame(self, esp):
        """Ethernet, IP and, where the sample has it, UDP around these octets."""
        outer = self.sample[IP]
        ether = Ether(src=self.sample[Ether].src, dst=self.sample[Ether].dst)
        if outer.proto == 50:
            return ether / IP(src=outer.src, dst=outer.dst, proto=50) / Raw(esp)
        udp = UDP(sport=self.sample[UDP].sport, dport=self.sample[UDP].dport, chksum=0)
        return ether / IP(src=outer.src, dst=outer.dst) / udp / Raw(esp)

    def header(self, ahead):
        return self.esp[:4] + (self.sequence + ahead).to_bytes(4, "big")

    def replay(self, _):
        return self.frame(self.esp)

    def bad_icv(self, n):
        return self.frame(self.header(1000 + n) + self.esp[8:])

    def unknown_spi(self, n):
        return self.frame((0x00C0FFEE + n).to_bytes(4, "big") + self.esp[4:])

    def short(self, _):
        return self.frame(self.esp[:6])

    def odd_length(self, n):
        return self.frame(self.header(1000 + n) + b"\xa5" + self.esp[8:])

    def cleartext(self, n):
        ether = Ether(src=self.sample[Ether].src, dst=self.sample[Ether].dst)
        return ether / IP(src="10.20.1.2", dst="10.10.1.2") / UDP(sport=7, dport=9) / Raw(b"clear %d" % n)

    def outside(self, n):
        with open(self.options.keys, encoding="utf-8") as f:
            keys = json.load(f)
        outer = self.sample[IP]
        sa = SecurityAssociation(
            ESP, spi=int.from_bytes(self.esp[:4], "big"), seq_num=self.sequence + 1000 + n,
            crypt_algo=keys["cipher"], crypt_key=bytes.fromhex(keys["encryption"]),
            auth_algo=keys["hash"], auth_key=bytes.fromhex(keys["integrity"]),
            tunnel_header=IP(src=outer.src, dst=outer.dst))
        inner = IP(src="192.0.2.9", dst="10.10.1.2") / UDP(sport=7, dport=9) / Raw(b"not yours")
        return self.frame(bytes(sa.encrypt(inner)[IP].payload))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind")
    parser.add_argument("--interface", required=True)
    parser.add_argument("--sample", required=True)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--keys")
    options = parser.parse_args()
    attacker = Attacker(options)
    make = getattr(attacker, options.kind.replace("-", "_"))
    sendp([make(n) for n in range(options.count)], iface=options.interface, verbose=False)
    print(f"{options.count} packets of kind {options.kind} sent")


if __name__ == "__main__":
    main()
