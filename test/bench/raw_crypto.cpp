#include "test/bench/raw_crypto.h"

#include <cstring>
#include <random>

#include "crypto/esp_engine_mb.h"

namespace causeway::bench {

using namespace causeway::crypto;

namespace {

constexpr std::uint32_t kSpiAndSequence = 8;

struct Nonces {
  alignas(16) std::array<std::uint8_t, 16> nonce{};
  alignas(16) std::array<std::uint8_t, 16> aad{};
  alignas(16) std::array<std::uint8_t, 64> tag{};
};

// Keys of one level, as the engine's own expansion makes them.
class Base : public RawCrypto {
 public:
  Base(MbManager manager, bool encrypt) : manager_(std::move(manager)), encrypt_(encrypt) {}

  bool expand(const EspSuite& suite, std::size_t count) {
    const EncryptionInfo* cipher = find(suite.encryption, suite.key_bits);
    const IntegrityInfo* integrity = find(suite.integrity);
    if (cipher == nullptr) return false;
    std::mt19937 random(1);
    const auto octets = [&](std::size_t n) {
      std::vector<std::uint8_t> out(n);
      for (auto& o : out) o = static_cast<std::uint8_t>(random());
      return out;
    };
    keys_ = std::vector<EspKey>(count);
    for (EspKey& key : keys_) {
      const auto secret = octets(std::size_t{cipher->key_octets} + cipher->salt_octets);
      const auto hash = octets(integrity != nullptr ? integrity->key_octets : 0);
      if (!expand_key(*manager_, suite, secret, hash, key)) return false;
    }
    head_ = kSpiAndSequence + keys_[0].iv_octets;
    return true;
  }

  void prepare(std::span<const RawPacket> packets) override {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      Nonces& n = nonces_[i];
      std::memcpy(n.nonce.data(), keys_[packets[i].key].salt.data(), 4);
      std::memcpy(n.nonce.data() + 4, packets[i].esp + kSpiAndSequence, 8);
      n.nonce[15] = 1;
      std::memcpy(n.aad.data(), packets[i].esp, 8);
    }
  }

 protected:
  [[nodiscard]] const EspKey& key(const RawPacket& p) const { return keys_[p.key]; }
  // Sent tags go behind the packet; of received ones the library computes its own.
  std::uint8_t* tag(const RawPacket& p, std::size_t i) { return encrypt_ ? p.esp + p.length : nonces_[i].tag.data(); }

  MbManager manager_;
  bool encrypt_;
  std::uint32_t head_ = 0;
  std::vector<EspKey> keys_;
  std::array<Nonces, kMost> nonces_{};
};

class DirectGcm final : public Base {
 public:
  using Base::Base;
  void run(std::span<const RawPacket> packets) override {
    const std::uint8_t octets = keys_[0].key_octets;
    const IMB_MGR& m = *manager_;
    const auto call = octets == 16   ? (encrypt_ ? m.gcm128_enc : m.gcm128_dec)
                      : octets == 24 ? (encrypt_ ? m.gcm192_enc : m.gcm192_dec)
                                     : (encrypt_ ? m.gcm256_enc : m.gcm256_dec);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const RawPacket& p = packets[i];
      call(&schedule(key(p)).gcm, &context_, p.esp + head_, p.esp + head_, p.length - head_, nonces_[i].nonce.data(),
           nonces_[i].aad.data(), 8, tag(p, i), 16);
    }
  }

 private:
  gcm_context_data context_{};
};

class DirectChacha final : public Base {
 public:
  using Base::Base;
  void run(std::span<const RawPacket> packets) override {
    const IMB_MGR& m = *manager_;
    const auto update = encrypt_ ? m.chacha20_poly1305_enc_update : m.chacha20_poly1305_dec_update;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const RawPacket& p = packets[i];
      const void* k = schedule(key(p)).chacha.data();
      m.chacha20_poly1305_init(k, &context_, nonces_[i].nonce.data(), nonces_[i].aad.data(), 8);
      update(k, &context_, p.esp + head_, p.esp + head_, p.length - head_);
      m.chacha20_poly1305_finalize(&context_, tag(p, i), 16);
    }
  }

 private:
  chacha20_poly1305_context_data context_{};
};

