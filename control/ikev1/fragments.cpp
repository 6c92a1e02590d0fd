#include "control/ikev1/fragments.h"

#include <algorithm>
#include <utility>

namespace causeway::ikev1 {

namespace {

constexpr std::uint8_t kLast = 1;
constexpr std::size_t kFragmentHeader = 4;
constexpr std::size_t kPiece = kFragmentedFrom - ike::kHeaderSize - ike::kPayloadHeaderSize - kFragmentHeader;

}  // namespace

std::vector<ike::Bytes> cut(const ike::Bytes& message, std::uint16_t fragment_id) {
  std::vector<ike::Bytes> out;
  const auto header = ike::parse_header(message);
  if (!header) return {message};
  const std::size_t count = (message.size() + kPiece - 1) / kPiece;
  for (std::size_t i = 0; i < count; ++i) {
    const auto piece = ike::ByteView(message).subspan(i * kPiece, std::min(kPiece, message.size() - i * kPiece));
    ike::Writer body;
    body.be16(fragment_id);
    body.u8(static_cast<std::uint8_t>(i + 1));
    body.u8(i + 1 == count ? kLast : std::uint8_t{0});
    body.bytes(piece);
    ike::PayloadChain chain;
    chain.add(ike::PayloadType::v1_fragment, body.view());
    ike::Header h = *header;
    h.flags = 0;
    out.push_back(ike::assemble(h, chain));
  }
  return out;
}

std::optional<ike::Bytes> Reassembly::add(ike::ByteView body) {
  ike::Reader r(body);
  const std::uint16_t id = r.be16();
  const std::uint8_t number = r.u8();
  const std::uint8_t flags = r.u8();
  const ike::Bytes piece = ike::to_bytes(r.rest());
  if (!r.ok() || number == 0 || number > kMaxFragments || piece.empty()) return std::nullopt;
  if (id_ != id) *this = Reassembly{};
  id_ = id;
  if ((flags & kLast) != 0) total_ = number;
  if (total_ && (number > *total_ || pieces_.size() > *total_)) {
    *this = Reassembly{};
    return std::nullopt;
  }
  if (pieces_.size() < number) pieces_.resize(number);
  ike::Bytes& place = pieces_[number - 1U];
  if (!place.empty()) return std::nullopt;
  octets_ += piece.size();
  place = piece;
  if (octets_ > kMaxReassembled) {
    *this = Reassembly{};
    return std::nullopt;
  }
  const bool complete = total_ && pieces_.size() == *total_ &&
                        std::ranges::none_of(pieces_, [](const ike::Bytes& p) { return p.empty(); });
  if (!complete) return std::nullopt;
  ike::Bytes whole;
  for (const ike::Bytes& p : pieces_) whole.insert(whole.end(), p.begin(), p.end());
  *this = Reassembly{};
  return whole;
}

}  // namespace causeway::ikev1
