#!/usr/bin/python3
"""udp_sequence.py - numbered UDP datagrams at a steady rate, and who of them arrived.

    udp_sequence.py send ADDRESS PORT [--rate N] [--seconds S] [--flows N]    until SIGINT or for S seconds; prints {"sent": N}
    udp_sequence.py receive PORT                                  until SIGINT; prints what came, as JSON

Each datagram holds its number (from 1) and when it was sent; flows take turns. The receiver's object: "distinct" numbers, "repeated"
ones, "reordered" (came behind a higher one), "highest", and "missing" below it, as ranges, at most 20.
A sender that the machine held up catches up at no more than twice the rate, in bursts of no more than 64, so that the
mean rate holds and nobody is tried harder than was asked for.
"""
import argparse
import json
import signal
import socket
import struct
import sys
import threading
import time

HEADER = struct.Struct("!QQ")
PADDING = bytes(84)  # 100 octets of payload
BURST = 64


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


def send(options):
    # Asked to stop between two datagrams only: one that is sent is counted.
    asked = threading.Event()
    for s in (signal.SIGINT, signal.SIGTERM):
        signal.signal(s, lambda *_: asked.set())
    flows = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(options.flows)]  # a source port each
    for out in flows:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sent, begin = 0, time.monotonic()
    before = begin
    while not asked.is_set() and (not options.seconds or time.monotonic() - begin < options.seconds):
        now = time.monotonic()
        due = int((now - begin) * options.rate)
        catching_up = 1 + int(2 * (now - before) * options.rate)
        before = now
        for _ in range(min(due - sent, catching_up, BURST)):
            flows[sent % len(flows)].sendto(HEADER.pack(sent + 1, time.time_ns()) + PADDING, (options.address, options.port))
            sent += 1
        time.sleep(0.001)
    elapsed = time.monotonic() - begin
    print(json.dumps({"sent": sent, "seconds": round(elapsed, 2), "rate": round(sent / elapsed)}), flush=True)


def ranges(numbers):
    out = []
    for n in numbers:
        if out and n == out[-1][1] + 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return [f"{a}" if a == b else f"{a}-{b}" for a, b in out[:20]]


def receive(options):
    into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    into.bind(("", options.port))
    seen, repeated, reordered, highest = set(), 0, 0, 0
    print("listening", file=sys.stderr, flush=True)
    try:
        while True:
            number = HEADER.unpack_from(into.recv(2048))[0]
            repeated += number in seen
            reordered += number < highest
            highest = max(highest, number)
            seen.add(number)
    except Stop:
        pass
    missing = [n for n in range(1, highest + 1) if n not in seen] if len(seen) < highest else []
    print(json.dumps({"distinct": len(seen), "repeated": repeated, "reordered": reordered, "highest": highest,
                      "missing": ranges(missing)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    sender = modes.add_parser("send")
    sender.add_argument("address")
    sender.add_argument("port", type=int)
    sender.add_argument("--rate", type=int, default=1000)
    sender.add_argument("--seconds", type=float, default=0)
    sender.add_argument("--flows", type=int, default=1)
    modes.add_parser("receive").add_argument("port", type=int)
    options = parser.parse_args()
    if options.mode == "receive":
        for s in (signal.SIGINT, signal.SIGTERM):
            signal.signal(s, stop)
    {"send": send, "receive": receive}[options.mode](options)


if __name__ == "__main__":
    main()