class Jobs : public Base {
 public:
  using Base::Base;
  void run(std::span<const RawPacket> packets) override {
    IMB_MGR* m = manager_.get();
    for (std::size_t i = 0; i < packets.size(); ++i) {
      fill(*IMB_GET_NEXT_JOB(m), packets[i], i);
      for (IMB_JOB* done = IMB_SUBMIT_JOB_NOCHECK(m); done != nullptr;) done = IMB_GET_COMPLETED_JOB(m);
    }
    while (IMB_FLUSH_JOB(m) != nullptr) {
    }
  }

 protected:
  void fill(IMB_JOB& out, const RawPacket& p, std::size_t i) {
    const EspKey& k = key(p);
    out.src = p.esp;
    out.dst = p.esp + head_;
    out.cipher_direction = encrypt_ ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    out.chain_order = encrypt_ ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    out.key_len_in_bytes = k.key_octets;
    out.cipher_start_src_offset_in_bytes = head_;
    out.msg_len_to_cipher_in_bytes = p.length - head_;
    out.auth_tag_output = tag(p, i);
    out.auth_tag_output_len_in_bytes = k.digest_octets;
    switch (k.kind) {
      case EspKey::Kind::separate:
        fill_separate(out, k, p, i);
        break;
      case EspKey::Kind::chacha20_poly1305:
        out.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
        out.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
        out.enc_keys = out.dec_keys = schedule(k).chacha.data();
        out.u.CHACHA20_POLY1305.aad = nonces_[i].aad.data();
        out.u.CHACHA20_POLY1305.aad_len_in_bytes = 8;
        fill_aead(out, p, i);
        break;
      default:
        out.cipher_mode = IMB_CIPHER_GCM;
        out.hash_alg = IMB_AUTH_AES_GMAC;
        out.enc_keys = out.dec_keys = &schedule(k).gcm;
        out.u.GCM.aad = nonces_[i].aad.data();
        out.u.GCM.aad_len_in_bytes = 8;
        fill_aead(out, p, i);
        break;
    }
  }

 private:
  void fill_aead(IMB_JOB& out, const RawPacket& p, std::size_t i) {
    out.iv = nonces_[i].nonce.data();
    out.iv_len_in_bytes = 12;
    out.hash_start_src_offset_in_bytes = head_;
    out.msg_len_to_hash_in_bytes = p.length - head_;
  }
  void fill_separate(IMB_JOB& out, const EspKey& k, const RawPacket& p, std::size_t i) {
    const SeparateKeys& keys = schedule(k).separate;
    out.cipher_mode = static_cast<IMB_CIPHER_MODE>(k.cipher);
    out.hash_alg = static_cast<IMB_HASH_ALG>(k.hash);
    out.enc_keys = keys.aes.encrypt.data();
    out.dec_keys = keys.aes.decrypt.data();
    out.iv = p.esp + kSpiAndSequence;
    out.iv_len_in_bytes = k.iv_octets;
    if (out.cipher_mode == IMB_CIPHER_CNTR) {
      out.dec_keys = keys.aes.encrypt.data();
      out.iv = nonces_[i].nonce.data();
      out.iv_len_in_bytes = 16;
    } else if (out.cipher_mode == IMB_CIPHER_DES3) {
      out.enc_keys = out.dec_keys = keys.des3.pointers.data();
    }
    out.hash_start_src_offset_in_bytes = 0;
    out.msg_len_to_hash_in_bytes = p.length;
    if (out.hash_alg == IMB_AUTH_AES_XCBC) {
      out.u.XCBC._k1_expanded = keys.xcbc.k1.data();
      out.u.XCBC._k2 = keys.xcbc.k2.data();
      out.u.XCBC._k3 = keys.xcbc.k3.data();
    } else {
      out.u.HMAC._hashed_auth_key_xor_ipad = keys.hmac.inner.data();
      out.u.HMAC._hashed_auth_key_xor_opad = keys.hmac.outer.data();
    }
  }
};

