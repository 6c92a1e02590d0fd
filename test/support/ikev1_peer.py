#!/usr/bin/python3
"""ikev1_peer - an IKEv1 gateway that does what it is told, also what no gateway should do.

    ikev1_peer.py run --local A --remote A --psk TEXT --local-net N --remote-net N --control SOCKET [...]
    ikev1_peer.py tell SOCKET COMMAND [ARGUMENT]...      prints the answer; exit code 1 where it was an error

It shares nothing with control/ikev1. Main and aggressive mode with PSK, quick mode with and without PFS, DPD, DELETE,
NAT-T (RFC 3947), ESP native and in UDP through a TUN device, so that hosts behind it are real. It says on stdout
what it sees and does, a line each.

It never begins anything by itself, and never rekeys. Misbehaviour, by option or by the command "set":
    --life1 S          forget phase 1 after S seconds, silently, and keep phase 2
    --life2 S          forget a child after S seconds, silently
    --ignore-phase1    always: never answer a first message; child: not while we hold a phase 2
    --nat              honest, or fake: NAT detection says that there is a NAT, so ESP goes in UDP
    --outbound         newest, or oldest: which of several children is sent on
    --hash-last        no; named, bare: notifications have their HASH behind, which covers them as naming it or nothing
    --on STAGE=ACTION  at mm1 mm3 mm5 am1 am3 qm1 qm3 (a message we receive as responder), do instead of answering:
                       silence, notify:TYPE (in clear), protected:TYPE (under the SA), badhash (answer with a wrong hash),
                       garbage (answer with octets that do not decrypt)
Commands: initiate, quick, dpd, delete-child, delete-ike, forget-ike, forget-children, forge-delete, forge NOTIFY,
status (JSON), set NAME VALUE, quit.
"""
import argparse
import fcntl
import ipaddress
import json
import os
import selectors
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ikev1_crypto as crypto  # noqa: E402
import ikev1_wire as wire  # noqa: E402
from ikev1_wire import say  # noqa: E402
from ikev1_phase1 import Phase1Exchanges  # noqa: E402
from ikev1_quick import QuickMode  # noqa: E402

RETRANSMIT_S, RETRANSMIT_TRIES = 1.0, 5
NON_ESP_MARKER = bytes(4)


