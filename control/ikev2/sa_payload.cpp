#include "control/ikev2/sa_payload.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace causeway::ikev2 {
namespace {

using ike::Bytes;
using ike::ByteView;
using ike::Protocol;
using ike::Reader;
using ike::Writer;

enum class TransformType : std::uint8_t {  // RFC 7296 3.3.2, RFC 9370
  encryption = 1,
  prf = 2,
  integrity = 3,
  key_exchange = 4,
  esn = 5,
  additional_first = 6,
  additional_last = 12,
};
constexpr std::uint16_t kKeyLength = 14;  // attribute type, in the short form (3.3.5)
constexpr std::uint16_t kShortForm = 0x8000;
constexpr std::uint16_t kNotUsable = 0xffff;  // private use, given out to nobody here: stands for "something else"
constexpr std::uint8_t kMore = 2, kMoreTransforms = 3;
constexpr std::size_t kProposalFixed = 8, kTransformFixed = 8;

tl::unexpected<ike::ParseError> syntax(const std::string& text) {
  return tl::unexpected(ike::ParseError{ike::ParseError::Kind::syntax, "SA payload: " + text,
                                        static_cast<std::uint8_t>(ike::PayloadType::sa)});
}

struct Transform {
  std::uint8_t type = 0;
  std::uint16_t id = 0;
  std::uint16_t key_bits = 0;
  bool usable = true;  // no attribute that we do not know
};

ike::Parsed<Transform> decode_transform(Reader r) {  // behind "last" and the length
  Transform t;
  t.type = r.u8();
  r.skip(1);
  t.id = r.be16();
  while (r.left() > 0) {
    const std::uint16_t head = r.be16();
    const std::uint16_t value = r.be16();  // of the short form; else the length of what follows
    if ((head & kShortForm) == 0) r.skip(value);
    if (head == (kShortForm | kKeyLength)) {
      t.key_bits = value;
    } else {
      t.usable = false;
    }
  }
  if (!r.ok()) return syntax("a transform's attributes run over its end");
  if (t.key_bits != 0 && t.type != static_cast<std::uint8_t>(TransformType::encryption)) t.usable = false;
  return t;
}

// Sorts a transform into the proposal. False for a type that is not known, which refuses the proposal.
bool place(ike::Proposal& p, const Transform& t) {
  const std::uint16_t id = t.usable ? t.id : kNotUsable;
  switch (static_cast<TransformType>(t.type)) {
    case TransformType::encryption:
      p.encryption.push_back({static_cast<crypto::Encryption>(id), t.key_bits});
      return true;
    case TransformType::prf:
      p.prf.push_back(static_cast<crypto::Prf>(id));
      return true;
    case TransformType::integrity:
      p.integrity.push_back(static_cast<crypto::Integrity>(id));
      return true;
    case TransformType::key_exchange:
      p.key_exchange.push_back(static_cast<crypto::KeyExchange>(id));
      return true;
    case TransformType::esn:
      if (id <= 1) p.esn.push_back(id == 1);
      return true;
    default:
      break;
  }
  if (t.type < static_cast<std::uint8_t>(TransformType::additional_first) ||
      t.type > static_cast<std::uint8_t>(TransformType::additional_last)) {
    return false;
  }
  p.additional.at(t.type - static_cast<std::size_t>(TransformType::additional_first))
      .push_back(static_cast<crypto::KeyExchange>(id));
  return true;
}

bool spi_size_fits(Protocol protocol, std::size_t size) {
  switch (protocol) {
    case Protocol::ike:
      return size == 0 || size == 8;
    case Protocol::ah:
    case Protocol::esp:
      return size == 4;
    default:
      return true;  // left out anyway
  }
}

// One proposal; nothing for one that is well formed and can never be taken.
ike::Parsed<std::optional<SaProposal>> decode_proposal(Reader r) {  // behind "last" and the length
  SaProposal p;
  p.number = r.u8();
  p.proposal.protocol = static_cast<Protocol>(r.u8());
  const std::uint8_t spi_size = r.u8();
  const std::uint8_t count = r.u8();
  p.spi = ike::to_bytes(r.take(spi_size));
  if (!r.ok()) return syntax("a proposal too short for its SPI");
  if (!spi_size_fits(p.proposal.protocol, spi_size)) {
    return syntax("an SPI of " + std::to_string(spi_size) + " octets for " + name(p.proposal.protocol));
  }
  bool esn_offered = false;
  bool takeable = p.proposal.protocol == Protocol::ike || p.proposal.protocol == Protocol::esp;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint8_t more = r.u8();
    r.skip(1);
    const std::uint16_t length = r.be16();
    if (!r.ok() || length < kTransformFixed) return syntax("a transform too short");
    if ((more == kMoreTransforms) != (i + 1u < count)) return syntax("a wrong number of transforms");
    const Reader inside = r.sub(length - 4u);
    if (!r.ok()) return syntax("a transform longer than its proposal");
    auto t = decode_transform(inside);
    if (!t) return tl::unexpected(std::move(t.error()));
    takeable = place(p.proposal, *t) && takeable;
    esn_offered = esn_offered || t->type == static_cast<std::uint8_t>(TransformType::esn);
  }
  if (!r.at_end()) return syntax("octets behind the last transform");
  // Kinds of sequence numbers that are neither of the two we know: an empty list would mean the ordinary ones.
  if (esn_offered && p.proposal.esn.empty()) takeable = false;
  if (!takeable) return std::nullopt;
  return p;
}

