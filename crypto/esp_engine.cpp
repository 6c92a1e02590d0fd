// The batch engine over IPsec-MB.
//
// AES-GCM goes through the library's direct calls, everything else through one of its managers' interfaces (EspApi), as
// the plan says, where lanes fill across SAs within one batch and are flushed before submit() returns: a lone packet never
// waits for company. All jobs are checked here first (lengths, multiples of the block) and then submitted
// unchecked: the library's own check drops a whole burst for one bad job, and unchecked it would read out
// of bounds. Tags are compared here, in constant time.
#include "crypto/esp_engine.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>

#include "crypto/esp_engine_mb.h"
#include "crypto/secrets.h"

namespace causeway::crypto {

namespace {

constexpr std::uint32_t kSpiAndSequence = 8;
constexpr std::size_t kMaxIcv = 32;

void store_be32(std::uint8_t* to, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof(value));
}

// Per job, while it is in the library's hands.
struct Scratch {
  alignas(16) std::array<std::uint8_t, 16> nonce;
  alignas(16) std::array<std::uint8_t, 16> aad;
  alignas(16) std::array<std::uint8_t, 64> tag;  // computed
  std::array<std::uint8_t, kMaxIcv> received;    // decrypt with ESN: its place is hashed over
};

// Constant sizes are a load and a store; a variable one becomes a string instruction.
void copy_icv(std::uint8_t* to, const std::uint8_t* from, std::size_t octets) {
  if (octets == 12)
    std::memcpy(to, from, 12);
  else if (octets == 16)
    std::memcpy(to, from, 16);
  else
    std::memcpy(to, from, octets);
}

// Time depends on the length alone. ICVs are 8 to 32 octets, multiples of 4.
bool same_tag(const std::uint8_t* a, const std::uint8_t* b, std::size_t octets) {
  if (octets == 16) {
    std::array<std::uint64_t, 2> x, y;
    std::memcpy(x.data(), a, 16);
    std::memcpy(y.data(), b, 16);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }
  std::uint32_t difference = 0;
  for (std::size_t i = 0; i < octets; i += 4) {
    std::uint32_t x, y;
    std::memcpy(&x, a + i, 4);
    std::memcpy(&y, b + i, 4);
    difference |= x ^ y;
  }
  return difference == 0;
}

bool acceptable(const EspJob& job) {
  const std::uint32_t head = kSpiAndSequence + job.key->iv_octets;
  if (job.length <= head || job.length > kMaxEspLength) return false;
  return ((job.length - head) & (job.key->block_octets - 1U)) == 0;  // blocks are powers of two
}

// Salt and the explicit IV (RFC 4106 4, RFC 7634 2); for CTR the block counter starts at 1 (RFC 3686 4).
// Written at once, since the library reads it at once: smaller pieces would have to reach the cache first.
void make_nonce(const EspJob& job, Scratch& scratch) {
  std::uint32_t salt;
  std::uint64_t iv;
  std::memcpy(&salt, job.key->salt.data(), 4);
  std::memcpy(&iv, job.esp + kSpiAndSequence, 8);
  const std::uint64_t low = salt | iv << 32, high = iv >> 32 | std::uint64_t{__builtin_bswap32(1)} << 32;
  _mm_store_si128(reinterpret_cast<__m128i*>(scratch.nonce.data()),
                  _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low)));
}

// SPI and sequence number, which is 64 bits wide with ESN (RFC 4106 5).
std::uint32_t make_aad(const EspJob& job, Scratch& scratch) {
  std::memcpy(scratch.aad.data(), job.esp, 4);
  if (!job.key->esn) {
    std::memcpy(scratch.aad.data() + 4, job.esp + 4, 4);
    return 8;
  }
  store_be32(scratch.aad.data() + 4, job.sequence_high);
  std::memcpy(scratch.aad.data() + 8, job.esp + 4, 4);
  return 12;
}

