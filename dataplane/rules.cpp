#include "dataplane/rules.h"

#include <rte_errno.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>

#include "dataplane/headers.h"

namespace causeway::dataplane {
namespace {

constexpr std::size_t kMostEntries = 65'536;  // of prefix pairs that rules become

std::uint16_t network_order(std::uint16_t v) { return rte_cpu_to_be_16(v); }

rte_acl_field range(std::uint16_t low, std::uint16_t high) {
  rte_acl_field field{};
  field.value.u16 = low;
  field.mask_range.u16 = high;
  return field;
}
rte_acl_field exactly(std::uint16_t v) { return range(v, v); }
rte_acl_field prefix32(std::uint32_t value, std::uint32_t length) {
  rte_acl_field field{};
  field.value.u32 = value;
  field.mask_range.u32 = length;
  return field;
}

rte_acl_field place(const RuleSpec::Place& p) {
  switch (p.kind) {
    case RuleSpec::Place::Kind::any:
      break;
    case RuleSpec::Place::Kind::port:
      return exactly(place_of_port(static_cast<std::uint16_t>(p.number)));
    case RuleSpec::Place::Kind::tunnel:
      return exactly(place_of_tunnel(p.number));
  }
  return range(0, UINT16_MAX);
}

// One side's ports. Any: whatever the packet shows; OPAQUE: of those that show none; else of those that show some
// (RFC 4301 4.4.1.1).
struct PortRange {
  std::uint16_t low = 0, high = UINT16_MAX;
  std::uint16_t shown_low = 0, shown_high = 1;
};
PortRange ports_of(const conf::Selector& s) {
  if (s.first_port == 0 && s.last_port == UINT16_MAX) return {};
  if (s.first_port > s.last_port) return {0, UINT16_MAX, 0, 0};
  return {s.first_port, s.last_port, 1, 1};
}

constexpr rte_acl_field_def define(std::uint8_t type, std::uint8_t size, std::uint8_t index, std::uint8_t input,
                                   std::size_t offset) {
  return {type, size, index, input, static_cast<std::uint32_t>(offset)};
}

}  // namespace

// What is looked up: network order. rte_acl wants one octet first, then words of four.
struct RuleTable::V4 {
  static constexpr conf::Family kFamily = conf::Family::v4;
  static constexpr std::size_t kWords = 1, kOctets = 4;
  std::uint8_t protocol;
  std::uint8_t unused[3];
  std::uint8_t source[4], destination[4];
  std::uint16_t source_port, destination_port, in, out, shown, unused2;
};
struct RuleTable::V6 {
  static constexpr conf::Family kFamily = conf::Family::v6;
  static constexpr std::size_t kWords = 4, kOctets = 16;
  std::uint8_t protocol;
  std::uint8_t unused[3];
  std::uint8_t source[16], destination[16];
  std::uint16_t source_port, destination_port, in, out, shown, unused2;
};

namespace {

// Fields in the order of the key: protocol, words of the source, of the destination, then pairs of 16 bits.
template <typename Key>
constexpr std::size_t kFields = 1 + 2 * Key::kWords + 6;

template <typename Key>
std::array<rte_acl_field_def, kFields<Key>> definitions() {
  std::array<rte_acl_field_def, kFields<Key>> out{};
  std::uint8_t n = 0, input = 0;
  out[n] = define(RTE_ACL_FIELD_TYPE_BITMASK, 1, n, input, offsetof(Key, protocol));
  for (const std::size_t at : {offsetof(Key, source), offsetof(Key, destination)}) {
    for (std::size_t word = 0; word < Key::kWords; ++word) {
      ++n;
      out[n] = define(RTE_ACL_FIELD_TYPE_MASK, 4, n, ++input, at + 4 * word);
    }
  }
  const std::size_t pairs[] = {offsetof(Key, source_port), offsetof(Key, destination_port), offsetof(Key, in),
                               offsetof(Key, out), offsetof(Key, shown), offsetof(Key, unused2)};
  for (std::size_t i = 0; i < std::size(pairs); ++i) {
    if (i % 2 == 0) ++input;
    ++n;
    out[n] = define(RTE_ACL_FIELD_TYPE_RANGE, 2, n, input, pairs[i]);
  }
  return out;
}

template <typename Key>
struct Entry {
  rte_acl_rule_data data;
  rte_acl_field field[kFields<Key>];
};

template <typename Key>
std::size_t put_prefix(Entry<Key>& entry, std::size_t at, const conf::Prefix& prefix) {
  for (std::size_t word = 0; word < Key::kWords; ++word) {
    const std::uint32_t before = static_cast<std::uint32_t>(32 * word);
    const std::uint32_t length = prefix.length <= before ? 0 : std::min<std::uint32_t>(32, prefix.length - before);
    entry.field[at++] = prefix32(be32(prefix.address.octets.data() + 4 * word), length);
  }
  return at;
}

template <typename Key>
Entry<Key> entry_of(const RuleSpec& spec, const conf::Prefix& from, const conf::Prefix& to) {
  Entry<Key> entry{};
  const std::uint8_t protocol = spec.from.protocol != 0 ? spec.from.protocol : spec.to.protocol;
  entry.field[0].value.u8 = protocol;
  entry.field[0].mask_range.u8 = protocol == 0 ? 0 : 0xff;
  std::size_t at = put_prefix(entry, 1, from);
  at = put_prefix(entry, at, to);
  const PortRange source = ports_of(spec.from), destination = ports_of(spec.to);
  entry.field[at++] = range(source.low, source.high);
  entry.field[at++] = range(destination.low, destination.high);
  entry.field[at++] = place(spec.in);
  entry.field[at++] = place(spec.out);
  entry.field[at++] = range(std::max(source.shown_low, destination.shown_low),
                            std::min(source.shown_high, destination.shown_high));
  entry.field[at] = range(0, UINT16_MAX);
  return entry;
}

std::string failed(const std::string& what) { return "rules: " + what; }

template <typename Key>
bool can_match(const RuleSpec& spec) {
  const bool protocols = spec.from.protocol == 0 || spec.to.protocol == 0 || spec.from.protocol == spec.to.protocol;
  const PortRange source = ports_of(spec.from), destination = ports_of(spec.to);
  return spec.from.first.family == Key::kFamily && spec.to.first.family == Key::kFamily && protocols &&
         std::max(source.shown_low, destination.shown_low) <= std::min(source.shown_high, destination.shown_high);
}

}  // namespace

template <typename Key>
tl::expected<RuleTable::Context, std::string> RuleTable::build(std::span<const RuleSpec> specs) {
  std::vector<Entry<Key>> entries;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (!can_match<Key>(specs[i])) continue;
    const auto from = prefixes_of(specs[i].from), to = prefixes_of(specs[i].to);
    if (entries.size() + from.size() * to.size() > kMostEntries)
      return tl::unexpected(failed("rule " + specs[i].name + ": its address ranges are too many prefixes (" +
                                   std::to_string(from.size() * to.size()) + "): name prefixes instead"));
    for (const conf::Prefix& f : from) {
      for (const conf::Prefix& t : to) {
        Entry<Key> entry = entry_of<Key>(specs[i], f, t);
        entry.data.category_mask = 1;
        entry.data.priority = static_cast<std::int32_t>(specs.size() - i);
        entry.data.userdata = static_cast<std::uint32_t>(i + 1);  // 0 is "none"
        entries.push_back(entry);
      }
    }
  }
  if (entries.empty()) return Context();
  static std::atomic<unsigned> serial{0};  // names are the process's; only the control thread gives them out
  const std::string name = "rules-" + std::to_string(serial++);
  rte_acl_param shape{};
  shape.name = name.c_str();
  shape.socket_id = SOCKET_ID_ANY;
  shape.rule_size = sizeof(Entry<Key>);
  shape.max_rule_num = static_cast<std::uint32_t>(entries.size());
  Context context(rte_acl_create(&shape));
  if (!context) return tl::unexpected(failed(std::string("no room: ") + rte_strerror(rte_errno)));
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = kFields<Key>;
  const auto fields = definitions<Key>();
  std::copy(fields.begin(), fields.end(), config.defs);
  int error = rte_acl_add_rules(context.get(), reinterpret_cast<const rte_acl_rule*>(entries.data()),
                                static_cast<std::uint32_t>(entries.size()));
  if (error == 0) error = rte_acl_build(context.get(), &config);
  if (error != 0) return tl::unexpected(failed(std::string("they cannot be compiled: ") + rte_strerror(-error)));
  return context;
}

