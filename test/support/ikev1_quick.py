"""ikev1_quick - quick mode of the scripted IKEv1 peer (RFC 2409 5.5)."""
import os
import struct
import time

import ikev1_crypto as crypto
import ikev1_wire as wire
from ikev1_wire import say


class Quick:
    """One quick mode under way."""

    def __init__(self, initiator, suite, spi, ni):
        self.initiator, self.suite, self.spi_in, self.ni = initiator, suite, spi, ni
        self.dh = self.nr = self.spi_out = None
        self.shared = b""
        self.encap = None
        self.child = None


class Child:
    """A pair of ESP SAs."""

    def __init__(self, inbound, outbound, encap):
        self.inbound, self.outbound, self.encap = inbound, outbound, encap
        self.made_at = time.monotonic()
        self.packets_in = self.packets_out = 0


class QuickMode:
    """What ikev1_peer.Peer does to make a child."""

    def _quick_attributes(self, suite, encap):
        number, size = crypto.ESP_ENCRYPTION[suite.encryption]
        out = wire.tv(1, 1) + wire.tlv(2, self.o.offer_life2) + wire.tv(4, encap)
        out += wire.tv(5, crypto.ESP_INTEGRITY[suite.integrity][0]) + (wire.tv(6, size * 8) if number == 12 else b"")
        return out + (wire.tv(3, crypto.GROUPS[suite.group][0]) if suite.group else b"")

    def _choose_esp(self, body):
        suite = self.esp_suite
        number, size = crypto.ESP_ENCRYPTION[suite.encryption]
        group = crypto.GROUPS[suite.group][0] if suite.group else None
        wanted = (number, crypto.ESP_INTEGRITY[suite.integrity][0], size * 8 if number == 12 else None, group)
        for p in wire.parse_sa(body):
            for t in p.transforms if p.protocol == wire.PROTO_ESP else []:
                if (t.ident, t.get(5), t.get(6), t.get(3)) == wanted and t.get(4) in (wire.TUNNEL, wire.UDP_TUNNEL):
                    return p, t
        return None

    def _start_quick(self, sa):
        message_id = int.from_bytes(os.urandom(4), "big") | 1
        q = Quick(True, self.esp_suite, os.urandom(4), os.urandom(20))
        q.encap = wire.UDP_TUNNEL if sa.float_to_4500 else wire.TUNNEL
        number = crypto.ESP_ENCRYPTION[q.suite.encryption][0]
        offer = wire.pack_sa([(1, wire.PROTO_ESP, q.spi_in, [(1, number, self._quick_attributes(q.suite, q.encap))])])
        payloads = [(wire.SA, offer), (wire.NONCE, q.ni)]
        if q.suite.group:
            q.dh = crypto.DiffieHellman(q.suite.group)
            payloads.append((wire.KE, q.dh.public))
        payloads += [(wire.ID, wire.pack_subnet(n)) for n in (self.local_net, self.remote_net)]
        sa.quick[message_id] = q
        self._send_hashed(sa, wire.QUICK, message_id, b"", payloads, keep="request")

    def _send_hashed(self, sa, exchange, message_id, nonce, payloads, keep=None, wrong=False):
        covered = struct.pack(">I", message_id) + nonce + wire.pack_payloads(payloads)
        digest = sa.keys.prf(sa.keys.a, covered + (b"?" if wrong else b""))
        self._send(sa, exchange, [(wire.HASH, digest)] + payloads, message_id, encrypt=True, keep=keep)

    @staticmethod
    def _before_hash(message_id, payloads, names_hash=True):
        """What a HASH behind all others covers: the last of them names it, or does as if nothing followed."""
        packed = wire.pack_payloads(payloads + [(wire.HASH, b"")] if names_hash else payloads)
        return struct.pack(">I", message_id) + (packed[:-4] if names_hash else packed)

    def _hash_holds(self, sa, message, nonce=b""):
        digest = message.get(wire.HASH)
        if digest is not None and message.payloads[-1][0] == wire.HASH and len(message.payloads) > 1:
            covered = self._before_hash(message.message_id, message.payloads[:-1])  # as we send it (hash-last)
            return digest == sa.keys.prf(sa.keys.a, covered)
        if digest is None or message.payloads[0][0] != wire.HASH:
            return False
        covered = struct.pack(">I", message.message_id) + nonce + wire.pack_payloads(message.payloads[1:])
        return digest == sa.keys.prf(sa.keys.a, covered)

    def _quick(self, sa, data, message):
        if not sa.established() or not message.flags & wire.ENCRYPTED:
            return False
        q = sa.quick.get(message.message_id)
        if q is None:
            return self._quick_first(sa, data, message)
        if q.initiator:
            if q.child or not self._hash_holds(sa, message, q.ni):
                say("quick mode answer: hash is wrong" if not q.child else "quick mode answer once more")
                return False
            sa.unanswered = None
            q.nr = message.get(wire.NONCE)
            q.spi_out = wire.parse_sa(message.get(wire.SA))[0].spi
            if q.dh:
                q.shared = q.dh.shared(message.get(wire.KE))
            sa.keys._ivs[message.message_id] = message.body[-sa.keys.block:]
            self._install(sa, q)
            third = sa.keys.prf(sa.keys.a, b"\0" + struct.pack(">I", message.message_id) + q.ni + q.nr)
            self._send(sa, wire.QUICK, [(wire.HASH, third)], message.message_id, encrypt=True, keep=data)
            return False
        third = sa.keys.prf(sa.keys.a, b"\0" + struct.pack(">I", message.message_id) + q.ni + q.nr)
        if message.get(wire.HASH) == third and not q.child:
            sa.answered[data] = None
            self._install(sa, q)
        return False

    def _quick_first(self, sa, data, message):
        if not self._hash_holds(sa, message):
            say("quick mode: hash is wrong")
            return False
        sa.keys._ivs[message.message_id] = message.body[-sa.keys.block:]
        q = Quick(False, self.esp_suite, os.urandom(4), message.get(wire.NONCE))
        proposals = wire.parse_sa(message.get(wire.SA))
        q.spi_out = proposals[0].spi
        sa.quick[message.message_id] = q
        if self._misbehaves("qm1", sa, data, message):
            return False
        chosen = self._choose_esp(message.get(wire.SA))
        ids = message.all(wire.ID)
        theirs = [wire.subnet_of(i) for i in ids]
        refusal = None
        if chosen is None:
            refusal = "NO-PROPOSAL-CHOSEN"
        elif theirs != [self.remote_net, self.local_net]:
            refusal = "INVALID-ID-INFORMATION"
        if refusal:
            say(f"quick mode refused: {refusal}")
            sa.answered[data] = None
            self._protected(sa, [(wire.NOTIFY, wire.pack_notify(wire.NOTIFIES[refusal], wire.PROTO_ESP, q.spi_out))])
            return False
        proposal, transform = chosen
        q.spi_out, q.encap, q.nr = proposal.spi, transform.get(4), os.urandom(20)
        payloads = [(wire.SA, wire.pack_sa([(proposal.number, wire.PROTO_ESP, q.spi_in,
                                             [(transform.number, transform.ident, transform.raw)])])),
                    (wire.NONCE, q.nr)]
        if q.suite.group:
            q.dh = crypto.DiffieHellman(q.suite.group)
            q.shared = q.dh.shared(message.get(wire.KE))
            payloads.append((wire.KE, q.dh.public))
        payloads += [(wire.ID, i) for i in ids]
        self._send_hashed(sa, wire.QUICK, message.message_id, q.ni, payloads, keep=data,
                          wrong=self.rules.get("qm1") == "badhash")
        return False

    def _install(self, sa, q):
        def half(spi):
            return crypto.Esp(q.suite, spi, sa.keys.keymat(q.suite, spi, q.ni, q.nr, q.shared))
        q.child = Child(half(q.spi_in), half(q.spi_out), q.encap == wire.UDP_TUNNEL)
        self.children.append(q.child)
        say(f"child in {q.spi_in.hex()} out {q.spi_out.hex()} {'udp' if q.child.encap else 'native'}: {q.suite}")
