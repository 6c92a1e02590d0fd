// Cryptography of ESP packets, in batches, by Intel IPsec-MB: jobs are pointers and lengths, so that
// nothing here knows of DPDK and nothing outside knows of IPsec-MB.
//
// Life of a batch: the caller fills an EspBatch and gives it to submit(); collect() gives it back with
// every job's status set. This engine finishes a batch inside submit(); one that lends batches to
// another core would finish them later, and its callers would not change.
//
// Threads: an EspEngine belongs to one thread. An EspKey is written once by expand() and only read then.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "crypto/algorithms.h"

namespace causeway::crypto {

// Vector levels of IPsec-MB. Which of them a CPU has is asked before any of it is touched.
enum class EspLevel : std::uint8_t { sse, avx2, avx512 };
inline constexpr std::size_t kEspLevels = 3;
std::string_view name(EspLevel level);
std::optional<EspLevel> level_of(std::string_view name);

// Its programming interfaces. direct: one call a packet (AES-GCM). job: the job manager. burst: the same with all jobs
// of a batch at once. split: all packets' ciphers, then all packets' hashes (AES-CBC with HMAC-SHA).
enum class EspApi : std::uint8_t { direct, job, burst, split };
inline constexpr std::size_t kEspApis = 4;
std::string_view name(EspApi api);
std::optional<EspApi> api_of(std::string_view name);

// What IPsec-MB takes for one packet is bounded (its lanes count in 16 bits); ours is lower still.
inline constexpr std::uint32_t kMaxEspLength = 16384;

// The keys of one SA as the engine's level wants them: schedules, hash keys, HMAC's inner and outer
// state. Lives in memory of its owner, who wipes it; must not move once expanded (3DES points into it).
struct alignas(64) EspKey {
  enum class Kind : std::uint8_t { none, gcm, gmac, chacha20_poly1305, separate };

  // What every packet needs: one cache line.
  Kind kind = Kind::none;
  EspLevel level = EspLevel::sse;
  bool esn = false;
  bool iv_is_encrypted = false;  // CBC: the engine makes the IV by encrypting the block at its place
  std::uint8_t key_octets = 0;
  std::uint8_t iv_octets = 0;     // explicit, on the wire
  std::uint8_t block_octets = 4;  // the ciphertext is a multiple of it
  std::uint8_t icv_octets = 0;
  std::uint8_t cipher = 0;  // IPsec-MB's numbers, for Kind::separate
  std::uint8_t hash = 0;
  std::uint8_t digest_octets = 0;  // what the library is asked for; at least icv_octets
  std::uint8_t family = 0;  // EspPlan::Family
  std::array<std::uint8_t, 4> salt{};
  alignas(16) std::array<std::uint8_t, 16> iv_seed{};  // unpredictable; see EspJob::esp

  alignas(64) std::array<std::byte, 1280> schedule;  // GCM takes 1,008 octets in IPsec-MB 1.3, 1,264 in 2.0
};

// What a packet of so many octets will read of a key, ahead of its turn: the head, the round keys, and of GCM's powers
// of the hash key the highest for long packets, the lowest (behind them) for all.
inline void prefetch(const EspKey& key, std::uint32_t octets) {
  __builtin_prefetch(&key);
  const std::byte* schedule = key.schedule.data();
  for (std::size_t at = 0; at < 256; at += 64) __builtin_prefetch(schedule + at);
  for (std::size_t at = octets > 256 ? 256 : 768; at < 1024; at += 64) __builtin_prefetch(schedule + at);
}

struct EspJob {
  enum class Status : std::uint8_t {
    pending,
    ok,
    icv_failed,
    refused,  // lengths the caller should have refused: nothing was touched
  };
  const EspKey* key = nullptr;
  // SPI, sequence number (low half), IV, payload, padding, trailer; the ICV (encrypt: room for it) right
  // behind. In place. With ESN and a separate integrity algorithm four octets of the ICV's place are
  // written to and hashed (RFC 4303 2.2.1).
  // Encrypting, the caller has put a number never used before with this key into the IV's place: counter
  // modes send it as it is; for CBC the engine makes the IV from it by encrypting it, masked with iv_seed,
  // under the packet key, which makes it unpredictable (RFC 3602 3; NIST SP 800-38A appendix C).
  std::uint8_t* esp = nullptr;
  std::uint32_t length = 0;         // octets from SPI to trailer, without ICV
  std::uint32_t sequence_high = 0;  // where the key says ESN
  Status status = Status::pending;
  void* user = nullptr;
};

struct EspBatch {
  static constexpr std::size_t kMax = 64;
  enum class Direction : std::uint8_t { encrypt, decrypt };
  Direction direction = Direction::encrypt;
  std::uint32_t count = 0;
  union {  // not written before add() gives it out
    std::array<EspJob, kMax> jobs;
  };
  EspBatch* next = nullptr;  // the engine's, between submit and collect

