// Known answers through the batch engine, at every vector level this CPU has, encrypting and decrypting;
// then what one bad job does to its batch, and what the comparison of tags lets through.
#include "crypto/esp_engine.h"

#include <algorithm>
#include <random>
#include <set>

#include "test/support/catch.h"
#include "test/support/esp_reference.h"

using namespace causeway::crypto;
using causeway::test::Bytes;
using causeway::test::from_hex;
using causeway::test::to_hex;

namespace {

std::vector<EspLevel> levels() {
  std::vector<EspLevel> out;
  for (const EspLevel level : {EspLevel::sse, EspLevel::avx2, EspLevel::avx512})
    if (EspPlan::available(level)) out.push_back(level);
  return out;
}

const EncryptionInfo& cipher(std::string_view name) {
  for (const auto& row : encryptions())
    if (row.name == name) return row;
  throw std::runtime_error("no such cipher");
}
const IntegrityInfo& integrity(std::string_view name) {
  for (const auto& row : integrities())
    if (row.name == name) return row;
  throw std::runtime_error("no such integrity");
}
EspSuite suite(std::string_view c, std::string_view i, bool esn = false) {
  return {cipher(c).id, cipher(c).key_bits, i.empty() ? Integrity::none : integrity(i).id, esn};
}

struct Vector {
  const char* name;
  const char *cipher, *integrity;
  const char *key, *integrity_key;  // cipher key and salt
  const char* header;               // SPI, sequence number
  const char *iv, *plain, *sealed;
  const char* icv;             // nullptr: the source has none, so the reference's is taken
  const char* high = nullptr;  // high half of the sequence number: ESN
};

constexpr std::array<std::uint8_t, 16> kSeed = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11, 22, 33, 44, 55, 66};

struct Keyed {
  EspEngine engine;
  EspKey key;
  Keyed(EspLevel level, const EspSuite& s, const Bytes& encryption, const Bytes& authentication)
      : engine(EspPlan::fixed(level)) {
    REQUIRE(engine.expand(s, encryption, authentication, kSeed, key));
  }
  EspJob::Status run(EspBatch::Direction direction, Bytes& esp, std::uint32_t length, std::uint32_t high) {
    EspBatch batch;
    batch.direction = direction;
    EspJob& job = batch.add();
    job.key = &key;
    job.esp = esp.data();
    job.length = length;
    job.sequence_high = high;
    engine.submit(batch);
    REQUIRE(engine.collect() == &batch);
    REQUIRE(engine.collect() == nullptr);
    return batch.jobs[0].status;
  }
};

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

std::uint32_t number(const char* hex) {
  return hex == nullptr ? 0 : static_cast<std::uint32_t>(std::strtoul(hex, nullptr, 16));
}

// What must stand at the IV's place for the engine to make exactly this IV: CBC's is an encrypted number.
Bytes before_iv(const Vector& v, const Bytes& iv, bool encrypted) {
  if (!encrypted) return iv;
  Bytes out = causeway::test::reference_block_decrypt(v.cipher, from_hex(v.key), iv);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= kSeed[i];
  return out;
}

void check(const Vector& v) {
  const EspSuite s = suite(v.cipher, v.integrity, v.high != nullptr);
  const Bytes key = from_hex(v.key), integrity_key = from_hex(v.integrity_key), header = from_hex(v.header);
  const Bytes iv = from_hex(v.iv), plain = from_hex(v.plain), sealed = from_hex(v.sealed);
  const Bytes high = v.high != nullptr && s.integrity != Integrity::none ? from_hex(v.high) : Bytes{};
  const Bytes icv = v.icv != nullptr ? from_hex(v.icv)
                                     : causeway::test::reference_integrity(v.integrity, integrity_key,
                                                                           join({header, iv, sealed, high}),
                                                                           integrity(v.integrity).icv_octets);
  const auto length = static_cast<std::uint32_t>(header.size() + iv.size() + plain.size());
  for (const EspLevel level : levels()) {
    INFO(v.name << " at " << name(level));
    Keyed keyed(level, s, key, integrity_key);
    REQUIRE(keyed.key.icv_octets == icv.size());
    Bytes esp = join({header, before_iv(v, iv, keyed.key.iv_is_encrypted), plain, Bytes(icv.size())});
    REQUIRE(keyed.run(EspBatch::Direction::encrypt, esp, length, number(v.high)) == EspJob::Status::ok);
    CHECK(to_hex(esp) == to_hex(join({header, iv, sealed, icv})));
    esp = join({header, iv, sealed, icv});
    REQUIRE(keyed.run(EspBatch::Direction::decrypt, esp, length, number(v.high)) == EspJob::Status::ok);
    esp.resize(length);
    CHECK(to_hex(esp) == to_hex(join({header, iv, plain})));
  }
}