class Peer(Phase1Exchanges, QuickMode):
    def __init__(self, options):
        self.o = options
        self.psk = options.psk.encode()
        self.local_id = wire.pack_identity(options.local_id or options.local)
        self.remote_id = options.remote_id or options.remote
        self.local_net, self.remote_net = (ipaddress.ip_network(n) for n in (options.local_net, options.remote_net))
        self.ike_suite, self.esp_suite = crypto.Suite.of(options.ike), crypto.Suite.of(options.esp)
        self.rules = dict(r.split("=", 1) for r in options.on)
        self.sas, self.children = [], []
        self.counts = {"mm1": 0, "mm1_ignored": 0, "unknown_spi": 0, "bad_esp": 0, "dpd": 0, "dpd_acks": 0, "deleted": 0}
        self.selector = selectors.DefaultSelector()
        self.udp = {port: self._udp(port) for port in (500, 4500)}
        self.esp = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
        self.esp.bind((options.local, 0))
        self.tun = self._tun()
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.control.bind(options.control)
        for what, handler in ((self.esp, self._on_raw_esp), (self.tun, self._on_tun), (self.control, self._on_control)):
            self.selector.register(what, selectors.EVENT_READ, handler)
        self.dpd_number = 1000
        self.running = True

    def _udp(self, port):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((self.o.local, port))
        self.selector.register(s, selectors.EVENT_READ, lambda: self._on_udp(port))
        return s

    def _tun(self):
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", b"ipsec0", 0x0001 | 0x1000))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
        os.system(f"ip link set ipsec0 up mtu 1400 && ip route add {self.remote_net} dev ipsec0")
        return tun

    def run(self):
        say(f"ready: {self.ike_suite} {self.esp_suite}")
        while self.running:
            for key, _ in self.selector.select(0.1):
                key.data()
            self._timers()

    # --- time ----------------------------------------------------------------------------------------
    def _timers(self):
        now = time.monotonic()
        for sa in list(self.sas):
            if self.o.life1 and sa.established() and now - sa.established_at > self.o.life1:
                say("phase 1 expired, silently")
                self.sas.remove(sa)
            elif sa.unanswered and now >= sa.unanswered[1]:
                tries, _, data = sa.unanswered
                if not tries:
                    say("no answer: given up")
                    sa.unanswered = None
                    if not sa.established():
                        self.sas.remove(sa)
                    continue
                sa.unanswered = (tries - 1, now + RETRANSMIT_S, data)
                self._send_octets(sa, data)
        for child in list(self.children):
            if self.o.life2 and now - child.made_at > self.o.life2:
                say(f"child {child.inbound.spi.hex()} expired, silently")
                self.children.remove(child)

    # --- datagrams -----------------------------------------------------------------------------------
    def _send_octets(self, sa, data):
        port, to = sa.endpoint
        self.udp[port].sendto(NON_ESP_MARKER + data if port == 4500 else data, to)

    def _send(self, sa, exchange, payloads, message_id=0, encrypt=False, keep=None):
        """keep: the message this answers, to be answered so again; or "request": repeat until answered."""
        first, body = payloads[0][0], wire.pack_payloads(payloads)
        message = wire.Message(sa.icookie, sa.rcookie, exchange, wire.ENCRYPTED if encrypt else 0, message_id)
        data = wire.pack_message(message, sa.keys.encrypt(message_id, body) if encrypt else body, first)
        if keep == "request":
            sa.unanswered = (RETRANSMIT_TRIES, time.monotonic() + RETRANSMIT_S, data)
        elif keep is not None:
            sa.answered[keep] = data
        self._send_octets(sa, data)

    def _on_udp(self, port):
        data, source = self.udp[port].recvfrom(65535)
        if port == 4500:
            if data == b"\xff":
                return
            if data[:4] != NON_ESP_MARKER:
                self._on_esp(data)
                return
            data = data[4:]
        try:
            self._on_message(port, source, data)
        except (wire.Malformed, struct.error, IndexError) as error:
            say(f"malformed message: {error}")

    def _on_message(self, port, source, data):
        try:
            message = wire.parse_header(data)
        except wire.Malformed as error:
            say(f"not IKEv1: {error}")
            return
        sa = next((s for s in self.sas if s.icookie == message.icookie and
                   (s.rcookie == message.rcookie or message.rcookie == bytes(8) or s.rcookie == bytes(8))), None)
        if sa is None:
            if message.rcookie == bytes(8) and message.exchange in (wire.MAIN, wire.AGGRESSIVE):
                self._first_message(port, source, data, message)
            else:
                say(f"a message of exchange {message.exchange} for a phase 1 we do not hold: ignored")
            return
        if data in sa.answered:
            if sa.answered[data] is not None:
                self._send_octets(sa, sa.answered[data])
            return
        sa.endpoint = (port, source)
        kept = None
        if message.flags & wire.ENCRYPTED:
            if not sa.keys:
                return
            try:
                plain, kept = sa.keys.decrypt(message.message_id, message.body)
                message.payloads, _ = wire.parse_payloads(message.first, plain)
            except (wire.Malformed, ValueError) as error:
                say(f"a message that does not decrypt: {error}")
                if message.exchange == wire.MAIN and not sa.established():
                    self._misbehaves("mm5", sa, data, message)
                return
        else:
            message.payloads, _ = wire.parse_payloads(message.first, message.body)
        handler = {wire.MAIN: self._main, wire.AGGRESSIVE: self._aggressive, wire.QUICK: self._quick,
                   wire.INFORMATIONAL: self._informational}.get(message.exchange)
        if handler is None:
            say(f"exchange {message.exchange}: ignored")
            return
        if handler(sa, data, message) is not False and kept:
            kept()

    # --- misbehaviour --------------------------------------------------------------------------------
    def _misbehaves(self, stage, sa, data, message):
        """Whether something else than an answer was done, as told by --on."""
        action = self.rules.get(stage, "")
        if not action or action == "badhash":
            return False
        say(f"{stage}: {action}, as told")
        sa.answered[data] = None
        kind, _, value = action.partition(":")
        if kind in ("notify", "protected"):
            number = int(value) if value.isdigit() else wire.NOTIFIES[value]
            if kind == "notify":
                body = (wire.NOTIFY, wire.pack_notify(number))
                self._send(sa, wire.INFORMATIONAL, [body], int.from_bytes(os.urandom(4), "big"), keep=data)
            else:
                protocol = wire.PROTO_ESP if stage.startswith("qm") else wire.PROTO_ISAKMP
                spi = sa.quick[message.message_id].spi_out if stage.startswith("qm") else b""
                self._protected(sa, [(wire.NOTIFY, wire.pack_notify(number, protocol, spi))])
        elif kind == "garbage":
            reply = wire.Message(sa.icookie, sa.rcookie, message.exchange, wire.ENCRYPTED, message.message_id)
            sa.answered[data] = wire.pack_message(reply, os.urandom(64), wire.ID)
            self._send_octets(sa, sa.answered[data])
        return True

    # --- informational -------------------------------------------------------------------------------
    def _protected(self, sa, payloads):
        order = self.o.hash_last
        if order != "no" and payloads[0][0] == wire.NOTIFY:  # DPD in the order "seq-notify-hash"
            message_id = int.from_bytes(os.urandom(4), "big") | 1
            digest = sa.keys.prf(sa.keys.a, self._before_hash(message_id, payloads, order == "named"))
            return self._send(sa, wire.INFORMATIONAL, payloads + [(wire.HASH, digest)], message_id, encrypt=True)
        self._send_hashed(sa, wire.INFORMATIONAL, int.from_bytes(os.urandom(4), "big") | 1, b"", payloads)

    def _informational(self, sa, _, message):
        if not message.flags & wire.ENCRYPTED or not self._hash_holds(sa, message):
            kinds = [wire.parse_notify(b)[0] for b in message.all(wire.NOTIFY)]
            say(f"unprotected informational, notifies {kinds}: ignored")
            return False
        for body in message.all(wire.NOTIFY):
            kind, _, spi, extra = wire.parse_notify(body)
            if kind == wire.R_U_THERE:
                self.counts["dpd"] += 1
                self._protected(sa, [(wire.NOTIFY, wire.pack_notify(wire.R_U_THERE_ACK, 1, spi, extra))])
            elif kind == wire.R_U_THERE_ACK:
                self.counts["dpd_acks"] += 1
                say(f"liveness answered, HASH {'first' if message.payloads[0][0] == wire.HASH else 'last'}")
            else:
                say(f"notify {kind}")
        for body in message.all(wire.DELETE):
            protocol, spis = wire.parse_delete(body)
            self.counts["deleted"] += 1
            say(f"delete of protocol {protocol}: {' '.join(s.hex() for s in spis)}")
            if protocol == wire.PROTO_ESP:
                self.children = [c for c in self.children if c.outbound.spi not in spis]
            elif sa in self.sas:
                self.sas.remove(sa)
        return True

    # --- ESP -----------------------------------------------------------------------------------------
    def _on_raw_esp(self):
        packet = self.esp.recv(65535)
        self._on_esp(packet[(packet[0] & 15) * 4:])

    def _on_esp(self, packet):
        child = next((c for c in self.children if c.inbound.spi == packet[:4]), None)
        if child is None:
            self.counts["unknown_spi"] += 1
            return
        inner = child.inbound.open(packet)
        if inner is None:
            self.counts["bad_esp"] += 1
            return
        child.packets_in += 1
        os.write(self.tun, inner)

    def _on_tun(self):
        inner = os.read(self.tun, 65535)
        if not self.children or inner[0] >> 4 != 4:
            return
        child = self.children[0 if self.o.outbound == "oldest" else -1]
        child.packets_out += 1
        packet = child.outbound.seal(inner)
        try:
            if child.encap:
                self.udp[4500].sendto(packet, (self.o.remote, 4500))
            else:
                self.esp.sendto(packet, (self.o.remote, 0))
        except OSError as error:
            say(f"ESP not sent: {error}")

    # --- commands ------------------------------------------------------------------------------------
    def _on_control(self):
        words, source = self.control.recvfrom(65535)
        words = words.decode().split()
        try:
            answer = self._command(*words) or "done"
        except (KeyError, ValueError, TypeError, IndexError) as error:
            answer = f"error: {error!r}"
        if source:
            self.control.sendto(answer.encode(), source)

    def _live(self):
        return next(s for s in reversed(self.sas) if s.established())

    def _command(self, name, *arguments):
        say(f"told: {name} {' '.join(arguments)}")
        handler = getattr(self, "_do_" + name.replace("-", "_"), None)
        if handler is None:
            return f"error: no command {name}"
        try:
            return handler(*arguments)
        except StopIteration:
            return "error: no phase 1 is established"

    def _do_initiate(self):
        self._start_phase1()

    def _do_quick(self):
        self._start_quick(self._live())

    def _do_dpd(self):
        sa = self._live()
        self._protected(sa, [(wire.NOTIFY, wire.pack_notify(wire.R_U_THERE, 1, sa.icookie + sa.rcookie,
                                                                struct.pack(">I", self.dpd_number)))])
        self.dpd_number += 1  # they only grow (RFC 3706 6.1)

    def _do_delete_child(self):
        child = self.children.pop()
        self._protected(self._live(), [(wire.DELETE, wire.pack_delete(wire.PROTO_ESP, [child.inbound.spi]))])

    def _do_delete_ike(self):
        sa = self._live()
        self._protected(sa, [(wire.DELETE, wire.pack_delete(wire.PROTO_ISAKMP, [sa.icookie + sa.rcookie]))])
        self.sas.remove(sa)

    def _do_forget_ike(self):
        self.sas.clear()

    def _do_forget_children(self):
        self.children.clear()

    def _do_forge_delete(self):
        """What somebody on the path could send: everything right but the protection."""
        sa = self._live()
        for protocol, spi in ((wire.PROTO_ISAKMP, sa.icookie + sa.rcookie),
                              *((wire.PROTO_ESP, s) for c in self.children for s in (c.inbound.spi, c.outbound.spi))):
            self._send(sa, wire.INFORMATIONAL, [(wire.DELETE, wire.pack_delete(protocol, [spi]))],
                       int.from_bytes(os.urandom(4), "big"))

    def _do_forge(self, kind):
        sa = self._live()
        number = int(kind) if kind.isdigit() else wire.NOTIFIES[kind]
        body = wire.pack_notify(number, 1, sa.icookie + sa.rcookie)
        self._send(sa, wire.INFORMATIONAL, [(wire.NOTIFY, body)], int.from_bytes(os.urandom(4), "big"))

    def _do_notify(self, kind):
        number = int(kind) if kind.isdigit() else wire.NOTIFIES[kind]
        self._protected(self._live(), [(wire.NOTIFY, wire.pack_notify(number))])

    def _do_status(self):
        return json.dumps({"phase1": len([s for s in self.sas if s.established()]), "children": len(self.children),
                           "encap": ["udp" if c.encap else "native" for c in self.children],
                           "packets_in": sum(c.packets_in for c in self.children),
                           "packets_out": sum(c.packets_out for c in self.children), **self.counts})

    def _do_set(self, name, value):
        if name == "on":
            stage, action = value.split("=", 1)
            self.rules[stage] = action
        elif name in ("life1", "life2"):
            setattr(self.o, name, float(value))
        elif hasattr(self.o, name.replace("-", "_")):
            setattr(self.o, name.replace("-", "_"), value)
        else:
            raise KeyError(name)

    def _do_quit(self):
        self.running = False


