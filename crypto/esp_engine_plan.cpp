// Which vector level and interface serve which suite: measured, because the widest is not always the fastest (on a
// CPU with SHA-NI, SHA2-256 of the SSE level beats AVX2's by half), and a lone packet wants another than a burst.
#include <x86intrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "crypto/esp_engine.h"
#include "crypto/esp_engine_mb.h"

namespace causeway::crypto {

namespace {

struct FamilyRow {
  EspPlan::Family family;
  std::string_view label;
  EspSuite sample;  // stands for the whole family
};
const std::array<FamilyRow, EspPlan::kFamilies>& family_rows() {
  static const std::array<FamilyRow, EspPlan::kFamilies> kRows = {{
      {EspPlan::gcm128, "aes128gcm", {Encryption::aes_gcm_16, 128, Integrity::none, false}},
      {EspPlan::gcm192, "aes192gcm", {Encryption::aes_gcm_16, 192, Integrity::none, false}},
      {EspPlan::gcm256, "aes256gcm", {Encryption::aes_gcm_16, 256, Integrity::none, false}},
      {EspPlan::chacha, "chacha20poly1305", {Encryption::chacha20_poly1305, 0, Integrity::none, false}},
      {EspPlan::md5, "md5", {Encryption::aes_cbc, 128, Integrity::hmac_md5_96, false}},
      {EspPlan::sha1, "sha1", {Encryption::aes_cbc, 128, Integrity::hmac_sha1_96, false}},
      {EspPlan::sha256, "sha256", {Encryption::aes_cbc, 128, Integrity::hmac_sha2_256_128, false}},
      {EspPlan::sha384, "sha384", {Encryption::aes_cbc, 128, Integrity::hmac_sha2_384_192, false}},
      {EspPlan::sha512, "sha512", {Encryption::aes_cbc, 128, Integrity::hmac_sha2_512_256, false}},
      {EspPlan::xcbc, "aesxcbc", {Encryption::aes_cbc, 128, Integrity::aes_xcbc_96, false}},
  }};
  return kRows;
}

bool is_gcm(EspPlan::Family family) { return family <= EspPlan::gcm256; }

// What a level is measured with in place of an interface that the suite does not have.
EspApi nearest(const EspSuite& suite, EspApi api) {
  if (EspPlan::has(suite, api)) return api;
  return EspPlan::has(suite, EspApi::direct) ? EspApi::direct : EspApi::job;
}

constexpr std::uint32_t kPayload = 256, kLongPayload = 1408;  // octets, multiples of every block

// A burst as a busy worker sees it, both directions; the least of a few rounds, because the machine may
// be taken away in the middle of any.
class Stopwatch {
 public:
  explicit Stopwatch(EspLevel level) : level_(level), engine_(EspPlan::fixed(level)) {}

  // Of a batch of so many packets with so many octets of payload, by that interface.
  std::uint64_t cycles(const EspSuite& suite, EspApi api, std::uint32_t packets, std::uint32_t payload) {
    engine_.follow(EspPlan::fixed(level_, api));
    count_ = packets;
    payload_ = payload;
    const EncryptionInfo* cipher = find(suite.encryption, suite.key_bits);
    const IntegrityInfo* integrity = find(suite.integrity);
    const std::vector<std::uint8_t> key(std::size_t{cipher->key_octets} + cipher->salt_octets);
    const std::vector<std::uint8_t> integrity_key(integrity != nullptr ? integrity->key_octets : 0);
    constexpr std::array<std::uint8_t, 16> kSeed{};
    if (!engine_.expand(suite, key, integrity_key, kSeed, key_)) return std::numeric_limits<std::uint64_t>::max();
    std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
    for (int round = 0; round < (packets == kBurst ? kRoundsOfFull : kRounds); ++round) {
      const std::uint64_t before = __rdtsc();
      run(EspBatch::Direction::encrypt);
      run(EspBatch::Direction::decrypt);
      best = std::min<std::uint64_t>(best, __rdtsc() - before);
    }
    return best;
  }

 private:
  static constexpr std::size_t kBurst = 32;
  static constexpr int kRounds = 5, kRoundsOfFull = 9;

  void run(EspBatch::Direction direction) {
    batch_.direction = direction;
    batch_.count = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      auto& packet = packets_[i];
      EspJob& job = batch_.add();
      job.key = &key_;
      job.esp = packet.data();
      job.length = static_cast<std::uint32_t>(8 + key_.iv_octets + payload_);
    }
    engine_.submit(batch_);
    engine_.collect();
  }

  EspLevel level_;
  std::uint32_t count_ = kBurst, payload_ = 0;
  EspEngine engine_;
  EspKey key_;
  EspBatch batch_;
  std::array<std::array<std::uint8_t, kLongPayload + 64>, kBurst> packets_{};
};

}  // namespace

bool EspPlan::available(EspLevel level) { return make_manager(level) != nullptr; }