constexpr const char* kMac20 = "000102030405060708090a0b0c0d0e0f10111213";

}  // namespace

TEST_CASE("AES-CBC known answers of RFC 3602: single blocks, transport and tunnel packets") {
  const Vector vectors[] = {
      {"case 1", "aes128", "sha1", "06a9214036b8a15b512e03d534120006", kMac20, "0000432100000001",
       "3dafba429d9eb430b422da802c9fac41", "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a",
       nullptr},
      {"case 2", "aes128", "sha1", "c286696d887c9aa0611bbb3e2025a45a", kMac20, "0000432100000001",
       "562e17996d093d28ddb3ba695a2e6f58", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
       "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1", nullptr},
      {"case 3", "aes128", "sha1", "6c3ea0477630ce21a2ce334aa746c2cd", kMac20, "0000432100000001",
       "c782dc4c098c66cbd9cd27d825682c81",
       "5468697320697320612034382d62797465206d657373616765202865786163746c7920332041455320626c6f636b7329",
       "d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5021c19216bad525c8579695d83ba2684", nullptr},
      {"case 4", "aes128", "sha1", "56e47a38c5598974bc46903dba290349", kMac20, "0000432100000001",
       "8ce82eefbea0da3c44699ed7db51b7d9",
       "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
       "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
       "c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e"
       "35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55",
       nullptr},
      {"case 5, transport mode", "aes128", "sha1", "90d382b410eeba7ad938c46cec1a82bf", kMac20, "0000432100000001",
       "e96e8c08ab465763fd098d45dd3ff893",
       "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617"
       "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
       "0102030405060708090a0b0c0d0e0e01",
       "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
       "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
       "a269add047ad2d5913ac19b7cfbad4a6",
       nullptr},
      {"case 6, transport mode", "aes128", "sha1", "90d382b410eeba7ad938c46cec1a82bf", kMac20, "0000432100000008",
       "69d08df7d203329db093fc4924e5bd80", "0800b5e8a80a0500a69c083d0b660e0077777777777777777777777701020201",
       "f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75", nullptr},
      {"case 7, tunnel mode", "aes128", "sha256", "0123456789abcdef0123456789abcdef",
       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "0000876500000002",
       "f4e765244f6407adf13dc1380f673f37",
       "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f10111213"
       "1415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536370102030405060708090a0a04",
       "773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c6"
       "47752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d",
       nullptr},
      {"case 8, tunnel mode", "aes128", "sha256", "0123456789abcdef0123456789abcdef",
       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "0000876500000005",
       "85d47224b5f3dd5d2101d4ea8dffab22",
       "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffffffffffffffffffff"
       "ffffffffffffffffffffffffffffffffffffffff0102030405060708090a0a04",
       "15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639"
       "b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892",
       nullptr},
  };
  for (const Vector& v : vectors) check(v);
}