// RFC 4543: everything from SPI to trailer is authenticated, IV included, nothing encrypted; the high half
// of an extended sequence number stands between SPI and sequence number.
void compute_gmac(const IMB_MGR& manager, gcm_context_data& context, const EspJob& job, Scratch& scratch,
                  std::uint8_t* tag) {
  const gcm_key_data* key = &schedule(*job.key).gcm;
  const bool k128 = job.key->key_octets == 16, k192 = job.key->key_octets == 24;
  const auto init = k128 ? manager.gmac128_init : k192 ? manager.gmac192_init : manager.gmac256_init;
  const auto update = k128 ? manager.gmac128_update : k192 ? manager.gmac192_update : manager.gmac256_update;
  const auto finalize = k128 ? manager.gmac128_finalize : k192 ? manager.gmac192_finalize : manager.gmac256_finalize;
  make_nonce(job, scratch);
  init(key, &context, scratch.nonce.data(), 12);
  if (job.key->esn) {
    const std::uint32_t aad_octets = make_aad(job, scratch);
    update(key, &context, scratch.aad.data(), aad_octets);
    update(key, &context, job.esp + kSpiAndSequence, job.length - kSpiAndSequence);
  } else {
    update(key, &context, job.esp, job.length);
  }
  finalize(key, &context, tag, job.key->icv_octets);
}

void fill_gcm(const EspJob& job, Scratch& scratch, IMB_JOB& out) {
  out.u.GCM.aad_len_in_bytes = make_aad(job, scratch);
  out.u.GCM.aad = scratch.aad.data();
  out.cipher_mode = IMB_CIPHER_GCM;
  out.hash_alg = IMB_AUTH_AES_GMAC;
  out.enc_keys = out.dec_keys = &schedule(*job.key).gcm;
}

void fill_chacha(const EspJob& job, Scratch& scratch, IMB_JOB& out) {
  out.u.CHACHA20_POLY1305.aad_len_in_bytes = make_aad(job, scratch);
  out.u.CHACHA20_POLY1305.aad = scratch.aad.data();
  out.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
  out.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
  out.enc_keys = out.dec_keys = schedule(*job.key).chacha.data();
}

void fill_aead(const EspJob& job, Scratch& scratch, IMB_JOB& out) {
  const std::uint32_t head = kSpiAndSequence + job.key->iv_octets;
  if (job.key->kind == EspKey::Kind::gcm)
    fill_gcm(job, scratch, out);
  else
    fill_chacha(job, scratch, out);
  make_nonce(job, scratch);
  out.key_len_in_bytes = job.key->key_octets;
  out.iv = scratch.nonce.data();
  out.iv_len_in_bytes = 12;
  out.dst = job.esp + head;
  out.cipher_start_src_offset_in_bytes = out.hash_start_src_offset_in_bytes = head;
  out.msg_len_to_cipher_in_bytes = out.msg_len_to_hash_in_bytes = job.length - head;
}

void fill_cipher(const EspJob& job, Scratch& scratch, bool encrypt, IMB_JOB& out) {
  const EspKey& key = *job.key;
  const SeparateKeys& keys = schedule(key).separate;
  out.cipher_mode = static_cast<IMB_CIPHER_MODE>(key.cipher);
  out.key_len_in_bytes = key.key_octets;
  std::uint32_t start = kSpiAndSequence + key.iv_octets;
  out.iv_len_in_bytes = key.iv_octets;
  switch (out.cipher_mode) {
    case IMB_CIPHER_CNTR:
      make_nonce(job, scratch);
      out.enc_keys = out.dec_keys = keys.aes.encrypt.data();
      out.iv = scratch.nonce.data();
      out.iv_len_in_bytes = 16;
      break;
    case IMB_CIPHER_CBC:
      out.enc_keys = keys.aes.encrypt.data();
      out.dec_keys = keys.aes.decrypt.data();
      out.iv = job.esp + kSpiAndSequence;
      break;
    case IMB_CIPHER_DES3:
      out.enc_keys = out.dec_keys = keys.des3.pointers.data();
      out.iv = job.esp + kSpiAndSequence;
      break;
    default:  // NULL
      out.iv = nullptr;
      break;
  }
  if (encrypt && key.iv_is_encrypted) {  // the block at the IV's place becomes the IV: see EspJob
    start = kSpiAndSequence;
    out.iv = key.iv_seed.data();
  }
  out.dst = job.esp + start;
  out.cipher_start_src_offset_in_bytes = start;
  out.msg_len_to_cipher_in_bytes = job.length - start;
}

