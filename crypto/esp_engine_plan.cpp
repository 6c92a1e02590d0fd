// Which vector level serves which suite: measured, because the widest is not always the fastest (on a
// CPU with SHA-NI, SHA2-256 of the SSE level beats AVX2's by half).
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
  std::string_view api;
};
const std::array<FamilyRow, EspPlan::kFamilies>& family_rows() {
  static const std::array<FamilyRow, EspPlan::kFamilies> kRows = {{
      {EspPlan::gcm128, "aes128gcm", {Encryption::aes_gcm_16, 128, Integrity::none, false}, "direct"},
      {EspPlan::gcm192, "aes192gcm", {Encryption::aes_gcm_16, 192, Integrity::none, false}, "direct"},
      {EspPlan::gcm256, "aes256gcm", {Encryption::aes_gcm_16, 256, Integrity::none, false}, "direct"},
      {EspPlan::chacha, "chacha20poly1305", {Encryption::chacha20_poly1305, 0, Integrity::none, false}, "job"},
      {EspPlan::md5, "md5", {Encryption::aes_cbc, 128, Integrity::hmac_md5_96, false}, "job"},
      {EspPlan::sha1, "sha1", {Encryption::aes_cbc, 128, Integrity::hmac_sha1_96, false}, "job"},
      {EspPlan::sha256, "sha256", {Encryption::aes_cbc, 128, Integrity::hmac_sha2_256_128, false}, "job"},
      {EspPlan::sha384, "sha384", {Encryption::aes_cbc, 128, Integrity::hmac_sha2_384_192, false}, "job"},
      {EspPlan::sha512, "sha512", {Encryption::aes_cbc, 128, Integrity::hmac_sha2_512_256, false}, "job"},
      {EspPlan::xcbc, "aesxcbc", {Encryption::aes_cbc, 128, Integrity::aes_xcbc_96, false}, "job"},
  }};
  return kRows;
}

// With a separate integrity algorithm the hash decides: it is the dearer half.
EspPlan::Family family_of(const EspSuite& suite) {
  switch (suite.integrity) {
    case Integrity::hmac_md5_96:
      return EspPlan::md5;
    case Integrity::hmac_sha1_96:
      return EspPlan::sha1;
    case Integrity::hmac_sha2_256_128:
    case Integrity::hmac_sha2_256_96:
      return EspPlan::sha256;
    case Integrity::hmac_sha2_384_192:
      return EspPlan::sha384;
    case Integrity::hmac_sha2_512_256:
      return EspPlan::sha512;
    case Integrity::aes_xcbc_96:
      return EspPlan::xcbc;
    case Integrity::none:
      break;
  }
  if (suite.encryption == Encryption::chacha20_poly1305) return EspPlan::chacha;
  return suite.key_bits == 128 ? EspPlan::gcm128 : suite.key_bits == 192 ? EspPlan::gcm192 : EspPlan::gcm256;
}

// A burst as a busy worker sees it, both directions; the least of a few rounds, because the machine may
// be taken away in the middle of any.
class Stopwatch {
 public:
  explicit Stopwatch(EspLevel level) : engine_(EspPlan::fixed(level)) {}

  std::uint64_t cycles(const EspSuite& suite) {
    const EncryptionInfo* cipher = find(suite.encryption, suite.key_bits);
    const IntegrityInfo* integrity = find(suite.integrity);
    const std::vector<std::uint8_t> key(std::size_t{cipher->key_octets} + cipher->salt_octets);
    const std::vector<std::uint8_t> integrity_key(integrity != nullptr ? integrity->key_octets : 0);
    constexpr std::array<std::uint8_t, 16> kSeed{};
    if (!engine_.expand(suite, key, integrity_key, kSeed, key_)) return std::numeric_limits<std::uint64_t>::max();
    std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
    for (int round = 0; round < 4; ++round) {
      const std::uint64_t before = __rdtsc();
      run(EspBatch::Direction::encrypt);
      run(EspBatch::Direction::decrypt);
      best = std::min<std::uint64_t>(best, __rdtsc() - before);
    }
    return best;
  }

 private:
  static constexpr std::size_t kBurst = 32, kPayload = 512;

  void run(EspBatch::Direction direction) {
    batch_.direction = direction;
    batch_.count = 0;
    for (auto& packet : packets_) {
      EspJob& job = batch_.add();
      job = EspJob{};
      job.key = &key_;
      job.esp = packet.data();
      job.length = static_cast<std::uint32_t>(8 + key_.iv_octets + kPayload);
    }
    engine_.submit(batch_);
    engine_.collect();
  }

  EspEngine engine_;
  EspKey key_;
  EspBatch batch_;
  std::array<std::array<std::uint8_t, kPayload + 64>, kBurst> packets_{};
};

}  // namespace

bool EspPlan::available(EspLevel level) { return make_manager(level) != nullptr; }

EspPlan EspPlan::fixed(EspLevel level) {
  EspPlan plan;
  plan.levels_.fill(level);
  return plan;
}

EspPlan EspPlan::calibrate() {
  EspPlan plan;
  std::array<std::uint64_t, kFamilies> best;
  best.fill(std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = 0; i < kEspLevels; ++i) {
    const auto level = static_cast<EspLevel>(i);
    if (!available(level)) continue;
    const auto stopwatch = std::make_unique<Stopwatch>(level);
    for (const FamilyRow& row : family_rows()) {
      const std::uint64_t cycles = stopwatch->cycles(row.sample);
      if (cycles >= best[row.family]) continue;
      best[row.family] = cycles;
      plan.levels_[row.family] = level;
    }
  }
  return plan;
}

EspLevel EspPlan::level(const EspSuite& suite) const { return levels_[family_of(suite)]; }

bool EspPlan::uses(EspLevel level) const { return std::find(levels_.begin(), levels_.end(), level) != levels_.end(); }

std::vector<EspPlan::Row> EspPlan::rows() const {
  std::vector<Row> rows;
  for (const FamilyRow& row : family_rows()) rows.push_back({std::string(row.label), levels_[row.family], row.api});
  return rows;
}

}  // namespace causeway::crypto