TEST_CASE("AES-CTR known answers of RFC 3686") {
  constexpr const char* kMac = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  constexpr const char* kRamp32 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  constexpr const char* kRamp36 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223";
  constexpr const char* kText = "53696e676c6520626c6f636b206d7367";
  const Vector vectors[] = {
      {"1", "aes128ctr", "sha256", "ae6852f8121067cc4bf7a5765577f39e00000030", kMac, "1000000000000001",
       "0000000000000000", kText, "e4095d4fb7a7b3792d6175a3261311b8", nullptr},
      {"2", "aes128ctr", "sha256", "7e24067817fae0d743d6ce1f32539163006cb6db", kMac, "1000000000000001",
       "c0543b59da48d90b", kRamp32, "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28", nullptr},
      {"3", "aes128ctr", "sha256", "7691be035e5020a8ac6e618529f9a0dc00e0017b", kMac, "1000000000000001",
       "27777f3f4a1786f0", kRamp36, "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f",
       nullptr},
      {"4", "aes192ctr", "sha256", "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048", kMac, "1000000000000001",
       "36733c147d6d93cb", kText, "4b55384fe259c9c84e7935a003cbe928", nullptr},
      {"5", "aes192ctr", "sha256", "7c5cb2401b3dc33c19e7340819e0f69c678c3db8e6f6a91a0096b03b", kMac, "1000000000000001",
       "020c6eadc2cb500d", kRamp32, "453243fc609b23327edfaafa7131cd9f8490701c5ad4a79cfc1fe0ff42f4fb00", nullptr},
      {"6", "aes192ctr", "sha256", "02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe0007bdfd", kMac, "1000000000000001",
       "5cbd60278dcc0912", kRamp36, "96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935",
       nullptr},
      {"7", "aes256ctr", "sha256", "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060", kMac,
       "1000000000000001", "db5672c97aa8f0b2", kText, "145ad01dbf824ec7560863dc71e3e0c0", nullptr},
      {"8", "aes256ctr", "sha256", "f6d66d6bd52d59bb0796365879eff886c66dd51a5b6a99744b50590c87a2388400faac24", kMac,
       "1000000000000001", "c1585ef15a43d875", kRamp32,
       "f05e231b3894612c49ee000b804eb2a9b8306b508f839d6a5530831d9344af1c", nullptr},
      {"9", "aes256ctr", "sha256", "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d001cc5b7", kMac,
       "1000000000000001", "51a51d70a1c11148", kRamp36,
       "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8", nullptr},
  };
  for (const Vector& v : vectors) check(v);
}

TEST_CASE("AES-GCM packets of draft-mcgrew-gcm-test-01: 128, 192 and 256 bits, with and without ESN") {
  const Vector vectors[] = {
      {"128, ESN", "aes128gcm16", "", "4c80cdefbb5d10da906ac73c3613a6342e443b68", "", "0000432100000000",
       "4956ed7e3b244cfe",
       "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f75647003736970"
       "0963796265726369747902646b000021000101020201",
       "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b2"
       "1e1884f5ff6247aeabb786b93bce61bc17d768fd9732",
       "459018148f6cbe722fd04796562dfdb4", "87654321"},
      {"192", "aes192gcm16", "", "feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe", "", "0000a5f80000000a",
       "facedbaddecaf888", "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
       "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
       "95457b9652037f5318027b5b4cd7a636"},
      {"256", "aes256gcm16", "", "abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344", "",
       "4a2cbfe300000002", "0102030405060708",
       "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201",
       "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8e",
       "b335f4eecfdbf831824b4c4915956c96"},
  };
  for (const Vector& v : vectors) check(v);
}

TEST_CASE("the ChaCha20-Poly1305 packet of RFC 7634 appendix A") {
  check({"appendix A", "chacha20poly1305", "",
         "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3", "", "0102030400000005",
         "1011121314151617",
         "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f10111213"
         "1415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204",
         "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f7"
         "2aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0",
         "76aaa8266b7fb0f7b11b369907e1ad43"});
}

