// A peer that has every key and no manners: it does the handshake by the book, as initiator or responder, and then
// seals whatever it is told to. What it says passes all cryptography, so that fuzzing reaches what lies behind.
#pragma once

#include <memory>
#include <optional>

#include "control/ike/payloads.h"
#include "control/ikev2/keys.h"
#include "control/ikev2/protection.h"
#include "crypto/dh.h"
#include "test/fuzz/fuzz.h"
#include "test/support/ike_pair.h"

namespace causeway::fuzz {

class KeyedPeer {
 public:
  // The engine under test is side b of pair_settings(); this peer plays side a.
  explicit KeyedPeer(bool peer_initiates);

  // IKE_SA_INIT in full. Afterwards both sides have keys. False where the engine did not answer as it must.
  bool shake_hands();
  // The honest IKE_AUTH (or its honest answer), so that the engine is established.
  bool authenticate();

  // One message with this inside, sealed; `id` as the window expects it unless told otherwise.
  void say(ike::Exchange exchange, bool response, std::uint32_t id, const ike::PayloadChain& inside);
  // What the engine's last request was, where it waits for an answer.
  struct Asked {
    ike::Exchange exchange;
    std::uint32_t id;
  };
  [[nodiscard]] std::optional<Asked> asked() const { return asked_; }
  [[nodiscard]] std::uint32_t next_id() const { return next_id_; }

  // Lets the engine do something, and time pass.
  void with_engine(const std::function<void(ike::IkeSa&, ike::Time, ike::Effects&)>& action);
  void pass(ike::Time time);
  // Nothing the engine may not do has been seen: sealed answers open, SPIs are neither leaked nor used twice.
  void check();
  [[nodiscard]] bool alive() const { return !engine_.sas.empty(); }

 private:
  void feed(Bytes message);
  void carry_out(ike::Effects& effects);
  void on_message(const Bytes& message);
  [[nodiscard]] ike::Header header(ike::Exchange exchange, bool response, std::uint32_t id) const;
  void take_keys(const ike::Payloads& theirs, const crypto::Secret& shared);
  ike::PayloadChain init_payloads(ByteView public_value) const;
  void add_auth(ike::PayloadChain& chain) const;

  bool initiates_;
  ike::PeerSettings mine_;
  test::Side engine_;
  crypto::SeededRandom random_{11};
  ike::Time now_{1000};
  std::uint64_t spi_i_ = 0, spi_r_ = 0;
  ikev2::Nonces nonces_;
  Bytes first_;  // our IKE_SA_INIT message, which AUTH covers
  std::unique_ptr<crypto::KeyAgreement> agreement_;
  ike::Choice suite_;
  ikev2::IkeKeys keys_;
  std::optional<ikev2::Protection> protection_;
  std::optional<Asked> asked_;
  std::optional<Bytes> clear_;  // the engine's last message without protection
  std::uint32_t next_id_ = 1;
};

}  // namespace causeway::fuzz
