#include "crypto/signature_scheme.h"

#include <openssl/objects.h>

#include "crypto/openssl_handle.h"

namespace causeway::crypto {
namespace {

struct SchemeRow {
  int nid;
  SignatureKind kind;
  Hash hash;
};
constexpr SchemeRow kSchemes[] = {
    {NID_sha1WithRSAEncryption, SignatureKind::rsa_pkcs1, Hash::sha1},
    {NID_sha256WithRSAEncryption, SignatureKind::rsa_pkcs1, Hash::sha2_256},
    {NID_sha384WithRSAEncryption, SignatureKind::rsa_pkcs1, Hash::sha2_384},
    {NID_sha512WithRSAEncryption, SignatureKind::rsa_pkcs1, Hash::sha2_512},
    {NID_ecdsa_with_SHA1, SignatureKind::ecdsa, Hash::sha1},
    {NID_ecdsa_with_SHA256, SignatureKind::ecdsa, Hash::sha2_256},
    {NID_ecdsa_with_SHA384, SignatureKind::ecdsa, Hash::sha2_384},
    {NID_ecdsa_with_SHA512, SignatureKind::ecdsa, Hash::sha2_512},
    {NID_ED25519, SignatureKind::ed25519, Hash::identity},
    {NID_ED448, SignatureKind::ed448, Hash::identity},
};

struct HashRow {
  Hash hash;
  int nid;
  std::string_view name;
};
constexpr HashRow kHashes[] = {
    {Hash::sha1, NID_sha1, "SHA-1"},          {Hash::sha2_256, NID_sha256, "SHA2-256"},
    {Hash::sha2_384, NID_sha384, "SHA2-384"}, {Hash::sha2_512, NID_sha512, "SHA2-512"},
    {Hash::identity, NID_undef, "identity"},
};

const HashRow* row_of(Hash hash) {
  for (const HashRow& row : kHashes)
    if (row.hash == hash) return &row;
  return nullptr;
}

tl::unexpected<SignatureError> unreadable(std::string text) {
  return tl::unexpected(SignatureError{SignatureProblem::unreadable, std::move(text)});
}
tl::unexpected<SignatureError> unsupported(std::string text) {
  return tl::unexpected(SignatureError{SignatureProblem::unsupported, std::move(text)});
}

int nid_of(const X509_ALGOR& algorithm) {
  const ASN1_OBJECT* oid = nullptr;
  X509_ALGOR_get0(&oid, nullptr, nullptr, &algorithm);
  return OBJ_obj2nid(oid);
}

std::string oid_text(const X509_ALGOR& algorithm) {
  const ASN1_OBJECT* oid = nullptr;
  X509_ALGOR_get0(&oid, nullptr, nullptr, &algorithm);
  char text[80] = {};
  OBJ_obj2txt(text, sizeof text, oid, 1);
  return text;
}

// A hash inside RSASSA-PSS-params; absent means SHA-1 (RFC 4055 3.1).
tl::expected<Hash, SignatureError> pss_hash(const X509_ALGOR* algorithm) {
  if (algorithm == nullptr) return Hash::sha1;
  int parameters = V_ASN1_UNDEF;  // NULL, and absent by some (RFC 4055 2.1)
  X509_ALGOR_get0(nullptr, &parameters, nullptr, algorithm);
  if (parameters != V_ASN1_UNDEF && parameters != V_ASN1_NULL)
    return unreadable("the peer's RSASSA-PSS parameters name a hash that has parameters of its own");
  const int nid = nid_of(*algorithm);
  for (const HashRow& row : kHashes)
    if (row.nid != NID_undef && row.nid == nid) return row.hash;
  return unsupported("the peer's RSASSA-PSS signature names the hash " + oid_text(*algorithm) +
                     ", which is not spoken here: let it use SHA2-256, SHA2-384 or SHA2-512");
}

tl::expected<Hash, SignatureError> pss_mgf_hash(const X509_ALGOR* mask) {
  if (mask == nullptr) return Hash::sha1;
  if (nid_of(*mask) != NID_mgf1)
    return unsupported("the peer's RSASSA-PSS signature names the mask function " + oid_text(*mask) +
                       ", and only MGF1 is known: let it use MGF1");
  const void* value = nullptr;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, &value, mask);
  if (type != V_ASN1_SEQUENCE) return unreadable("the peer's RSASSA-PSS parameters name no hash for MGF1");
  const auto* sequence = static_cast<const ASN1_STRING*>(value);
  const unsigned char* p = ASN1_STRING_get0_data(sequence);
  const AlgorithmHandle hash{d2i_X509_ALGOR(nullptr, &p, ASN1_STRING_length(sequence))};
  if (!hash) return unreadable("the peer's RSASSA-PSS parameters hold no readable hash for MGF1");
  return pss_hash(hash.get());
}

// An INTEGER of the parameters; -1 where it is absent is the caller's default.
long small_integer(const ASN1_INTEGER* value, long absent) {
  if (value == nullptr) return absent;
  std::int64_t number = -1;
  if (ASN1_INTEGER_get_int64(&number, value) != 1 || number < 0 || number > 4096) return -1;
  return static_cast<long>(number);
}

tl::expected<SignatureScheme, SignatureError> read_pss(const X509_ALGOR& algorithm) {
  const void* value = nullptr;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(nullptr, &type, &value, &algorithm);
  if (type != V_ASN1_SEQUENCE) return unreadable("the peer's RSASSA-PSS signature carries no parameters");
  const auto* sequence = static_cast<const ASN1_STRING*>(value);
  const unsigned char* p = ASN1_STRING_get0_data(sequence);
  const unsigned char* end = p + ASN1_STRING_length(sequence);
  const PssHandle pss{d2i_RSA_PSS_PARAMS(nullptr, &p, ASN1_STRING_length(sequence))};
  if (!pss || p != end) return unreadable("the peer's RSASSA-PSS parameters cannot be read");
  const auto hash = pss_hash(pss->hashAlgorithm);
  if (!hash) return tl::unexpected(hash.error());
  const auto mgf_hash = pss_mgf_hash(pss->maskGenAlgorithm);
  if (!mgf_hash) return tl::unexpected(mgf_hash.error());
  const long salt = small_integer(pss->saltLength, 20);
  if (salt < 0) return unreadable("the peer's RSASSA-PSS parameters name an impossible salt length");
  if (small_integer(pss->trailerField, 1) != 1)
    return unsupported("the peer's RSASSA-PSS parameters name a trailer other than 1, which no standard defines");
  return SignatureScheme{SignatureKind::rsa_pss, *hash, *mgf_hash, static_cast<int>(salt)};
}

using Der = std::vector<std::uint8_t>;

// One element of DER, of less than 128 octets.
Der element(std::uint8_t tag, std::initializer_list<Der> parts) {
  Der out{tag, 0};
  for (const Der& part : parts) out.insert(out.end(), part.begin(), part.end());
  out[1] = static_cast<std::uint8_t>(out.size() - 2);
  return out;
}

// The AlgorithmIdentifier of a hash inside RSASSA-PSS-params: id-sha256 and its like, NULL (RFC 4055 2.1).
Der pss_hash_identifier(const HashRow& row) {
  return element(0x30, {to_der(i2d_ASN1_OBJECT, OBJ_nid2obj(row.nid)), element(0x05, {})});
}

// RFC 7427 appendix A.4: every field written out, the defaults too.
Der write_pss(const SignatureScheme& scheme) {
  const HashRow *hash = row_of(scheme.hash), *mask = row_of(scheme.mgf_hash);
  const auto unfit = [](const HashRow* row) {
    return row == nullptr || row->hash == Hash::sha1 || row->nid == NID_undef;
  };
  if (unfit(hash) || unfit(mask) || scheme.salt_octets > 127) return {};
  const auto object = [](int nid) { return to_der(i2d_ASN1_OBJECT, OBJ_nid2obj(nid)); };
  const auto number = [](int value) { return element(0x02, {{static_cast<std::uint8_t>(value)}}); };
  const Der parameters = element(0x30, {element(0xa0, {pss_hash_identifier(*hash)}),
                                        element(0xa1, {element(0x30, {object(NID_mgf1), pss_hash_identifier(*mask)})}),
                                        element(0xa2, {number(scheme.salt_octets)}), element(0xa3, {number(1)})});
  return element(0x30, {object(NID_rsassaPss), parameters});
}

}  // namespace