// With the NULL cipher the engine hashes exactly the octets it is given: any message of at least 12 octets and
// a multiple of four. A key shorter than HMAC's block is the same key with zeros behind it (RFC 2104 2).
TEST_CASE("HMAC known answers of RFC 4231, RFC 2202 and XCBC of RFC 3566 through the engine") {
  struct Answer {
    const char *name, *integrity, *key, *message, *mac;
  };
  constexpr const char* kJefe = "4a656665";
  constexpr const char* kWhat = "7768617420646f2079612077616e7420666f72206e6f7468696e673f";
  constexpr const char* kOc = "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c";
  constexpr const char* kTruncation = "546573742057697468205472756e636174696f6e";
  constexpr const char* kRamp = "000102030405060708090a0b0c0d0e0f";
  const Answer answers[] = {
      {"RFC 4231 case 2", "sha256", kJefe, kWhat, "5bdcc146bf60754e6a042426089575c7"},
      {"RFC 4231 case 2", "sha256_96", kJefe, kWhat, "5bdcc146bf60754e6a042426"},
      {"RFC 4231 case 2", "sha384", kJefe, kWhat, "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47"},
      {"RFC 4231 case 2", "sha512", kJefe, kWhat, "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"},
      {"RFC 4231 case 5", "sha256", kOc, kTruncation, "a3b6167473100ee06e0c796c2955552b"},
      {"RFC 4231 case 5", "sha384", kOc, kTruncation, "3abf34c3503b2a23a46efc619baef897"},
      {"RFC 4231 case 5", "sha512", kOc, kTruncation, "415fad6271580a531d4179bc891d87a6"},
      {"RFC 2202 case 2", "sha1", kJefe, kWhat, "effcdf6ae5eb2fa2d27416d5"},
      {"RFC 2202 case 2", "md5", kJefe, kWhat, "750c783e6ab0b503eaa86e31"},
      {"RFC 3566 case 3", "aesxcbc", kRamp, kRamp, "d2a246fa349b68a79998a439"},
      {"RFC 3566 case 4", "aesxcbc", kRamp, "000102030405060708090a0b0c0d0e0f10111213", "47f51b4564966215b8985c63"},
      {"RFC 3566 case 5", "aesxcbc", kRamp, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
       "f54f0ec8d2b9f3d36807734b"},
  };
  for (const Answer& a : answers) {
    for (const EspLevel level : levels()) {
      INFO(a.name << " " << a.integrity << " at " << name(level));
      const IntegrityInfo& row = integrity(a.integrity);
      Bytes key = from_hex(a.key);
      key.resize(row.key_octets);
      Keyed keyed(level, suite("null", a.integrity), {}, key);
      Bytes esp = from_hex(a.message);
      const auto length = static_cast<std::uint32_t>(esp.size());
      esp.resize(length + row.icv_octets);
      REQUIRE(keyed.run(EspBatch::Direction::encrypt, esp, length, 0) == EspJob::Status::ok);
      const Bytes expected = from_hex(a.mac);  // the RFC may print fewer octets than go on the wire
      CHECK(to_hex(std::span(esp).subspan(length, std::min(expected.size(), std::size_t{row.icv_octets}))) ==
            to_hex(expected));
      CHECK(keyed.run(EspBatch::Direction::decrypt, esp, length, 0) == EspJob::Status::ok);
    }
  }
}

TEST_CASE("the reference agrees with every case of RFC 4231 that ESP's keys can express") {
  const auto mac = [](const char* name, const Bytes& key, const Bytes& message) {
    return to_hex(causeway::test::reference_integrity(name, key, message, 16));
  };
  const Bytes hi = from_hex("4869205468657265"), dd(50, 0xdd), cd(50, 0xcd);
  CHECK(mac("sha256", Bytes(20, 0x0b), hi) == "b0344c61d8db38535ca8afceaf0bf12b");
  CHECK(mac("sha384", Bytes(20, 0x0b), hi) == "afd03944d84895626b0825f4ab46907f");
  CHECK(mac("sha512", Bytes(20, 0x0b), hi) == "87aa7cdea5ef619d4ff0b4241a1d6cb0");
  CHECK(mac("sha256", Bytes(20, 0xaa), dd) == "773ea91e36800e46854db8ebd09181a7");
  CHECK(mac("sha384", Bytes(20, 0xaa), dd) == "88062608d3e6ad8a0aa2ace014c8a86f");
  CHECK(mac("sha512", Bytes(20, 0xaa), dd) == "fa73b0089d56a284efb0f0756c890be9");
  const Bytes ramp = from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819");
  CHECK(mac("sha256", ramp, cd) == "82558a389a443c0ea4cc819899f2083a");
  CHECK(mac("sha384", ramp, cd) == "3e8a69b7783c25851933ab6290af6ca7");
  CHECK(mac("sha512", ramp, cd) == "b0ba465637458c6990e5a8c5f61d4af7");
  const Bytes xcbc = from_hex("000102030405060708090a0b0c0d0e0f");
  CHECK(mac("aesxcbc", xcbc, {}) == "75f0251d528ac01c4573dfd584d79f29");
  CHECK(mac("aesxcbc", xcbc, from_hex("000102")) == "5b376580ae2f19afe7219ceef172756f");
}