// RFC 4303 2.2.1: with ESN the high half follows the trailer, where the ICV sits on the wire.
void fill_hash(const EspJob& job, Scratch& scratch, bool encrypt, IMB_JOB& out) {
  const SeparateKeys& keys = schedule(*job.key).separate;
  out.hash_alg = static_cast<IMB_HASH_ALG>(job.key->hash);
  out.hash_start_src_offset_in_bytes = 0;
  out.msg_len_to_hash_in_bytes = job.length;
  if (!encrypt) copy_icv(scratch.received.data(), job.esp + job.length, job.key->icv_octets);
  if (job.key->esn) {
    store_be32(job.esp + job.length, job.sequence_high);
    out.msg_len_to_hash_in_bytes += 4;
  }
  if (out.hash_alg == IMB_AUTH_AES_XCBC) {
    out.u.XCBC._k1_expanded = keys.xcbc.k1.data();
    out.u.XCBC._k2 = keys.xcbc.k2.data();
    out.u.XCBC._k3 = keys.xcbc.k3.data();
  } else {
    out.u.HMAC._hashed_auth_key_xor_ipad = keys.hmac.inner.data();
    out.u.HMAC._hashed_auth_key_xor_opad = keys.hmac.outer.data();
  }
}

void settle(EspJob& job, const Scratch& scratch, bool encrypt) {
  const std::size_t octets = job.key->icv_octets;
  std::uint8_t* icv = job.esp + job.length;
  if (encrypt) {
    copy_icv(icv, scratch.tag.data(), octets);
    job.status = EspJob::Status::ok;
    return;
  }
  const bool saved = job.key->kind == EspKey::Kind::separate;
  job.status = same_tag(scratch.tag.data(), saved ? scratch.received.data() : icv, octets) ? EspJob::Status::ok
                                                                                           : EspJob::Status::icv_failed;
}

}  // namespace

namespace {
constexpr std::array<std::string_view, kEspLevels> kLevelNames = {"sse", "avx2", "avx512"};
constexpr std::array<std::string_view, kEspApis> kApiNames = {"direct", "job", "burst", "split"};

template <typename T>
std::optional<T> named(std::span<const std::string_view> names, std::string_view name) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) return std::nullopt;
  return static_cast<T>(it - names.begin());
}
}  // namespace

std::string_view name(EspLevel level) { return kLevelNames[static_cast<std::size_t>(level)]; }
std::string_view name(EspApi api) { return kApiNames[static_cast<std::size_t>(api)]; }
std::optional<EspLevel> level_of(std::string_view name) { return named<EspLevel>(kLevelNames, name); }
std::optional<EspApi> api_of(std::string_view name) { return named<EspApi>(kApiNames, name); }

MbManager make_manager(EspLevel level) {
  MbManager manager(alloc_mb_mgr(0));
  if (!manager) return manager;
  constexpr std::array<std::uint64_t, kEspLevels> kNeeds = {IMB_CPUFLAGS_SSE, IMB_CPUFLAGS_AVX2, IMB_CPUFLAGS_AVX512};
  constexpr std::array<void (*)(IMB_MGR*), kEspLevels> kInit = {init_mb_mgr_sse, init_mb_mgr_avx2, init_mb_mgr_avx512};
  const auto index = static_cast<std::size_t>(level);
  if ((manager->features & kNeeds[index]) != kNeeds[index]) return nullptr;
  kInit[index](manager.get());
  const bool tested = (manager->features & IMB_FEATURE_SELF_TEST) != 0;
  const bool passed = (manager->features & IMB_FEATURE_SELF_TEST_PASS) != 0;
  if (imb_get_errno(manager.get()) != 0 || (tested && !passed)) return nullptr;
  return manager;
}

struct EspEngine::Impl {
  MbManagers managers;
  EspPlan plan;
  EspBatch* first = nullptr;  // finished, oldest first
  EspBatch* last = nullptr;
  gcm_context_data context{};
  std::array<Scratch, EspBatch::kMax> scratch{};
  // By level, key length and direction (encrypt second); null where the level is not used.
  std::array<std::array<std::array<aes_gcm_enc_dec_t, 2>, 3>, kEspLevels> gcm_calls{};
  std::array<IMB_JOB, EspBatch::kMax> jobs{};  // for the split interface; the others bring their own