class TransformWriter {
 public:
  void add(TransformType type, std::uint16_t id, std::uint16_t key_bits = 0) {
    add(static_cast<std::uint8_t>(type), id, key_bits);
  }
  void add(std::uint8_t type, std::uint16_t id, std::uint16_t key_bits) {
    if (count_ > 0) w_.patch_u8(last_, kMoreTransforms);
    last_ = w_.size();
    ++count_;
    w_.zeros(2);
    w_.be16(static_cast<std::uint16_t>(kTransformFixed + (key_bits != 0 ? 4 : 0)));
    w_.u8(type);
    w_.zeros(1);
    w_.be16(id);
    if (key_bits != 0) {
      w_.be16(static_cast<std::uint16_t>(kShortForm | kKeyLength));
      w_.be16(key_bits);
    }
  }
  [[nodiscard]] std::uint8_t count() const { return count_; }
  [[nodiscard]] ByteView bytes() const { return w_.view(); }

 private:
  Writer w_;
  std::size_t last_ = 0;
  std::uint8_t count_ = 0;
};

TransformWriter transforms_of(const ike::Proposal& p) {
  TransformWriter w;
  for (const ike::Cipher& c : p.encryption)
    w.add(TransformType::encryption, static_cast<std::uint16_t>(c.id), c.key_bits);
  for (const auto id : p.prf) w.add(TransformType::prf, static_cast<std::uint16_t>(id));
  for (const auto id : p.integrity) w.add(TransformType::integrity, static_cast<std::uint16_t>(id));
  for (const auto id : p.key_exchange) w.add(TransformType::key_exchange, static_cast<std::uint16_t>(id));
  for (std::size_t i = 0; i < p.additional.size(); ++i) {
    for (const auto id : p.additional[i]) {
      w.add(static_cast<std::uint8_t>(static_cast<std::size_t>(TransformType::additional_first) + i),
            static_cast<std::uint16_t>(id), 0);
    }
  }
  if (p.protocol == Protocol::esp) {  // must be there for ESP (3.3.3)
    if (p.esn.empty()) w.add(TransformType::esn, 0);
    for (const bool esn : p.esn) w.add(TransformType::esn, static_cast<std::uint16_t>(esn ? 1 : 0));
  }
  return w;
}

}  // namespace

std::uint32_t SaProposal::child_spi() const { return spi.size() == 4 ? Reader(spi).be32() : 0; }
std::uint64_t SaProposal::ike_spi() const { return spi.size() == 8 ? Reader(spi).be64() : 0; }

ike::Parsed<std::vector<SaProposal>> decode_sa(ByteView body) {
  std::vector<SaProposal> proposals;
  Reader r(body);
  bool more = true;
  while (more) {
    const std::uint8_t last = r.u8();
    r.skip(1);
    const std::uint16_t length = r.be16();
    if (!r.ok() || length < kProposalFixed) return syntax("a proposal too short");
    if (last != 0 && last != kMore) return syntax("a proposal that is neither the last nor followed by one");
    more = last == kMore;
    const Reader inside = r.sub(length - 4u);
    if (!r.ok()) return syntax("a proposal longer than the payload");
    auto p = decode_proposal(inside);
    if (!p) return tl::unexpected(std::move(p.error()));
    if (*p) proposals.push_back(std::move(**p));
  }
  if (!r.at_end()) return syntax("octets behind the last proposal");
  return proposals;
}

Bytes encode_sa(std::span<const SaProposal> proposals) {
  Writer w;
  for (std::size_t i = 0; i < proposals.size(); ++i) {
    const SaProposal& p = proposals[i];
    const TransformWriter transforms = transforms_of(p.proposal);
    w.u8(static_cast<std::uint8_t>(i + 1 < proposals.size() ? kMore : 0));
    w.zeros(1);
    w.be16(static_cast<std::uint16_t>(kProposalFixed + p.spi.size() + transforms.bytes().size()));
    w.u8(p.number);
    w.u8(static_cast<std::uint8_t>(p.proposal.protocol));
    w.u8(static_cast<std::uint8_t>(p.spi.size()));
    w.u8(transforms.count());
    w.bytes(p.spi);
    w.bytes(transforms.bytes());
  }
  return w.take();
}

std::vector<SaProposal> numbered(std::span<const ike::Proposal> proposals, ByteView spi) {
  std::vector<SaProposal> out;
  std::uint8_t number = 0;
  for (const ike::Proposal& p : proposals) out.push_back({++number, ike::to_bytes(spi), p});
  return out;
}

std::vector<ike::Proposal> only_proposals(std::span<const SaProposal> offered) {
  std::vector<ike::Proposal> out;
  for (const SaProposal& p : offered) out.push_back(p.proposal);
  return out;
}

}  // namespace causeway::ikev2
