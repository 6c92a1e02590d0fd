// What stands behind Certificate and TrustStore, and what the files crypto/x509*.cpp share. For them alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/openssl_handle.h"
#include "crypto/x509.h"

namespace causeway::crypto {

struct Certificate::Impl {
  X509Handle x509;
  std::vector<std::uint8_t> der, subject_der;
  std::string subject, issuer, serial;
  WallTime not_before{}, not_after{};
  KeyHash key_hash{};
  PublicKey public_key;
};

struct TrustStore::Impl {
  std::vector<Certificate> cas;
  std::vector<CrlHandle> crls;
};

// How sentences speak of a certificate: `the certificate "C=CN, CN=gw"`, by serial number where it has no subject.
std::string label(const Certificate& certificate);

std::string name_text(const X509_NAME* name);  // "C=CN, O=Example", safe for a log
std::string time_text(WallTime time);          // "2026-11-22 22:10 UTC"
std::optional<WallTime> wall_time(const ASN1_TIME* time);

tl::unexpected<CertificateError> refuse(CertificateProblem problem, std::string text, std::string subject = {});

// A chain that holds by names and signatures alone, judged by everything else: RFC 5280 6, RFC 4945 5.
// `path`: the peer's first, the trusted one last. Nothing where there is nothing against it.
std::optional<CertificateError> judge(std::span<const Certificate> path, const TrustStore& store, WallTime now,
                                      const ValidationPolicy& policy);

// The part of judge() that OpenSSL does not do as RFC 4945 wants it: key strength, key usage, what it was made for.
std::optional<CertificateError> judge_profile(std::span<const Certificate> path, const TrustStore& store,
                                              const ValidationPolicy& policy);

// The blocks of a PEM text, or the whole of it as one block without a name (DER). Nothing where a block is broken.
struct Block {
  std::string name;  // "CERTIFICATE", "X509 CRL"; empty for DER
  std::vector<std::uint8_t> der;
};
std::optional<std::vector<Block>> blocks_of(std::span<const std::uint8_t> contents);

}  // namespace causeway::crypto