  using Indices = std::span<const std::uint8_t>;  // of a batch's jobs
  void find_calls();
  void process(EspBatch& batch);
  static constexpr std::size_t kAhead = 3;  // packets whose keys come nearer meanwhile, where each has another
  [[nodiscard]] aes_gcm_enc_dec_t call_for(const EspKey& key, const EspBatch& batch) const;
  void direct(aes_gcm_enc_dec_t call, EspJob& job, bool encrypt);
  void one(EspBatch& batch, std::size_t index, std::uint8_t* queued, std::size_t& waiting);
  void queue(EspBatch& batch, Indices all);
  void by_jobs(IMB_MGR& manager, EspBatch& batch, Indices group);
  void by_burst(IMB_MGR& manager, EspBatch& batch, Indices group);
  void by_split(IMB_MGR& manager, EspBatch& batch, Indices group);
  void fill(EspBatch& batch, std::size_t index, IMB_JOB& out);
  void finish(EspBatch& batch, const IMB_JOB& done);
  ~Impl() {
    wipe({reinterpret_cast<std::uint8_t*>(&context), sizeof(context)});
    wipe({reinterpret_cast<std::uint8_t*>(scratch.data()), sizeof(scratch)});
  }
};

void EspEngine::Impl::find_calls() {
  for (std::size_t level = 0; level < kEspLevels; ++level) {
    const IMB_MGR* m = managers.by_level[level].get();
    if (m == nullptr) continue;
    gcm_calls[level] = {{{m->gcm128_dec, m->gcm128_enc}, {m->gcm192_dec, m->gcm192_enc}, {m->gcm256_dec, m->gcm256_enc}}};
  }
}

// nullptr where packets with this key do not go by direct calls.
aes_gcm_enc_dec_t EspEngine::Impl::call_for(const EspKey& key, const EspBatch& batch) const {
  if (key.kind != EspKey::Kind::gcm || plan.choice(key.family, batch.count, 0).api != EspApi::direct) return nullptr;
  const bool encrypt = batch.direction == EspBatch::Direction::encrypt;
  return gcm_calls[static_cast<std::size_t>(key.level)][key.key_octets / 8U - 2U][encrypt ? 1 : 0];
}

// AES-GCM by one call a packet. What the library reads and writes is the packet itself, where it has the shape: SPI and
// sequence number as they stand are the additional data, the tag to send goes behind the ciphertext. One scratch does for
// all, and stays in the nearest cache.
void EspEngine::Impl::direct(aes_gcm_enc_dec_t call, EspJob& job, bool encrypt) {
  Scratch& own = scratch[0];
  const EspKey& key = *job.key;
  make_nonce(job, own);
  const std::uint8_t* aad = job.esp;
  std::uint64_t aad_octets = kSpiAndSequence;
  if (key.esn) {
    aad_octets = make_aad(job, own);
    aad = own.aad.data();
  }
  std::uint8_t* text = job.esp + kSpiAndSequence + key.iv_octets;
  std::uint8_t* icv = job.esp + job.length;
  call(&schedule(key).gcm, &context, text, text, static_cast<std::uint64_t>(icv - text), own.nonce.data(), aad, aad_octets,
       encrypt ? icv : own.tag.data(), key.icv_octets);
  job.status = encrypt || same_tag(own.tag.data(), icv, key.icv_octets) ? EspJob::Status::ok : EspJob::Status::icv_failed;
}

void EspEngine::Impl::finish(EspBatch& batch, const IMB_JOB& done) {
  const auto index = reinterpret_cast<std::uintptr_t>(done.user_data);
  EspJob& job = batch.jobs[index];
  if (done.status == IMB_STATUS_COMPLETED)
    settle(job, scratch[index], batch.direction == EspBatch::Direction::encrypt);
  else
    job.status = EspJob::Status::refused;
}

void EspEngine::Impl::fill(EspBatch& batch, std::size_t index, IMB_JOB& out) {
  const bool encrypt = batch.direction == EspBatch::Direction::encrypt;
  const EspJob& job = batch.jobs[index];
  out.src = job.esp;
  out.cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
  out.chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
  out.auth_tag_output = scratch[index].tag.data();
  out.auth_tag_output_len_in_bytes = job.key->digest_octets;
  out.user_data = reinterpret_cast<void*>(index);
  if (job.key->kind == EspKey::Kind::separate) {
    fill_cipher(job, scratch[index], encrypt, out);
    fill_hash(job, scratch[index], encrypt, out);
  } else {
    fill_aead(job, scratch[index], out);
  }
}

