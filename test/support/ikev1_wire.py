"""ikev1_wire - ISAKMP messages as RFC 2408, 2407, 2409, 3706 and 3947 write them, for the scripted peer.

Nothing here is shared with the gateway's own code: it was written from the RFCs and proved against strongSwan
(test/clouds/scripted-peer.sh), so that it can judge.
"""
import ipaddress
import struct
import time
from dataclasses import dataclass, field

SA, PROPOSAL, TRANSFORM, KE, ID, CERT, CERTREQ, HASH, SIG, NONCE, NOTIFY, DELETE, VENDOR = range(1, 14)
NAT_D = 20
MAIN, AGGRESSIVE, INFORMATIONAL, TRANSACTION, QUICK = 2, 4, 5, 6, 32
ENCRYPTED, COMMIT = 1, 2
PROTO_ISAKMP, PROTO_ESP = 1, 3
IPSEC_DOI, SIT_IDENTITY_ONLY = 1, 1
TUNNEL, UDP_TUNNEL = 1, 3
R_U_THERE, R_U_THERE_ACK, INITIAL_CONTACT = 36136, 36137, 24578
ID_IPV4, ID_FQDN, ID_USER_FQDN, ID_SUBNET = 1, 2, 3, 4

VENDORS = {
    "rfc3947": bytes.fromhex("4a131c81070358455c5728f20e95452f"),
    "dpd": bytes.fromhex("afcad71368a1f1c96b8696fc77570100"),
}
NOTIFIES = {
    "INVALID-PAYLOAD-TYPE": 1, "SITUATION-NOT-SUPPORTED": 3, "INVALID-COOKIE": 4, "INVALID-EXCHANGE-TYPE": 7,
    "PAYLOAD-MALFORMED": 16, "NO-PROPOSAL-CHOSEN": 14, "INVALID-KEY-INFORMATION": 17, "INVALID-ID-INFORMATION": 18,
    "INVALID-HASH-INFORMATION": 23, "AUTHENTICATION-FAILED": 24, "UNSUPPORTED-CRITICAL-PAYLOAD": 1,
}
HEADER = struct.Struct(">8s8sBBBBII")


