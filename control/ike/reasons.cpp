#include "control/ike/reasons.h"

#include <utility>

namespace causeway::ike::reasons {

Reason make(Cause cause, std::string text, Symptom symptom) {
  Reason r;
  r.cause = cause;
  r.text = std::move(text);
  r.symptom = symptom;
  return r;
}

std::string seconds(Time t) { return std::to_string((t.count() + 500) / 1000) + " s"; }

std::string id_with_type(const Identity& id) {
  return id.type == IdType::any ? "anybody" : id.type_name() + " " + id.str();
}

Reason internal(std::string what) { return make(Cause::internal, "this gateway failed: " + std::move(what)); }

Reason no_spi() {
  return make(Cause::resources, "no SPI is left for another SA: fewer children, or a larger SA table, are needed");
}

Reason incomplete(const std::string& peer, const std::string& missing) {
  return make(Cause::syntax, peer + " left out " + missing + ": update the peer or report it to its maker");
}

Reason bad_key_exchange(const std::string& peer, const std::string& what) {
  return make(Cause::invalid_ke,
              peer + " sent a key exchange value that must not be used (" + what + "): update the peer");
}

Reason only_initiator() {
  return make(Cause::no_config_for_peer,
              "every tunnel to this peer has role = initiator: set role = both to be called by it");
}

Reason wrong_identity(const std::string& peer, bool behind_nat, std::span<const Identity> expected,
                      const Identity& got) {
  std::string wanted;
  for (const Identity& id : expected) wanted += (wanted.empty() ? "" : " or ") + id_with_type(id);
  std::string text = peer + " calls itself " + id_with_type(got) + ", expected " + wanted + ": set remote_id = \"" +
                     got.str() + "\" here, or the peer's own identity to " +
                     (expected.empty() ? "that" : expected.front().str());
  if (behind_nat && (got.type == IdType::ipv4 || got.type == IdType::ipv6)) {
    text += " (it is behind a NAT and says its inside address)";
  }
  Reason r = make(Cause::wrong_identity, std::move(text), Symptom::other_identity);
  r.ours = wanted;
  r.theirs = id_with_type(got);
  return r;
}

Reason expired(std::string what) {
  return make(Cause::expired,
              std::move(what) + " reached its lifetime and could not be rekeyed: look for refused rekeys in the log",
              Symptom::expired);
}

Reason closed_by_us() { return make(Cause::closed_by_us, "closed by this side"); }

Reason closed_by_peer(const std::string& peer) {
  return make(Cause::closed_by_peer, "the peer (" + peer + ") closed it: its log says why", Symptom::deleted);
}

Reason replaced() { return make(Cause::replaced, "replaced by a rekey"); }

}  // namespace causeway::ike::reasons