TEST_CASE("one bad job in a batch is refused, and every other job of the batch is right") {
  std::mt19937 random(5);
  for (const EspLevel level : levels()) {
    for (const char* name : {"aes128gcm16", "aes256", "3des", "null", "chacha20poly1305", "aes128ctr"}) {
      const EncryptionInfo& c = cipher(name);
      const bool aead = c.aead();
      INFO(name << " at " << causeway::crypto::name(level));
      Keyed keyed(level, suite(name, aead ? "" : "sha256"), Bytes(std::size_t{c.key_octets} + c.salt_octets, 0x42),
                  Bytes(aead ? 0 : 32, 0x17));
      const std::uint32_t head = 8U + c.iv_octets, block = keyed.key.block_octets, icv = keyed.key.icv_octets;
      std::vector<Bytes> packets(EspBatch::kMax);
      std::vector<Bytes> plain;
      EspBatch batch;
      for (std::size_t i = 0; i < packets.size(); ++i) {
        packets[i].resize(head + block * (1 + random() % 60) + icv);
        for (auto& octet : packets[i]) octet = static_cast<std::uint8_t>(random());
        plain.push_back(packets[i]);
        EspJob& job = batch.add();
        job.key = &keyed.key;
        job.esp = packets[i].data();
        job.length = static_cast<std::uint32_t>(packets[i].size()) - icv;
      }
      const auto spoil = [&batch, head] {
        batch.jobs[3].length = head;                        // no ciphertext
        batch.jobs[17].length -= 1;                         // no multiple of the block
        batch.jobs[40].length = 0;                          // not even a header
        batch.jobs[63].length = kMaxEspLength + head + 48;  // more than the library's lanes are given
      };
      const auto lengths = batch.jobs;
      spoil();
      keyed.engine.submit(batch);
      REQUIRE(keyed.engine.collect() == &batch);
      for (std::size_t i = 0; i < packets.size(); ++i) {
        const bool bad = i == 3 || i == 17 || i == 40 || i == 63;
        REQUIRE(batch.jobs[i].status == (bad ? EspJob::Status::refused : EspJob::Status::ok));
        if (bad) REQUIRE(packets[i] == plain[i]);  // untouched
      }
      // Back again, with one ICV broken: only that one fails.
      batch.direction = EspBatch::Direction::decrypt;
      packets[20].back() ^= 1;
      keyed.engine.submit(batch);
      REQUIRE(keyed.engine.collect() == &batch);
      for (std::size_t i = 0; i < packets.size(); ++i) {
        const bool bad = i == 3 || i == 17 || i == 40 || i == 63;
        REQUIRE(batch.jobs[i].status == (bad       ? EspJob::Status::refused
                                         : i == 20 ? EspJob::Status::icv_failed
                                                   : EspJob::Status::ok));
        if (bad || i == 20) continue;
        const std::uint32_t end = lengths[i].length;
        REQUIRE(std::equal(packets[i].begin() + head, packets[i].begin() + end, plain[i].begin() + head));
      }
    }
  }
}

