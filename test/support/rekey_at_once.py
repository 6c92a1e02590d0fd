#!/usr/bin/python3
"""rekey_at_once.py CAUSEWAY_SOCKET CHARON_VICI KIND - tells both gateways to rekey in the same moment.

KIND is child (of the name "net") or ike. Both connections are open before either command is given, so that the two
commands are microseconds apart. Prints how far, in microseconds. The answers are waited for, and not judged: of two
rekeys that collide one may be refused, and what counts is what is left.
"""
import json
import socket
import struct
import sys
import time


def element(kind, text):
    return struct.pack("!BB", kind, len(text)) + text


def key_value(key, value):
    return element(3, key) + struct.pack("!H", len(value)) + value


def vici_packet(name, message):
    """A CMD_REQUEST of strongSwan's VICI protocol."""
    body = struct.pack("!BB", 0, len(name)) + name + message
    return struct.pack("!I", len(body)) + body


def unix(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect(path)
    return s


def main():
    ours_path, theirs_path, kind = sys.argv[1:]
    ours, theirs = unix(ours_path), unix(theirs_path)
    request = json.dumps({"cmd": "rekey", "tunnel": "net", "ike": kind == "ike",
                          "child": "net" if kind == "child" else "", "timeout": 15}).encode() + b"\n"
    vici = vici_packet(b"rekey", key_value(b"child" if kind == "child" else b"ike",
                                           b"net" if kind == "child" else b"peer"))
    first = time.monotonic_ns()
    theirs.sendall(vici)
    ours.sendall(request)
    apart = (time.monotonic_ns() - first) // 1000
    answer_of_theirs = theirs.recv(4096)
    answer_of_ours = ours.recv(4096)
    if not answer_of_ours or not answer_of_theirs:
        sys.exit("a gateway closed its socket")
    print(apart)


if __name__ == "__main__":
    main()
