// Internal to esp_engine*: IPsec-MB's managers and the layout of an expanded key.
#pragma once

// The library's header carries names from releases we never used.
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

#include <array>
#include <cstdint>
#include <memory>

#include "crypto/esp_engine.h"

namespace causeway::crypto {

struct MbFree {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using MbManager = std::unique_ptr<IMB_MGR, MbFree>;

// Releases from 1.4 on want each job of a burst call to name its kind first.
inline void set_session([[maybe_unused]] IMB_MGR& manager, [[maybe_unused]] IMB_JOB& job) {
#if IMB_VERSION_NUM >= IMB_VERSION(1, 4, 0)
  imb_set_session(&manager, &job);
#endif
}

// nullptr where this CPU lacks the level (initialising it would crash) or the library's self-test fails.
MbManager make_manager(EspLevel level);

// What EspKey::schedule holds, by EspKey::Kind.
struct AesKeys {
  alignas(16) std::array<std::uint8_t, 15 * 16> encrypt, decrypt;
};
struct Des3Keys {
  std::array<std::array<std::uint64_t, 16>, 3> schedule;
  std::array<const void*, 3> pointers;  // to the three schedules, as the library wants them
};
struct HmacKeys {
  alignas(16) std::array<std::uint8_t, 64> inner, outer;  // hash state after the key's block
};
struct XcbcKeys {
  alignas(16) std::array<std::uint32_t, 11 * 4> k1;
  alignas(16) std::array<std::uint8_t, 16> k2, k3;
};
struct SeparateKeys {
  union {
    AesKeys aes;
    Des3Keys des3;
  };
  union {
    HmacKeys hmac;
    XcbcKeys xcbc;
  };
};
union EspSchedule {
  gcm_key_data gcm;  // Kind::gcm, Kind::gmac
  std::array<std::uint8_t, 32> chacha;
  SeparateKeys separate;
};
static_assert(sizeof(EspSchedule) <= sizeof(EspKey::schedule) && alignof(EspSchedule) <= 64);

inline EspSchedule& schedule(EspKey& key) { return *reinterpret_cast<EspSchedule*>(key.schedule.data()); }
inline const EspSchedule& schedule(const EspKey& key) {
  return *reinterpret_cast<const EspSchedule*>(key.schedule.data());
}

struct MbManagers {
  std::array<MbManager, kEspLevels> by_level;
  [[nodiscard]] IMB_MGR* get(EspLevel level) const { return by_level[static_cast<std::size_t>(level)].get(); }
};

// esp_engine_keys.cpp
tl::expected<void, std::string> expand_key(const IMB_MGR& manager, const EspSuite& suite,
                                           std::span<const std::uint8_t> encryption_key,
                                           std::span<const std::uint8_t> integrity_key, EspKey& out);

}  // namespace causeway::crypto