// With a separate integrity algorithm the hash decides: it is the dearer half.
EspPlan::Family EspPlan::family_of(const EspSuite& suite) {
  switch (suite.integrity) {
    case Integrity::hmac_md5_96:
      return md5;
    case Integrity::hmac_sha1_96:
      return sha1;
    case Integrity::hmac_sha2_256_128:
    case Integrity::hmac_sha2_256_96:
      return sha256;
    case Integrity::hmac_sha2_384_192:
      return sha384;
    case Integrity::hmac_sha2_512_256:
      return sha512;
    case Integrity::aes_xcbc_96:
      return xcbc;
    case Integrity::none:
      break;
  }
  if (suite.encryption == Encryption::chacha20_poly1305) return chacha;
  return suite.key_bits == 128 ? gcm128 : suite.key_bits == 192 ? gcm192 : gcm256;
}

bool EspPlan::has(const EspSuite& suite, EspApi api) {
  const bool gcm = suite.integrity == Integrity::none && suite.encryption != Encryption::chacha20_poly1305;
  switch (api) {
    case EspApi::direct:
      return gcm;
    case EspApi::split:
      return suite.encryption == Encryption::aes_cbc && suite.integrity != Integrity::hmac_md5_96 &&
             suite.integrity != Integrity::aes_xcbc_96;
    case EspApi::job:
    case EspApi::burst:
      return suite.encryption != Encryption::null_aes_gmac;
  }
  return false;
}

EspPlan EspPlan::fixed(EspLevel level, EspApi api) {
  EspPlan plan;
  for (const FamilyRow& row : family_rows()) plan.choices_[row.family].fill({level, nearest(row.sample, api)});
  return plan;
}

// AES-GCM's level is that of full batches, whatever smaller ones would like.
EspPlan EspPlan::calibrate() {
  EspPlan plan;
  std::array<std::array<std::uint64_t, kBatches.size() + 1>, kFamilies> best;
  for (auto& row : best) row.fill(std::numeric_limits<std::uint64_t>::max());
  constexpr std::array<std::uint32_t, kBatches.size() + 1> kPackets = {1, 4, 32, 32};
  for (std::size_t l = 0; l < kEspLevels; ++l) {
    const auto level = static_cast<EspLevel>(l);
    if (!available(level)) continue;
    const auto stopwatch = std::make_unique<Stopwatch>(level);
    for (const FamilyRow& row : family_rows()) {
      for (std::size_t b = is_gcm(row.family) ? kFullOfLong : kFullOfLong + 1; b-- > 0;) {
        for (std::size_t a = 0; a < kEspApis; ++a) {
          const auto api = static_cast<EspApi>(a);
          if (!has(row.sample, api)) continue;
          const std::uint64_t cycles =
              stopwatch->cycles(row.sample, api, kPackets[b], b == kFullOfLong ? kLongPayload : kPayload);
          const bool other_schedule =
              is_gcm(row.family) && b < kFull && plan.choices_[row.family][kFull].level != level;
          if (cycles >= best[row.family][b] || other_schedule) continue;
          best[row.family][b] = cycles;
          plan.choices_[row.family][b] = {level, api};
          // A better level for full batches: what smaller ones had measured counts no more.
          if (!is_gcm(row.family) || b != kFull) continue;
          for (std::size_t smaller = 0; smaller < b; ++smaller) {
            if (plan.choices_[row.family][smaller].level == level) continue;
            best[row.family][smaller] = std::numeric_limits<std::uint64_t>::max();
            plan.choices_[row.family][smaller] = {level, api};
          }
        }
      }
    }
  }
  for (const FamilyRow& row : family_rows())
    if (is_gcm(row.family)) plan.choices_[row.family][kFullOfLong] = plan.choices_[row.family][kFull];
  return plan;
}

tl::expected<void, std::string> EspPlan::pin(const EspSuite& suite, std::optional<EspLevel> level,
                                             std::optional<EspApi> api) {
  if (level && !available(*level))
    return tl::unexpected("this CPU or IPsec-MB does not have the level " + std::string(name(*level)));
  if (api && !has(suite, *api))
    return tl::unexpected(suite.name() + " has no interface " + std::string(name(*api)));
  for (Choice& choice : choices_[family_of(suite)]) {
    choice.level = level.value_or(choice.level);
    choice.api = api.value_or(choice.api);
  }
  return {};
}

bool EspPlan::uses(EspLevel level) const {
  return std::any_of(choices_.begin(), choices_.end(), [level](const auto& row) {
    return std::any_of(row.begin(), row.end(), [level](const Choice& c) { return c.level == level; });
  });
}

std::vector<EspPlan::Row> EspPlan::rows() const {
  std::vector<Row> rows;
  for (const FamilyRow& row : family_rows()) {
    for (std::size_t b = 0; b < kBatches.size(); ++b) {
      const Choice& choice = choices_[row.family][b];
      if (b < kFull && choice == choices_[row.family][b + 1]) continue;
      rows.push_back({std::string(row.label), choice.level, choice.api, kBatches[b]});
    }
    const Choice& longer = choices_[row.family][kFullOfLong];
    if (longer != choices_[row.family][kFull])
      rows.push_back({std::string(row.label), longer.level, longer.api, kBatches[kFull], kLong});
  }
  return rows;
}

}  // namespace causeway::crypto
