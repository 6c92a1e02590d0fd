#!/usr/bin/python3
"""rekey_judge.py - judges a capture of ESP taken while tunnels were rekeyed under numbered UDP.

    rekey_judge.py WIRE.pcap --us A --peer B --given N --delivered N --charon-log FILE
                 [--lost-wan N] [--lost-lan N]

- every ESP packet that the peer put on the wire was delivered: as many as `delivered`, which is what the receiver
  behind us counted (nothing else is in the tunnel);
- every packet we were given (`given`, by the sender behind us) left as ESP, each on an SA that the peer had at that
  moment, by charon's own log of its SAD entries (1 s of a log line's distance is forgiven, not more);
- of both, what the kernel could not put into the rings of our ports (`lost-wan`, `lost-lan`) was never given to us: so
  many frames may be missing, and no more;
- no SPI carried one sequence number twice in either direction.
Prints the figures; exits 1, naming what does not hold.
"""
import argparse
import re
import socket
import struct
import sys
import time
from collections import Counter

SLACK = 1.0  # s: charon's log lines and the capture are stamped by two clocks' readers


def packets(path):
    """(time, source, destination, spi, sequence) of every ESP packet, native or in UDP 4500."""
    with open(path, "rb") as f:
        order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(f.read(4))
        if not order:
            sys.exit(f"{path}: not a capture in pcap format")
        f.read(20)
        while len(header := f.read(16)) == 16:
            seconds, micros, length, _ = struct.unpack(order + "IIII", header)
            frame = f.read(length)
            ip = frame[14:]
            if frame[12:14] != b"\x08\x00" or len(ip) < 36 or ip[9] not in (17, 50):
                continue
            body = ip[(ip[0] & 15) * 4:]
            if ip[9] == 17:
                ports = struct.unpack("!HH", body[:4])
                if 4500 not in ports or len(body) < 16 or body[8:12] == bytes(4):
                    continue
                body = body[8:]
            spi, sequence = struct.unpack("!II", body[:8])
            yield (seconds + micros / 1e6, socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20]), spi, sequence)


def lives_of_sas(path):
    """SPI -> [added, deleted]: seconds of the day, by charon's log."""
    lives = {}
    for line in open(path, encoding="utf-8", errors="replace"):
        found = re.match(r"(\d+):(\d+):(\d+) .*(adding|deleting).* SAD entry with SPI ([0-9a-f]{8})", line)
        if not found:
            continue
        hour, minute, second, what, spi = found.groups()
        at = int(hour) * 3600 + int(minute) * 60 + int(second)
        entry = lives.setdefault(int(spi, 16), [None, None])
        entry[what == "deleting"] = at
    return lives


def second_of_day(stamp):
    t = time.localtime(stamp)
    return t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec + stamp % 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wire")
    for name in ("--us", "--peer", "--charon-log"):
        parser.add_argument(name, required=True)
    for name in ("--given", "--delivered"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--lost-wan", "--lost-lan"):
        parser.add_argument(name, type=int, default=0)
    o = parser.parse_args()
    lives = lives_of_sas(o.charon_log)
    ours, theirs, wrong = Counter(), Counter(), []
    seen = Counter()
    for stamp, source, destination, spi, sequence in packets(o.wire):
        seen[(spi, sequence)] += 1
        if (source, destination) == (o.peer, o.us):
            theirs[spi] += 1
        elif (source, destination) == (o.us, o.peer):
            ours[spi] += 1
            added, deleted = lives.get(spi, [None, None])
            at = second_of_day(stamp)
            if added is None or at < added - SLACK or (deleted is not None and at > deleted + 1 + SLACK):
                wrong.append(f"{spi:08x} at {at:.3f}, which the peer had from {added} to {deleted}")
    print(f"  the peer put {sum(theirs.values())} ESP packets on the wire, on {len(theirs)} SAs; "
          f"{o.delivered} came out behind us")
    print(f"  we were given {o.given}, and put {sum(ours.values())} on the wire, on {len(ours)} SAs")
    failures = []
    if not ours or not theirs:
        failures.append("no ESP in one direction")
    if not o.delivered <= sum(theirs.values()) <= o.delivered + o.lost_wan:
        failures.append("not everything that the peer sent was delivered")
    if not sum(ours.values()) <= o.given <= sum(ours.values()) + o.lost_lan:
        failures.append("not everything that we were given left")
    if wrong:
        failures.append(f"{len(wrong)} packets left on an SA that the peer did not have: {wrong[0]}")
    repeated = [k for k, n in seen.items() if n > 1]
    if repeated:
        failures.append(f"sequence number {repeated[0][1]} of {repeated[0][0]:08x} was used twice")
    for f in failures:
        print("  NOT HELD: " + f)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