void EspEngine::Impl::by_jobs(IMB_MGR& manager, EspBatch& batch, Indices group) {
  for (const std::uint8_t index : group) {
    fill(batch, index, *IMB_GET_NEXT_JOB(&manager));
    for (IMB_JOB* done = IMB_SUBMIT_JOB_NOCHECK(&manager); done != nullptr; done = IMB_GET_COMPLETED_JOB(&manager))
      finish(batch, *done);
  }
  while (IMB_JOB* done = IMB_FLUSH_JOB(&manager)) finish(batch, *done);
}

// The manager is empty between batches and takes more than a batch has, so there is always room.
void EspEngine::Impl::by_burst(IMB_MGR& manager, EspBatch& batch, Indices group) {
  std::array<IMB_JOB*, EspBatch::kMax> list;
  const auto count = static_cast<std::uint32_t>(group.size());
  if (IMB_GET_NEXT_BURST(&manager, count, list.data()) < count) return by_jobs(manager, batch, group);
  for (std::uint32_t i = 0; i < count; ++i) {
    fill(batch, group[i], *list[i]);
    set_session(manager, *list[i]);
  }
  std::uint32_t done = IMB_SUBMIT_BURST_NOCHECK(&manager, count, list.data());
  for (std::uint32_t i = 0; i < done; ++i) finish(batch, *list[i]);
  while (done < count) {
    const std::uint32_t more = IMB_FLUSH_BURST(&manager, count - done, list.data());
    if (more == 0) return;
    for (std::uint32_t i = 0; i < more; ++i) finish(batch, *list[i]);
    done += more;
  }
}

// Both halves complete all they are given before they return.
void EspEngine::Impl::by_split(IMB_MGR& manager, EspBatch& batch, Indices group) {
  const bool encrypt = batch.direction == EspBatch::Direction::encrypt;
  const EspKey& key = *batch.jobs[group[0]].key;
  const auto count = static_cast<std::uint32_t>(group.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    fill(batch, group[i], jobs[i]);
    jobs[i].status = IMB_STATUS_BEING_PROCESSED;
  }
  const auto cipher = [&] {
    IMB_SUBMIT_CIPHER_BURST_NOCHECK(&manager, jobs.data(), count, IMB_CIPHER_CBC,
                                    encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
                                    static_cast<IMB_KEY_SIZE_BYTES>(key.key_octets));
  };
  if (encrypt) cipher();
  IMB_SUBMIT_HASH_BURST_NOCHECK(&manager, jobs.data(), count, static_cast<IMB_HASH_ALG>(key.hash));
  if (!encrypt) cipher();
  for (const std::uint8_t index : group) settle(batch.jobs[index], scratch[index], encrypt);
}

// What goes through the manager, in groups of one suite (nearly always one group), so that its lanes fill.
void EspEngine::Impl::queue(EspBatch& batch, Indices all) {
  const auto like = [&batch](std::uint8_t a, std::uint8_t b) {
    const EspKey &x = *batch.jobs[a].key, &y = *batch.jobs[b].key;
    return x.family == y.family && x.cipher == y.cipher && x.key_octets == y.key_octets && x.kind == y.kind;
  };
  std::array<std::uint8_t, EspBatch::kMax> group, rest;
  std::array<std::uint8_t, EspBatch::kMax> left;
  std::copy(all.begin(), all.end(), left.begin());
  for (std::size_t waiting = all.size(); waiting != 0;) {
    std::size_t n = 0, others = 0;
    std::uint32_t octets = 0;
    for (std::size_t i = 0; i < waiting; ++i) {
      if (like(left[0], left[i])) {
        group[n++] = left[i];
        octets += batch.jobs[left[i]].length;
      } else {
        rest[others++] = left[i];
      }
    }
    const EspKey& key = *batch.jobs[group[0]].key;
    EspPlan::Choice choice = plan.choice(key.family, static_cast<std::uint32_t>(n), octets);
    if (key.kind == EspKey::Kind::gcm) choice.level = key.level;
    if (choice.api == EspApi::split && key.cipher != IMB_CIPHER_CBC) choice.api = EspApi::burst;
    IMB_MGR* manager = managers.get(choice.level);
    if (manager == nullptr) manager = managers.get(key.level);
    const Indices members(group.data(), n);
    switch (choice.api) {
      case EspApi::direct:
      case EspApi::job:
        by_jobs(*manager, batch, members);
        break;
      case EspApi::burst:
        by_burst(*manager, batch, members);
        break;
      case EspApi::split:
        by_split(*manager, batch, members);
        break;
    }
    std::copy_n(rest.begin(), others, left.begin());
    waiting = others;
  }
}

