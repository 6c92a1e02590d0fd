// What Intel IPsec-MB itself costs for a batch of ESP packets, by each of its ways: the limit that the bench
// compares with. Nothing of ours is in run() beside what any caller of the library must do: hand over pointers
// and lengths, and collect what is done. No tag is compared, no IV is made, no header is written.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "crypto/esp_engine.h"

namespace causeway::bench {

// direct: one call a packet (AEADs only). job: the job manager, lanes flushed at the end of the batch. burst: the
// same, submitted at once. split: a burst of the cipher alone, then one of the hash alone (AES-CBC and AES-CTR
// with HMAC-SHA only).
enum class RawApi : std::uint8_t { direct, job, burst, split };

struct RawWay {
  crypto::EspLevel level;
  RawApi api;
  [[nodiscard]] std::string name() const;  // "avx2/direct"
};

struct RawPacket {
  std::uint8_t* esp = nullptr;  // SPI, sequence number, IV, ciphertext; the ICV behind
  std::uint32_t length = 0;     // without the ICV
  std::uint32_t key = 0;
};

class RawCrypto {
 public:
  static constexpr std::size_t kMost = 64;  // packets a batch

  // `keys`: how many different ones to have. Nothing where the CPU or the library lacks the way.
  static std::unique_ptr<RawCrypto> make(const crypto::EspSuite& suite, bool encrypt, RawWay way, std::size_t keys);
  static std::vector<RawWay> ways(const crypto::EspSuite& suite);
  virtual ~RawCrypto() = default;
  virtual void prepare(std::span<const RawPacket> packets) = 0;  // nonces and the like, not to be timed
  virtual void run(std::span<const RawPacket> packets) = 0;      // to be timed
};

}  // namespace causeway::bench