  EspBatch() {}
  EspJob& add() { return jobs[count++] = EspJob{}; }
};

// Which level and which interface serve which suite, by how many packets of it a batch has, and of a full one by how long
// they are (sixteen lanes of SHA2-256 win for long packets over instructions of the CPU's own, which win for short ones).
// Chosen once per process before any SA exists: AES-GCM's key schedules differ by level, so it has one for all batches,
// stamped in the EspKey.
class EspPlan {
 public:
  enum Family : std::uint8_t { gcm128, gcm192, gcm256, chacha, md5, sha1, sha256, sha384, sha512, xcbc, kFamilies };
  static constexpr std::array<std::uint32_t, 3> kBatches = {2, 8, EspBatch::kMax};  // up to so many packets
  static constexpr std::uint32_t kLong = 640;  // octets of the average packet from which a full batch is one of long ones
  struct Choice {
    EspLevel level = EspLevel::sse;
    EspApi api = EspApi::job;
    bool operator==(const Choice&) const = default;
  };

  // A few milliseconds of measuring on this core: the automatic choice of the library is not the fastest.
  static EspPlan calibrate();
  // Everything at one level and, where a suite has it, by one interface (tests; level must be available()).
  static EspPlan fixed(EspLevel level, EspApi api = EspApi::direct);
  static bool available(EspLevel level);
  static bool has(const EspSuite& suite, EspApi api);
  static Family family_of(const EspSuite& suite);
  // As configured, instead of what was measured. The error is a sentence.
  tl::expected<void, std::string> pin(const EspSuite& suite, std::optional<EspLevel> level, std::optional<EspApi> api);

  [[nodiscard]] EspLevel level(const EspSuite& suite) const { return choices_[family_of(suite)][kFull].level; }
  // `octets`: of all of them together.
  [[nodiscard]] const Choice& choice(std::uint8_t family, std::uint32_t packets, std::uint32_t octets) const {
    if (packets > kBatches[1] && octets >= packets * kLong) return choices_[family][kFullOfLong];
    return choices_[family][packets <= kBatches[0] ? 0 : packets <= kBatches[1] ? 1 : kFull];
  }
  [[nodiscard]] bool uses(EspLevel level) const;
  struct Row {
    std::string suite;  // or what stands for several: "sha1" for all with HMAC-SHA1
    EspLevel level;
    EspApi api;
    std::uint32_t packets;     // of batches up to so many
    std::uint32_t octets = 0;  // on average from so many on
  };
  [[nodiscard]] std::vector<Row> rows() const;  // for operators

 private:
  static constexpr std::size_t kFull = kBatches.size() - 1, kFullOfLong = kBatches.size();
  std::array<std::array<Choice, kBatches.size() + 1>, kFamilies> choices_{};
};

class EspEngine {
 public:
  explicit EspEngine(const EspPlan& plan);
  ~EspEngine();
  EspEngine(EspEngine&&) noexcept;
  EspEngine& operator=(EspEngine&&) noexcept;

  // Expands keys into `out` (64-aligned, where it stays). `encryption_key` is the cipher's key followed by
  // its salt, as in KEYMAT. `iv_seed`: 16 random octets. The error is a sentence.
  tl::expected<void, std::string> expand(const EspSuite& suite, std::span<const std::uint8_t> encryption_key,
                                         std::span<const std::uint8_t> integrity_key,
                                         std::span<const std::uint8_t, 16> iv_seed, EspKey& out) const;

  // Another plan, of the same levels: for measuring.
  void follow(const EspPlan& plan);

  // The batch must stay where it is until collect() returns it. One refused job never fails another.
  void submit(EspBatch& batch);
  EspBatch* collect();  // the oldest finished batch, or nullptr

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::crypto