void EspEngine::Impl::process(EspBatch& batch) {
  const bool encrypt = batch.direction == EspBatch::Direction::encrypt;
  std::array<std::uint8_t, EspBatch::kMax> queued;
  std::size_t waiting = 0;
  const EspKey* known = nullptr;
  aes_gcm_enc_dec_t call = nullptr;  // of the key that is known
  for (std::size_t i = 0; i < batch.count; ++i) {
    EspJob& job = batch.jobs[i];
    if (i + kAhead < batch.count && batch.jobs[i + kAhead].key != job.key)
      prefetch(*batch.jobs[i + kAhead].key, batch.jobs[i + kAhead].length);
    if (job.key != known) {
      known = job.key;
      call = call_for(*known, batch);
    }
    if (call == nullptr)
      one(batch, i, queued.data(), waiting);
    else if (acceptable(job)) [[likely]]
      direct(call, job, encrypt);
    else
      job.status = EspJob::Status::refused;
  }
  if (waiting != 0) queue(batch, {queued.data(), waiting});
}

// What is not AES-GCM by direct calls: most of it waits for its group.
void EspEngine::Impl::one(EspBatch& batch, std::size_t index, std::uint8_t* queued, std::size_t& waiting) {
  EspJob& job = batch.jobs[index];
  IMB_MGR* manager = managers.get(job.key->level);
  job.status = EspJob::Status::refused;
  if (manager == nullptr || !acceptable(job)) return;
  switch (job.key->kind) {
    case EspKey::Kind::gmac:
      compute_gmac(*manager, context, job, scratch[index], scratch[index].tag.data());
      return settle(job, scratch[index], batch.direction == EspBatch::Direction::encrypt);
    case EspKey::Kind::gcm:
    case EspKey::Kind::chacha20_poly1305:
    case EspKey::Kind::separate:
      job.status = EspJob::Status::pending;
      queued[waiting++] = static_cast<std::uint8_t>(index);
      return;
    case EspKey::Kind::none:
      return;
  }
}

EspEngine::EspEngine(const EspPlan& plan) : impl_(std::make_unique<Impl>()) {
  impl_->plan = plan;
  for (std::size_t i = 0; i < kEspLevels; ++i)
    if (plan.uses(static_cast<EspLevel>(i))) impl_->managers.by_level[i] = make_manager(static_cast<EspLevel>(i));
  impl_->find_calls();
}
void EspEngine::follow(const EspPlan& plan) { impl_->plan = plan; }
EspEngine::~EspEngine() = default;
EspEngine::EspEngine(EspEngine&&) noexcept = default;
EspEngine& EspEngine::operator=(EspEngine&&) noexcept = default;

tl::expected<void, std::string> EspEngine::expand(const EspSuite& suite, std::span<const std::uint8_t> encryption_key,
                                                  std::span<const std::uint8_t> integrity_key,
                                                  std::span<const std::uint8_t, 16> iv_seed, EspKey& out) const {
  out = EspKey{};
  out.level = impl_->plan.level(suite);
  std::memcpy(out.iv_seed.data(), iv_seed.data(), iv_seed.size());
  const IMB_MGR* manager = impl_->managers.get(out.level);
  if (manager == nullptr) return tl::unexpected(std::string("IPsec-MB does not run on this CPU"));
  return expand_key(*manager, suite, encryption_key, integrity_key, out);
}

void EspEngine::submit(EspBatch& batch) {
  impl_->process(batch);
  batch.next = nullptr;
  (impl_->last != nullptr ? impl_->last->next : impl_->first) = &batch;
  impl_->last = &batch;
}

EspBatch* EspEngine::collect() {
  EspBatch* batch = impl_->first;
  if (batch == nullptr) return nullptr;
  impl_->first = batch->next;
  if (impl_->first == nullptr) impl_->last = nullptr;
  return batch;
}

}  // namespace causeway::crypto
