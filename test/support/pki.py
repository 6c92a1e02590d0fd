#!/usr/bin/python3
"""pki.py DIR COMMAND ... - certificates for scenarios, good ones and each kind of bad one, by Python's cryptography.

    ca NAME [--key KIND] [--issuer CA] [--not-a-ca] [--pathlen N] [--permit DNS:example.com]
    cert NAME --issuer CA [--key KIND] [--san DNS:gw.example.com,IP:192.0.2.1] [--days FROM:TO] [--bad-usage]
    crl NAME --issuer CA [--revoke CERT]... [--days FROM:TO]

Each NAME becomes NAME.pem (behind a gateway's certificate the intermediate ones), NAME.key and, of a gateway
below an intermediate authority, NAME.chain (that authority alone). KIND: rsa1024 .. rsa4096, p256, p384, p521,
ed25519. --days: validity in days from now, "-1:30".
"""
import argparse
import datetime
import ipaddress
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}


def new_key(kind):
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa")))


def name_of(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
                      x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Causeway Lab"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def general_names(text):
    for item in filter(None, text.split(",")):
        kind, value = item.split(":", 1)
        if kind == "DNS":
            yield x509.DNSName(value)
        elif kind == "email":
            yield x509.RFC822Name(value)
        elif kind == "IP":
            yield x509.IPAddress(ipaddress.ip_address(value))
        else:
            sys.exit(f"pki.py: no kind of name: {item}")


class Pki:
    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def certificate(self, name):
        with open(self.path(name + ".pem"), "rb") as f:
            return x509.load_pem_x509_certificate(f.read())

    def key(self, name):
        with open(self.path(name + ".key"), "rb") as f:
            return serialization.load_pem_private_key(f.read(), None)

    def save(self, name, data, mode=0o644):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as f:
            f.write(data)

    def sign(self, builder, signer):
        plain = isinstance(signer, ed25519.Ed25519PrivateKey)
        return builder.sign(signer, None if plain else hashes.SHA256())

    def make(self, options, extensions):
        key = new_key(options.key)
        issuer = self.certificate(options.issuer) if options.issuer else None
        signer = self.key(options.issuer) if options.issuer else key
        subject = name_of(options.name)
        begin, end = moments(options.days)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(begin).not_valid_after(end))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        made = self.sign(builder, signer).public_bytes(serialization.Encoding.PEM)
        self.save(options.name + ".key",
                  key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption()), 0o600)
        chain = self.chain_of(options.issuer) if options.command == "cert" else b""
        if chain:
            self.save(options.name + ".chain", chain)
        self.save(options.name + ".pem", made + chain)

    def chain_of(self, issuer):
        """Intermediate authorities, up to but without the one that issued itself."""
        out = b""
        certificate = self.certificate(issuer)
        while certificate.subject != certificate.issuer:
            out += certificate.public_bytes(serialization.Encoding.PEM)
            common_name = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
            certificate = self.certificate(common_name)
        return out

    def ca(self, options):
        extensions = [(x509.BasicConstraints(ca=not options.not_a_ca,
                                             path_length=None if options.not_a_ca else options.pathlen), True),
                      (usage(sign=options.not_a_ca, certificates=not options.not_a_ca), True)]
        if options.permit:
            extensions.append((x509.NameConstraints(list(general_names(options.permit)), None), True))
        self.make(options, extensions)

    def cert(self, options):
        extensions = [(x509.BasicConstraints(ca=False, path_length=None), True),
                      (usage(sign=not options.bad_usage, agree=options.bad_usage), True)]
        if options.san:
            extensions.append((x509.SubjectAlternativeName(list(general_names(options.san))), False))
        self.make(options, extensions)

    def crl(self, options):
        begin, end = moments(options.days)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.certificate(options.issuer).subject)
                   .last_update(begin).next_update(end).add_extension(x509.CRLNumber(1), False))
        for name in options.revoke:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(self.certificate(name).serial_number)
                .revocation_date(begin).build())
        made = self.sign(builder, self.key(options.issuer))
        self.save(options.name + ".crl", made.public_bytes(serialization.Encoding.PEM))


def usage(sign=False, certificates=False, agree=False):
    return x509.KeyUsage(digital_signature=sign, content_commitment=False, key_encipherment=False,
                         data_encipherment=False, key_agreement=agree, key_cert_sign=certificates,
                         crl_sign=certificates, encipher_only=False, decipher_only=False)


def moments(days):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    begin, end = days.split(":")
    return now + datetime.timedelta(days=float(begin)), now + datetime.timedelta(days=float(end))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("ca", "cert", "crl"):
        p = commands.add_parser(command)
        p.add_argument("name")
        p.add_argument("--issuer", required=command != "ca")
        p.add_argument("--days", default="-1:30")
        if command != "crl":
            p.add_argument("--key", default="p256")
    ca, cert, crl = (commands.choices[c] for c in ("ca", "cert", "crl"))
    ca.add_argument("--not-a-ca", action="store_true")
    ca.add_argument("--pathlen", type=int)
    ca.add_argument("--permit", default="")
    cert.add_argument("--san", default="")
    cert.add_argument("--bad-usage", action="store_true")
    crl.add_argument("--revoke", action="append", default=[])
    options = parser.parse_args()
    getattr(Pki(options.directory), options.command)(options)


if __name__ == "__main__":
    main()
