"""ikev1_crypto - keys, message protection and a small ESP for the scripted IKEv1 peer (RFC 2409, 3602, 4303).

By python3-cryptography; the MODP groups are computed from pi, as RFC 2412 and 3526 define them.
"""
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

HASHES = {"md5": (1, hashlib.md5), "sha1": (2, hashlib.sha1), "sha256": (4, hashlib.sha256),
          "sha384": (5, hashlib.sha384), "sha512": (6, hashlib.sha512)}
ENCRYPTION = {"aes128": (7, 16), "aes192": (7, 24), "aes256": (7, 32), "3des": (5, 24)}
ESP_ENCRYPTION = {"aes128": (12, 16), "aes192": (12, 24), "aes256": (12, 32), "3des": (3, 24)}
# name: (authentication algorithm attribute, hash, octets of ICV)
ESP_INTEGRITY = {"md5": (1, hashlib.md5, 12), "sha1": (2, hashlib.sha1, 12), "sha256": (5, hashlib.sha256, 16),
                 "sha384": (6, hashlib.sha384, 24), "sha512": (7, hashlib.sha512, 32)}
GROUPS = {"modp768": (1, 768, 149686), "modp1024": (2, 1024, 129093), "modp1536": (5, 1536, 741804),
          "modp2048": (14, 2048, 124476), "modp3072": (15, 3072, 1690314)}


def _pi_times_two_to_the(bits):
    """floor(pi * 2^bits), by Machin's formula with guard digits."""
    guard = 64
    one = 1 << (bits + guard)

    def arctan_inverse(x):
        total = term = one // x
        n, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    return 4 * (4 * arctan_inverse(5) - arctan_inverse(239)) >> guard


def prime(name):
    _, bits, c = GROUPS[name]
    return 2 ** bits - 2 ** (bits - 64) - 1 + 2 ** 64 * (_pi_times_two_to_the(bits - 130) + c)


class DiffieHellman:
    def __init__(self, group):
        self.p, self.size = prime(group), GROUPS[group][1] // 8
        self._x = int.from_bytes(os.urandom(40), "big")
        self.public = pow(2, self._x, self.p).to_bytes(self.size, "big")

    def shared(self, theirs):
        return pow(int.from_bytes(theirs, "big"), self._x, self.p).to_bytes(self.size, "big")


@dataclass
class Suite:
    """"aes128-sha1-modp1024" of phase 1, or "aes128-sha1[-modp1024]" of phase 2 (the last: PFS)."""
    encryption: str
    integrity: str
    group: str = ""

    @classmethod
    def of(cls, text):
        words = text.split("-")
        return cls(words[0], words[1], words[2] if len(words) > 2 else "")

    def __str__(self):
        return "-".join(w for w in (self.encryption, self.integrity, self.group) if w)


def cbc(name, key, iv):
    return Cipher(algorithms.TripleDES(key) if name == "3des" else algorithms.AES(key), modes.CBC(iv))


def block_of(name):
    return 8 if name == "3des" else 16


class Phase1Keys:
    """SKEYID and what comes of it (RFC 2409 5, PSK), and the IVs of every exchange (appendix B)."""

    def __init__(self, suite, psk, ni, nr, shared, icookie, rcookie, gxi, gxr):
        self.suite, self.block = suite, block_of(suite.encryption)
        self.hash = HASHES[suite.integrity][1]
        self.skeyid = self.prf(psk, ni + nr)
        cookies = icookie + rcookie
        self.d = self.prf(self.skeyid, shared + cookies + b"\0")
        self.a = self.prf(self.skeyid, self.d + shared + cookies + b"\1")
        self.e = self.prf(self.skeyid, self.a + shared + cookies + b"\2")
        size = ENCRYPTION[suite.encryption][1]
        key = self.e
        if len(key) < size:
            piece = key = self.prf(self.e, b"\0")
            while len(key) < size:
                piece = self.prf(self.e, piece)
                key += piece
        self.key = key[:size]
        self.phase1_iv = self.hash(gxi + gxr).digest()[:self.block]
        self._ivs = {}

    def prf(self, key, data):
        return hmac.new(key, data, self.hash).digest()

    def _iv(self, message_id):
        if not message_id:
            return self.phase1_iv
        if message_id not in self._ivs:
            start = self.phase1_iv + struct.pack(">I", message_id)
            self._ivs[message_id] = self.hash(start).digest()[:self.block]
        return self._ivs[message_id]

    def _set_iv(self, message_id, iv):
        if message_id:
            self._ivs[message_id] = iv
        else:
            self.phase1_iv = iv

    def encrypt(self, message_id, plain):
        plain += bytes(-len(plain) % self.block)
        e = cbc(self.suite.encryption, self.key, self._iv(message_id)).encryptor()
        out = e.update(plain) + e.finalize()
        self._set_iv(message_id, out[-self.block:])
        return out

    def decrypt(self, message_id, data):
        """The plaintext; keep(): call it when it made sense, for the IV to move on."""
        if not data or len(data) % self.block:
            raise ValueError("not a multiple of the block")
        d = cbc(self.suite.encryption, self.key, self._iv(message_id)).decryptor()
        return d.update(data) + d.finalize(), lambda: self._set_iv(message_id, data[-self.block:])

    def keymat(self, suite, spi, ni, nr, shared):
        """Encryption and integrity key of the ESP SA with that SPI (RFC 2409 5.5)."""
        e_size = ESP_ENCRYPTION[suite.encryption][1]
        i_size = ESP_INTEGRITY[suite.integrity][1]().digest_size
        seed = shared + b"\3" + spi + ni + nr
        out = piece = self.prf(self.d, seed)
        while len(out) < e_size + i_size:
            piece = self.prf(self.d, piece + seed)
            out += piece
        return out[:e_size], out[e_size:e_size + i_size]


class Esp:
    """One direction of an ESP SA in tunnel mode."""

    def __init__(self, suite, spi, keys):
        self.suite, self.spi, self.sequence = suite, spi, 0
        self.encryption_key, self.integrity_key = keys
        _, self.hash, self.icv_size = ESP_INTEGRITY[suite.integrity]
        self.block = block_of(suite.encryption)
        self.seen = set()

    def _icv(self, data):
        return hmac.new(self.integrity_key, data, self.hash).digest()[:self.icv_size]

    def seal(self, inner):
        self.sequence += 1
        pad = -(len(inner) + 2) % self.block
        plain = inner + bytes(range(1, pad + 1)) + bytes([pad, 4])
        iv = os.urandom(self.block)
        e = cbc(self.suite.encryption, self.encryption_key, iv).encryptor()
        packet = self.spi + struct.pack(">I", self.sequence) + iv + e.update(plain) + e.finalize()
        return packet + self._icv(packet)

    def open(self, packet):
        """The inner packet, or None: forged, replayed, or not IPv4 in tunnel mode."""
        body, icv = packet[:-self.icv_size], packet[-self.icv_size:]
        cipher = body[8 + self.block:]
        if not cipher or len(cipher) % self.block or not hmac.compare_digest(self._icv(body), icv):
            return None
        sequence = struct.unpack_from(">I", body, 4)[0]
        if sequence in self.seen:
            return None
        self.seen.add(sequence)
        d = cbc(self.suite.encryption, self.encryption_key, body[8:8 + self.block]).decryptor()
        plain = d.update(cipher) + d.finalize()
        pad, following = plain[-2], plain[-1]
        if following != 4 or plain[-2 - pad:-2] != bytes(range(1, pad + 1)):
            return None
        return plain[:-2 - pad]
