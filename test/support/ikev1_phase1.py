"""ikev1_phase1 - main and aggressive mode of the scripted IKEv1 peer (RFC 2409 5.4, NAT-T by RFC 3947)."""
import os
import socket
import struct
import time

import ikev1_crypto as crypto
import ikev1_wire as wire
from ikev1_wire import say


class Phase1:
    """One ISAKMP SA in the making or made."""

    def __init__(self, initiator, icookie, rcookie, exchange):
        self.initiator, self.icookie, self.rcookie, self.exchange = initiator, icookie, rcookie, exchange
        self.established_at = None
        self.keys = self.suite = self.dh = None
        self.ni = self.nr = self.gxi = self.gxr = self.sa_body = self.peer_id = b""
        self.float_to_4500 = False
        self.endpoint = None       # (port of ours, (address, port) of the peer)
        self.answered = {}         # octets of a message that came: what we answered
        self.quick = {}            # message id: Quick
        self.unanswered = None     # (tries left, when, octets): we are the initiator

    def established(self):
        return self.established_at is not None


class Phase1Exchanges:
    """What ikev1_peer.Peer does until phase 1 stands."""

    def _phase1_attributes(self, suite):
        number, size = crypto.ENCRYPTION[suite.encryption]
        out = wire.tv(1, number) + wire.tv(2, crypto.HASHES[suite.integrity][0]) + wire.tv(3, 1)
        out += wire.tv(4, crypto.GROUPS[suite.group][0]) + wire.tv(11, 1) + wire.tlv(12, self.o.offer_life1)
        return out + (wire.tv(14, size * 8) if number == 7 else b"")

    def _choose_phase1(self, body):
        """(proposal, transform) of the first offer that is exactly ours."""
        suite = self.ike_suite
        number, size = crypto.ENCRYPTION[suite.encryption]
        wanted = (number, crypto.HASHES[suite.integrity][0], 1, crypto.GROUPS[suite.group][0],
                  size * 8 if number == 7 else None)
        for proposal in wire.parse_sa(body):
            for t in proposal.transforms:
                if (t.get(1), t.get(2), t.get(3), t.get(4), t.get(14)) == wanted:
                    return proposal, t
        return None

    def _first_message(self, port, source, data, message):
        self.counts["mm1"] += 1
        hold = self.o.ignore_phase1
        if hold == "always" or hold == "child" and self.children:
            self.counts["mm1_ignored"] += 1
            say("a first message of phase 1: ignored, as told")
            return
        stage = "mm1" if message.exchange == wire.MAIN else "am1"
        sa = Phase1(False, message.icookie, os.urandom(8), message.exchange)
        sa.endpoint = (port, source)
        self.sas.append(sa)
        message.payloads, _ = wire.parse_payloads(message.first, message.body)
        if self._misbehaves(stage, sa, data, message):
            return
        sa.sa_body = message.get(wire.SA)
        chosen = self._choose_phase1(sa.sa_body)
        if (message.exchange == wire.AGGRESSIVE) != (self.o.mode == "aggressive") or chosen is None:
            kind = "NO-PROPOSAL-CHOSEN" if chosen is None else "AUTHENTICATION-FAILED"
            say(f"first message refused: {kind}")
            body = (wire.NOTIFY, wire.pack_notify(wire.NOTIFIES[kind]))
            self._send(sa, wire.INFORMATIONAL, [body], int.from_bytes(os.urandom(4), "big"), keep=data)
            self.sas.remove(sa)
            return
        sa.suite = self.ike_suite
        proposal, transform = chosen
        answer = [(wire.SA, wire.pack_sa([(proposal.number, wire.PROTO_ISAKMP, proposal.spi,
                                           [(transform.number, transform.ident, transform.raw)])]))]
        vendors = [(wire.VENDOR, v) for v in wire.VENDORS.values()]
        if message.exchange == wire.MAIN:
            self._send(sa, wire.MAIN, answer + vendors, keep=data)
            return
        self._take_values(sa, message)
        sa.peer_id = message.get(wire.ID)
        self._own_values(sa)
        self._derive(sa)
        hashed = self._phase1_hash(sa, False)
        if self.rules.get("am1") == "badhash":
            hashed = bytes(len(hashed))
        self._send(sa, wire.AGGRESSIVE, answer + [(wire.KE, sa.gxr), (wire.NONCE, sa.nr), (wire.ID, self.local_id),
                                                  (wire.HASH, hashed)] + vendors + self._nat_d(sa), keep=data)

    def _own_values(self, sa):
        sa.dh = crypto.DiffieHellman(sa.suite.group)
        nonce = os.urandom(20)
        if sa.initiator:
            sa.gxi, sa.ni = sa.dh.public, nonce
        else:
            sa.gxr, sa.nr = sa.dh.public, nonce

    @staticmethod
    def _take_values(sa, message):
        if sa.initiator:
            sa.gxr, sa.nr = message.get(wire.KE), message.get(wire.NONCE)
        else:
            sa.gxi, sa.ni = message.get(wire.KE), message.get(wire.NONCE)

    def _derive(self, sa):
        shared = sa.dh.shared(sa.gxr if sa.initiator else sa.gxi)
        sa.keys = crypto.Phase1Keys(sa.suite, self.psk, sa.ni, sa.nr, shared, sa.icookie, sa.rcookie, sa.gxi, sa.gxr)

    def _phase1_hash(self, sa, of_initiator):
        idi, idr = (self.local_id, sa.peer_id) if sa.initiator else (sa.peer_id, self.local_id)
        if of_initiator:
            data = sa.gxi + sa.gxr + sa.icookie + sa.rcookie + sa.sa_body + idi
        else:
            data = sa.gxr + sa.gxi + sa.rcookie + sa.icookie + sa.sa_body + idr
        return sa.keys.prf(sa.keys.skeyid, data)

    def _nat_d(self, sa):
        port, (address, remote_port) = sa.endpoint
        ours = os.urandom(4) if self.o.nat == "fake" else socket.inet_aton(self.o.local)
        digest = crypto.HASHES[sa.suite.integrity][1]
        return [(wire.NAT_D, digest(sa.icookie + sa.rcookie + a + struct.pack(">H", p)).digest())
                for a, p in ((socket.inet_aton(address), remote_port), (ours, port))]

    def _detect_nat(self, sa, message):
        """Whether either side is behind a NAT, by what the peer says; our own lie counts too."""
        theirs = message.all(wire.NAT_D)
        if len(theirs) < 2:
            return
        port, (address, remote_port) = sa.endpoint
        digest = crypto.HASHES[sa.suite.integrity][1]
        local = digest(sa.icookie + sa.rcookie + socket.inet_aton(self.o.local) + struct.pack(">H", port)).digest()
        remote = digest(sa.icookie + sa.rcookie + socket.inet_aton(address) + struct.pack(">H", remote_port)).digest()
        us, peer = theirs[0] != local, remote not in theirs[1:]
        sa.float_to_4500 = us or peer or self.o.nat == "fake"
        say(f"NAT detection: {'us ' if us else ''}{'peer ' if peer else ''}{'(faked) ' if self.o.nat == 'fake' else ''}"
            f"{'' if sa.float_to_4500 else 'none'}")

    def _main(self, sa, data, message):
        if sa.established():
            return False
        if sa.initiator:
            return self._main_as_initiator(sa, message)
        if message.get(wire.KE):  # third message
            if self._misbehaves("mm3", sa, data, message):
                return True
            self._take_values(sa, message)
            self._detect_nat(sa, message)
            self._own_values(sa)
            self._derive(sa)
            self._send(sa, wire.MAIN, [(wire.KE, sa.gxr), (wire.NONCE, sa.nr)] + self._nat_d(sa), keep=data)
            return True
        if not (message.flags & wire.ENCRYPTED and message.get(wire.ID) and message.get(wire.HASH)):
            return False
        if self._misbehaves("mm5", sa, data, message):
            return True
        sa.peer_id = message.get(wire.ID)
        if not self._proved(sa, message, True):
            return False
        sa.keys.phase1_iv = message.body[-sa.keys.block:]
        hashed = self._phase1_hash(sa, False)
        if self.rules.get("mm5") == "badhash":
            hashed = bytes(len(hashed))
        self._send(sa, wire.MAIN, [(wire.ID, self.local_id), (wire.HASH, hashed)], encrypt=True, keep=data)
        self._establish(sa)
        return False  # the IV has moved on already, behind our answer

    def _proved(self, sa, message, of_initiator):
        name = wire.identity_text(sa.peer_id)
        if message.get(wire.HASH) != self._phase1_hash(sa, of_initiator):
            say(f"{name}: its hash is wrong (PSK?)")
            return False
        if self.remote_id != "any" and name != self.remote_id:
            say(f"calls itself {name}, expected {self.remote_id}")
            return False
        say(f"peer is {name}")
        return True

    def _establish(self, sa):
        sa.established_at, sa.unanswered = time.monotonic(), None
        say(f"phase 1 established as {'initiator' if sa.initiator else 'responder'}: {sa.suite}")

    def _main_as_initiator(self, sa, message):
        if message.get(wire.SA) and not sa.suite:
            sa.rcookie, sa.suite = message.rcookie, self.ike_suite
            self._own_values(sa)
            self._send(sa, wire.MAIN, [(wire.KE, sa.gxi), (wire.NONCE, sa.ni)] + self._nat_d(sa), keep="request")
        elif message.get(wire.KE) and not sa.keys:
            self._take_values(sa, message)
            self._detect_nat(sa, message)
            self._derive(sa)
            if sa.float_to_4500:
                sa.endpoint = (4500, (sa.endpoint[1][0], 4500))
            hashed = self._phase1_hash(sa, True)
            self._send(sa, wire.MAIN, [(wire.ID, self.local_id), (wire.HASH, hashed)], encrypt=True, keep="request")
        elif message.flags & wire.ENCRYPTED and message.get(wire.ID):
            sa.peer_id = message.get(wire.ID)
            if not self._proved(sa, message, False):
                return False
            self._establish(sa)
            sa.keys.phase1_iv = message.body[-sa.keys.block:]
            self._start_quick(sa)
        return False

    def _aggressive(self, sa, data, message):
        if sa.established():
            return False
        if not sa.initiator:
            if self._misbehaves("am3", sa, data, message):
                return True
            self._detect_nat(sa, message)
            if message.get(wire.HASH) and self._proved(sa, message, True):
                if message.flags & wire.ENCRYPTED:
                    sa.keys.phase1_iv = message.body[-sa.keys.block:]
                sa.answered[data] = None
                self._establish(sa)
            return False
        if not message.get(wire.KE) or sa.keys:
            return False
        sa.rcookie, sa.peer_id = message.rcookie, message.get(wire.ID)
        self._take_values(sa, message)
        self._detect_nat(sa, message)
        self._derive(sa)
        if not self._proved(sa, message, False):
            return False
        nat_d = self._nat_d(sa)
        if sa.float_to_4500:
            sa.endpoint = (4500, (sa.endpoint[1][0], 4500))
        self._send(sa, wire.AGGRESSIVE, [(wire.HASH, self._phase1_hash(sa, True))] + nat_d, encrypt=True)
        self._establish(sa)
        self._start_quick(sa)
        return False

    def _start_phase1(self):
        exchange = wire.AGGRESSIVE if self.o.mode == "aggressive" else wire.MAIN
        sa = Phase1(True, os.urandom(8), bytes(8), exchange)
        sa.endpoint = (500, (self.o.remote, 500))
        sa.sa_body = wire.pack_sa([(1, wire.PROTO_ISAKMP, b"", [(1, 1, self._phase1_attributes(self.ike_suite))])])
        payloads = [(wire.SA, sa.sa_body)]
        if exchange == wire.AGGRESSIVE:
            sa.suite = self.ike_suite
            self._own_values(sa)
            payloads += [(wire.KE, sa.gxi), (wire.NONCE, sa.ni), (wire.ID, self.local_id)]
        self.sas.append(sa)
        self._send(sa, exchange, payloads + [(wire.VENDOR, v) for v in wire.VENDORS.values()], keep="request")
        say("phase 1 begun")