def say(text):
    """A line on stdout, which scenarios read."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Malformed(Exception):
    pass


@dataclass
class Message:
    icookie: bytes
    rcookie: bytes
    exchange: int
    flags: int = 0
    message_id: int = 0
    first: int = 0
    body: bytes = b""
    payloads: list = field(default_factory=list)  # (type, body)

    def get(self, kind):
        return next((body for k, body in self.payloads if k == kind), None)

    def all(self, kind):
        return [body for k, body in self.payloads if k == kind]


def parse_header(data):
    """The header, and what follows it, still packed (it may be encrypted)."""
    if len(data) < HEADER.size:
        raise Malformed("shorter than a header")
    icookie, rcookie, first, version, exchange, flags, message_id, length = HEADER.unpack_from(data)
    if version >> 4 != 1:
        raise Malformed(f"version {version >> 4}")
    if length > len(data) or length < HEADER.size:
        raise Malformed(f"length {length} of {len(data)}")
    return Message(icookie, rcookie, exchange, flags, message_id, first, data[HEADER.size:length])


def parse_payloads(first, data):
    """[(type, body)], and how many octets they took: what an encrypted message has behind them is padding."""
    out, at, kind = [], 0, first
    while kind:
        if at + 4 > len(data):
            raise Malformed("a payload header is cut off")
        following, reserved, length = struct.unpack_from(">BBH", data, at)
        if length < 4 or at + length > len(data) or reserved:
            raise Malformed(f"payload {kind} of length {length}")
        out.append((kind, data[at + 4:at + length]))
        at, kind = at + length, following
    return out, at


def pack_payloads(payloads):
    out = b""
    for i, (kind, body) in enumerate(payloads):
        following = payloads[i + 1][0] if i + 1 < len(payloads) else 0
        out += struct.pack(">BBH", following, 0, len(body) + 4) + body
    return out


def pack_message(message, body, first):
    return HEADER.pack(message.icookie, message.rcookie, first, 0x10, message.exchange, message.flags,
                       message.message_id, HEADER.size + len(body)) + body


def tv(kind, value):
    return struct.pack(">HH", kind | 0x8000, value)


def tlv(kind, value):
    return struct.pack(">HHI", kind, 4, value)


def parse_attributes(data):
    out, at = [], 0
    while at < len(data):
        if at + 4 > len(data):
            raise Malformed("an attribute is cut off")
        kind, value = struct.unpack_from(">HH", data, at)
        at += 4
        if kind & 0x8000:
            out.append((kind & 0x7fff, value))
            continue
        if at + value > len(data):
            raise Malformed("an attribute's value is cut off")
        out.append((kind, int.from_bytes(data[at:at + value], "big")))
        at += value
    return out


@dataclass
class Transform:
    number: int
    ident: int
    attributes: list
    raw: bytes = b""

    def get(self, kind):
        return next((v for k, v in self.attributes if k == kind), None)


@dataclass
class Proposal:
    number: int
    protocol: int
    spi: bytes
    transforms: list


def parse_sa(body):
    if len(body) < 8 or struct.unpack_from(">II", body) != (IPSEC_DOI, SIT_IDENTITY_ONLY):
        raise Malformed("another DOI or situation")
    proposals, kind, at = [], PROPOSAL, 8
    while kind == PROPOSAL:
        following, _, length, number, protocol, spi_size, count = struct.unpack_from(">BBHBBBB", body, at)
        spi = body[at + 8:at + 8 + spi_size]
        transforms, inner = [], at + 8 + spi_size
        for _ in range(count):
            _, _, size, t_number, ident, _ = struct.unpack_from(">BBHBBH", body, inner)
            if size < 8:
                raise Malformed("a transform is too short")
            transforms.append(Transform(t_number, ident, parse_attributes(body[inner + 8:inner + size]),
                                        body[inner + 8:inner + size]))
            inner += size
        proposals.append(Proposal(number, protocol, spi, transforms))
        at, kind = at + length, following
    return proposals


def pack_sa(proposals):
    """proposals: [(number, protocol, spi, [(number, ident, attributes packed)])]"""
    out = struct.pack(">II", IPSEC_DOI, SIT_IDENTITY_ONLY)
    for i, (number, protocol, spi, transforms) in enumerate(proposals):
        inner = b""
        for j, (t_number, ident, attributes) in enumerate(transforms):
            more = TRANSFORM if j + 1 < len(transforms) else 0
            inner += struct.pack(">BBHBBH", more, 0, 8 + len(attributes), t_number, ident, 0) + attributes
        more = PROPOSAL if i + 1 < len(proposals) else 0
        out += struct.pack(">BBHBBBB", more, 0, 8 + len(spi) + len(inner), number, protocol, len(spi),
                           len(transforms)) + spi + inner
    return out


def pack_notify(kind, protocol=PROTO_ISAKMP, spi=b"", data=b""):
    return struct.pack(">IBBH", IPSEC_DOI, protocol, len(spi), kind) + spi + data


def parse_notify(body):
    """(type, protocol, spi, data)"""
    if len(body) < 8:
        raise Malformed("a notify is cut off")
    _, protocol, size, kind = struct.unpack_from(">IBBH", body)
    return kind, protocol, body[8:8 + size], body[8 + size:]


def pack_delete(protocol, spis):
    return struct.pack(">IBBH", IPSEC_DOI, protocol, len(spis[0]), len(spis)) + b"".join(spis)


def parse_delete(body):
    """(protocol, [spi])"""
    if len(body) < 8:
        raise Malformed("a delete is cut off")
    _, protocol, size, count = struct.unpack_from(">IBBH", body)
    return protocol, [body[8 + i * size:8 + (i + 1) * size] for i in range(count)]


def pack_identity(text):
    """The body of a phase 1 ID: an address, user@fqdn or FQDN."""
    try:
        return struct.pack(">BBH", ID_IPV4, 0, 0) + ipaddress.IPv4Address(text).packed
    except ValueError:
        return struct.pack(">BBH", ID_USER_FQDN if "@" in text else ID_FQDN, 0, 0) + text.encode()


def pack_subnet(network):
    return struct.pack(">BBH", ID_SUBNET, 0, 0) + network.network_address.packed + network.netmask.packed


def identity_text(body):
    kind, value = body[0], body[4:]
    if kind == ID_IPV4 and len(value) == 4:
        return str(ipaddress.IPv4Address(value))
    if kind == ID_SUBNET and len(value) == 8:
        mask = ipaddress.IPv4Address(value[4:])
        return str(ipaddress.IPv4Network(f"{ipaddress.IPv4Address(value[:4])}/{mask}"))
    return value.decode(errors="replace")


def subnet_of(body):
    """A quick mode ID as a network; None where it is something else."""
    if body[0] == ID_SUBNET and len(body) == 12:
        return ipaddress.IPv4Network((body[4:8], str(ipaddress.IPv4Address(body[8:12]))))
    if body[0] == ID_IPV4 and len(body) == 8:
        return ipaddress.IPv4Network((body[4:8], 32))
    return None