tl::expected<std::shared_ptr<const RuleTable>, std::string> RuleTable::make(std::span<const RuleSpec> specs,
                                                                           std::span<const std::uint16_t> slots) {
  auto table = std::make_shared<RuleTable>();
  for (std::size_t i = 0; i < specs.size(); ++i) table->rules_.push_back({slots[i], specs[i].permit});
  auto v4 = build<V4>(specs);
  if (!v4) return tl::unexpected(v4.error());
  auto v6 = build<V6>(specs);
  if (!v6) return tl::unexpected(v6.error());
  table->v4_ = std::move(*v4);
  table->v6_ = std::move(*v6);
  return table;
}

namespace {

template <typename Key>
std::uint32_t look_up(const rte_acl_ctx* context, const Flow& flow, std::uint16_t in, std::uint16_t out) {
  if (context == nullptr) return 0;
  Key key{};
  key.protocol = flow.protocol;
  std::memcpy(key.source, flow.source, Key::kOctets);
  std::memcpy(key.destination, flow.destination, Key::kOctets);
  key.source_port = network_order(flow.source_port);
  key.destination_port = network_order(flow.destination_port);
  key.in = network_order(in);
  key.out = network_order(out);
  key.shown = network_order(flow.ports ? 1 : 0);
  const auto* data = reinterpret_cast<const std::uint8_t*>(&key);
  std::uint32_t result = 0;
  return rte_acl_classify(context, &data, &result, 1, 1) == 0 ? result : 0;
}

}  // namespace

const RuleTable::Rule* RuleTable::match(const Flow& flow, std::uint16_t in, std::uint16_t out) const {
  const std::uint32_t number = flow.family == conf::Family::v4 ? look_up<V4>(v4_.get(), flow, in, out)
                                                               : look_up<V6>(v6_.get(), flow, in, out);
  return number == 0 ? nullptr : &rules_[number - 1];
}

}  // namespace causeway::dataplane