std::string_view name_of(Hash hash) {
  const HashRow* row = row_of(hash);
  return row != nullptr ? row->name : "an unknown hash";
}

std::string SignatureScheme::name() const {
  switch (kind) {
    case SignatureKind::rsa_pkcs1:
      return "RSA (PKCS#1 v1.5) with " + std::string(name_of(hash));
    case SignatureKind::rsa_pss:
      return "RSASSA-PSS with " + std::string(name_of(hash));
    case SignatureKind::ecdsa:
      return "ECDSA with " + std::string(name_of(hash));
    case SignatureKind::ed25519:
      return "Ed25519";
    case SignatureKind::ed448:
      return "Ed448";
  }
  return {};
}

SignatureScheme scheme_for(SignatureKind kind, Hash hash) {
  if (kind == SignatureKind::rsa_pss) return {kind, hash, hash, static_cast<int>(hash_octets(hash))};
  return {.kind = kind, .hash = hash, .mgf_hash = Hash::sha2_256, .salt_octets = 0};
}

tl::expected<SignatureScheme, SignatureError> read_algorithm_identifier(std::span<const std::uint8_t> der) {
  const QuietErrors quiet;
  const unsigned char* p = der.data();
  const AlgorithmHandle algorithm{der.empty() ? nullptr : d2i_X509_ALGOR(nullptr, &p, static_cast<long>(der.size()))};
  if (!algorithm || p != der.data() + der.size())
    return unreadable("the peer's signature does not begin with a readable AlgorithmIdentifier (RFC 7427)");
  const int nid = nid_of(*algorithm);
  if (nid == NID_rsassaPss) return read_pss(*algorithm);
  for (const SchemeRow& row : kSchemes) {
    if (row.nid != nid) continue;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(nullptr, &type, nullptr, algorithm.get());
    // RSA: NULL, and absence is tolerated (RFC 4055 5); the others: absent.
    if (type != V_ASN1_UNDEF && !(type == V_ASN1_NULL && row.kind == SignatureKind::rsa_pkcs1))
      return unreadable("the AlgorithmIdentifier of the peer's signature carries parameters that do not belong there");
    return scheme_for(row.kind, row.hash);
  }
  return unsupported("the peer signed with the algorithm " + oid_text(*algorithm) +
                     ", which is not spoken here: let it use RSA, ECDSA or Ed25519 with SHA-2");
}

std::vector<std::uint8_t> write_algorithm_identifier(const SignatureScheme& scheme) {
  if (scheme.kind == SignatureKind::rsa_pss) return write_pss(scheme);
  for (const SchemeRow& row : kSchemes) {
    if (row.kind != scheme.kind || row.hash != scheme.hash) continue;
    const AlgorithmHandle algorithm{X509_ALGOR_new()};
    const int type = row.kind == SignatureKind::rsa_pkcs1 ? V_ASN1_NULL : V_ASN1_UNDEF;
    if (!algorithm || X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(row.nid), type, nullptr) != 1) return {};
    return to_der(i2d_X509_ALGOR, algorithm.get());
  }
  return {};
}

}  // namespace causeway::crypto