class Burst final : public Jobs {
 public:
  using Jobs::Jobs;
  void run(std::span<const RawPacket> packets) override {
    IMB_MGR* m = manager_.get();
    const auto count = static_cast<std::uint32_t>(packets.size());
    while (IMB_GET_NEXT_BURST(m, count, jobs_.data()) < count) IMB_FLUSH_BURST(m, count, jobs_.data());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      fill(*jobs_[i], packets[i], i);
      set_session(*m, *jobs_[i]);
    }
    std::uint32_t done = IMB_SUBMIT_BURST_NOCHECK(m, count, jobs_.data());
    while (done < count) {
      const std::uint32_t more = IMB_FLUSH_BURST(m, count - done, jobs_.data());
      if (more == 0) break;
      done += more;
    }
  }

 private:
  std::array<IMB_JOB*, kMost> jobs_{};
};

class Split final : public Jobs {
 public:
  using Jobs::Jobs;
  void run(std::span<const RawPacket> packets) override {
    IMB_MGR* m = manager_.get();
    const auto count = static_cast<std::uint32_t>(packets.size());
    const EspKey& k = keys_[0];
    for (std::size_t i = 0; i < packets.size(); ++i) fill(jobs_[i], packets[i], i);
    const auto cipher = [&] {
      IMB_SUBMIT_CIPHER_BURST_NOCHECK(m, jobs_.data(), count, static_cast<IMB_CIPHER_MODE>(k.cipher),
                                      encrypt_ ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
                                      static_cast<IMB_KEY_SIZE_BYTES>(k.key_octets));
    };
    const auto hash = [&] {
      IMB_SUBMIT_HASH_BURST_NOCHECK(m, jobs_.data(), count, static_cast<IMB_HASH_ALG>(k.hash));
    };
    if (encrypt_) cipher();
    hash();
    if (!encrypt_) cipher();
  }

 private:
  std::array<IMB_JOB, kMost> jobs_{};
};

}  // namespace

std::string RawWay::name() const {
  constexpr std::array<const char*, 4> kApis = {"direct", "job", "burst", "split"};
  return std::string(crypto::name(level)) + "/" + kApis[static_cast<std::size_t>(api)];
}

std::vector<RawWay> RawCrypto::ways(const EspSuite& suite) {
  const bool aead = suite.integrity == Integrity::none;
  const bool cipher_bursts = suite.encryption == Encryption::aes_cbc || suite.encryption == Encryption::aes_ctr;
  const bool hash_bursts = suite.integrity != Integrity::hmac_md5_96 && suite.integrity != Integrity::aes_xcbc_96;
  std::vector<RawWay> out;
  for (const EspLevel level : {EspLevel::sse, EspLevel::avx2, EspLevel::avx512}) {
    if (!EspPlan::available(level)) continue;
    if (aead) out.push_back({level, RawApi::direct});
    out.push_back({level, RawApi::job});
    out.push_back({level, RawApi::burst});
    if (!aead && cipher_bursts && hash_bursts) out.push_back({level, RawApi::split});
  }
  return out;
}

std::unique_ptr<RawCrypto> RawCrypto::make(const EspSuite& suite, bool encrypt, RawWay way, std::size_t keys) {
  MbManager manager = make_manager(way.level);
  if (!manager) return nullptr;
  std::unique_ptr<Base> out;
  switch (way.api) {
    case RawApi::direct:
      if (suite.encryption == Encryption::chacha20_poly1305)
        out = std::make_unique<DirectChacha>(std::move(manager), encrypt);
      else
        out = std::make_unique<DirectGcm>(std::move(manager), encrypt);
      break;
    case RawApi::job:
      out = std::make_unique<Jobs>(std::move(manager), encrypt);
      break;
    case RawApi::burst:
      out = std::make_unique<Burst>(std::move(manager), encrypt);
      break;
    case RawApi::split:
      out = std::make_unique<Split>(std::move(manager), encrypt);
      break;
  }
  if (!out->expand(suite, keys)) return nullptr;
  return out;
}

}  // namespace causeway::bench