TEST_CASE("every single bit of an ICV counts") {
  for (const auto& c : encryptions()) {
    if (!c.for_esp) continue;
    for (const auto& i : integrities()) {
      if (c.aead() && &i != &integrities()[0]) continue;
      INFO(c.name << " " << i.name);
      Keyed keyed(levels().front(), {c.id, c.key_bits, c.aead() ? Integrity::none : i.id, false},
                  Bytes(std::size_t{c.key_octets} + c.salt_octets, 0x42), Bytes(c.aead() ? 0 : i.key_octets, 0x17));
      const std::uint32_t length = 8U + c.iv_octets + 48U;
      Bytes sealed(length + keyed.key.icv_octets, 0x33);
      REQUIRE(keyed.run(EspBatch::Direction::encrypt, sealed, length, 0) == EspJob::Status::ok);
      for (std::size_t bit = 0; bit < 8U * keyed.key.icv_octets; ++bit) {
        Bytes esp = sealed;
        esp[length + bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
        REQUIRE(keyed.run(EspBatch::Direction::decrypt, esp, length, 0) == EspJob::Status::icv_failed);
      }
    }
  }
}

TEST_CASE("CBC IVs of consecutive numbers neither repeat nor show the number") {
  for (const char* name : {"aes128", "3des"}) {
    const EncryptionInfo& c = cipher(name);
    Keyed keyed(levels().front(), suite(name, "sha1"), Bytes(c.key_octets, 0x42), Bytes(20, 1));
    std::set<Bytes> seen;
    const std::uint32_t length = 8U + c.iv_octets + 16U;
    for (std::uint8_t n = 1; n < 200; ++n) {
      Bytes esp(length + 12U);
      esp[8 + 7] = n;
      REQUIRE(keyed.run(EspBatch::Direction::encrypt, esp, length, 0) == EspJob::Status::ok);
      const Bytes iv(esp.begin() + 8, esp.begin() + 8 + c.iv_octets);
      REQUIRE(seen.insert(iv).second);
      REQUIRE(std::count(iv.begin(), iv.end(), std::uint8_t{0}) < 4);
    }
  }
}

TEST_CASE("keys of a wrong length, suites without integrity and unknown ciphers are refused with a reason") {
  const EspEngine engine(EspPlan::fixed(levels().front()));
  EspKey key;
  const auto refused = [&](const EspSuite& s, std::size_t encryption, std::size_t authentication) {
    const auto result = engine.expand(s, Bytes(encryption), Bytes(authentication), kSeed, key);
    return !result && !result.error().empty();
  };
  CHECK(refused(suite("aes128gcm16", ""), 16, 0));       // the salt is missing
  CHECK(refused(suite("aes128gcm16", "sha1"), 20, 20));  // an AEAD with integrity
  CHECK(refused(suite("aes128", ""), 16, 0));            // a cipher without
  CHECK(refused(suite("aes128", "sha256"), 16, 20));
  CHECK(refused({Encryption::none, 0, Integrity::hmac_sha1_96, false}, 0, 20));
  CHECK_FALSE(refused(suite("aes128", "sha256"), 16, 32));
}

TEST_CASE("calibration picks only levels this CPU has, for every suite") {
  const EspPlan plan = EspPlan::calibrate();
  std::set<std::string> suites;
  for (const auto& row : plan.rows()) {
    suites.insert(row.suite);
    CHECK(EspPlan::available(row.level));
  }
  CHECK(suites.size() == EspPlan::kFamilies);
}

TEST_CASE("what is pinned is what the plan says, and what this CPU or suite lacks is refused") {
  EspPlan plan = EspPlan::calibrate();
  const EspSuite cbc = *EspSuite::parse("aes128-sha256"), gcm = *EspSuite::parse("aes128gcm16");
  REQUIRE(plan.pin(cbc, EspLevel::sse, EspApi::split));
  for (const std::uint32_t packets : {1U, 8U, 64U})
    for (const std::uint32_t octets : {64U, 1424U})
      CHECK(plan.choice(EspPlan::family_of(cbc), packets, packets * octets) == EspPlan::Choice{EspLevel::sse, EspApi::split});
  CHECK_FALSE(plan.pin(gcm, std::nullopt, EspApi::split));
  if (!EspPlan::available(EspLevel::avx512)) CHECK_FALSE(plan.pin(gcm, EspLevel::avx512, std::nullopt));
  for (const char* name : {"aes128gcm16", "aes256-sha512", "chacha20poly1305", "aes128-sha1-esn"})
    CHECK(EspSuite::parse(name)->name() == name);
  for (const char* name : {"", "aes128", "aes128gcm16-sha1", "sha1", "aes128-sha1-", "aes128-sha1-esn-esn"})
    CHECK_FALSE(EspSuite::parse(name));
}
