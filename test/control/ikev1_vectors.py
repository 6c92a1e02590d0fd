#!/usr/bin/python3
"""ikev1_vectors.py - the known answers of ikev1_keys_test.cpp, from the formulas of RFC 2409 written down a second
time with Python's hashlib and hmac. Prints them as the test holds them."""
import hashlib
import hmac

PSK = b"mekmitasdigoat"
NI, NR = bytes(range(0x10, 0x30)), bytes(range(0x50, 0x60))
GXY = bytes([0]) + bytes(range(1, 128))
GXI, GXR = bytes(range(0x80, 0x100)), bytes(range(0x00, 0x80))
CKY_I, CKY_R = bytes.fromhex("0011223344556677"), bytes.fromhex("8899aabbccddeeff")
SA, ID_I, ID_R = bytes(range(0x20, 0x48)), bytes.fromhex("01000000c6336402"), bytes.fromhex("01000000cb007102")
MID = bytes.fromhex("c0ffee42")
PAYLOADS = bytes(range(0x33, 0x77))
SPI = bytes.fromhex("c1020304")
QM_SHARED = bytes(range(0x40, 0xc0))


def vectors(name, block, key_octets, esp_octets):
    digest = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}[name]

    def prf(key, *parts):
        return hmac.new(key, b"".join(parts), digest).digest()

    skeyid = prf(PSK, NI, NR)
    skeyid_sig = prf(NI + NR, GXY)
    d = prf(skeyid, GXY, CKY_I, CKY_R, b"\0")
    a = prf(skeyid, d, GXY, CKY_I, CKY_R, b"\1")
    e = prf(skeyid, a, GXY, CKY_I, CKY_R, b"\2")
    key = e
    if len(e) < key_octets:
        k = prf(e, b"\0")
        key = k
        while len(key) < key_octets:
            k = prf(e, k)
            key += k
    iv = digest(GXI + GXR).digest()[:block]
    iv2 = digest(bytes(range(0xf0, 0xf0 + block)) + MID).digest()[:block]
    hash_i = prf(skeyid, GXI, GXR, CKY_I, CKY_R, SA, ID_I)
    hash_r = prf(skeyid, GXR, GXI, CKY_R, CKY_I, SA, ID_R)
    h1 = prf(a, MID, PAYLOADS)
    h2 = prf(a, MID, NI, PAYLOADS)
    h3 = prf(a, b"\0", MID, NI, NR)

    def keymat(shared):
        out, k = b"", b""
        while len(out) < esp_octets:
            k = prf(d, k, shared, b"\3", SPI, NI, NR)
            out += k
        return out[:esp_octets]

    return [skeyid, skeyid_sig, d, a, key[:key_octets], iv, iv2, hash_i, hash_r, h1, h2, h3, keymat(b""),
            keymat(QM_SHARED)]


if __name__ == "__main__":
    for suite, args in {"aes128-sha1-modp1024": ("sha1", 16, 16, 16 + 20), "3des-md5-modp768": ("md5", 8, 24, 16 + 20),
                        "aes256-sha256-modp2048": ("sha256", 16, 32, 16 + 20),
                        "aes256-sha512-modp2048": ("sha512", 16, 32, 16 + 20)}.items():
        print(f'    {{"{suite}",\n     {{' + ",\n      ".join(f'"{v.hex()}"' for v in vectors(*args)) + "}},")