def tell(path, words):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours = f"{path}.{os.getpid()}"  # the answer finds us there; an abstract address would not leave our namespace
    s.bind(ours)
    try:
        s.settimeout(5)
        s.connect(path)
        s.send(" ".join(words).encode())
        answer = s.recv(65535).decode()
    finally:
        os.unlink(ours)
    print(answer)
    return 1 if answer.startswith("error") else 0


def main():
    if len(sys.argv) > 3 and sys.argv[1] == "tell":
        return tell(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", choices=["run"])
    for name in ("--local", "--remote", "--psk", "--local-net", "--remote-net", "--control"):
        parser.add_argument(name, required=True)
    for name, value in (("--local-id", ""), ("--remote-id", ""), ("--ike", "aes128-sha1-modp1024"),
                        ("--esp", "aes128-sha1-modp1024")):
        parser.add_argument(name, default=value)
    parser.add_argument("--mode", choices=["main", "aggressive"], default="main")
    parser.add_argument("--nat", choices=["honest", "fake"], default="honest")
    parser.add_argument("--ignore-phase1", choices=["never", "always", "child"], default="never")
    parser.add_argument("--outbound", choices=["newest", "oldest"], default="newest")
    parser.add_argument("--hash-last", choices=["no", "named", "bare"], default="no")
    parser.add_argument("--life1", type=float, default=0)
    parser.add_argument("--life2", type=float, default=0)
    parser.add_argument("--offer-life1", type=int, default=86400)
    parser.add_argument("--offer-life2", type=int, default=43200)
    parser.add_argument("--on", action="append", default=[], metavar="STAGE=ACTION")
    Peer(parser.parse_args()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
