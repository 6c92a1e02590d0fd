// A worker that lends the cryptography of inbound ESP to others, and helps them with theirs (lend.h).
#include <rte_cycles.h>

#include <algorithm>

#include "dataplane/sa.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {

// While batches are on their way, all others go behind them, whichever SA they are of: the order stays.
bool Worker::lends() const {
  if (!lending_.has_lenders()) return false;
  return lend_sas_ != 0 || (automatic_sas_ != 0 && saturation_.on()) || !lending_.empty();
}

void Worker::decrypt_in_turn() {
  EspContext context = esp_context();
  crypto::EspBatch& batch = lending_.next();
  EspInboundOut refused;
  esp_inbound_prepare(context, to_decrypt_.span(), batch, refused.drops);
  to_decrypt_.clear();
  finish_decrypted(refused);
  if (batch.count == 0) return;
  const auto lendable = [this](const crypto::EspJob& job) {
    const conf::Cores cores = meta(static_cast<rte_mbuf*>(job.user)).sa.inbound->cores;
    return cores == conf::Cores::lend || (cores == conf::Cores::automatic && saturation_.on());
  };
  const bool lend = batch.count >= LendQueue::kLeastPackets &&
                    std::any_of(batch.jobs.begin(), batch.jobs.begin() + batch.count, lendable);
  lending_.push(lend, engine_, rte_get_tsc_cycles());
  counters_.lent.set(lending_.lent());
  settle(false);
}

// Finishes what is decrypted, in order. True while something is still under way.
bool Worker::settle(bool idle) {
  while (const crypto::EspBatch* batch = lending_.front(engine_, rte_get_tsc_cycles(), idle)) {
    EspContext context = esp_context();
    EspInboundOut out;
    esp_inbound_finish(context, *batch, out);
    lending_.pop();
    finish_decrypted(out);
    if (!to_encrypt_.empty()) encrypt();
    counters_.taken_back.set(lending_.taken_back());
  }
  while (retires_ && first_retiring_.position <= lending_.popped()) {
    report(first_retiring_.report);
    retires_ = retiring_.pop(first_retiring_);
  }
  return !lending_.empty();
}

bool Worker::help_others() {
  bool busy = false;
  for (auto& ring : mail_.to_help) {
    if (!help(*ring, engine_)) continue;
    counters_.helped.add();
    busy = true;
  }
  return busy;
}

// As soon as every batch that may refer to the SA is home. In order, outbound ones too: control expects no other.
void Worker::retire(const RetireReport& what) {
  if (lending_.empty()) return report(what);
  const Retiring later{lending_.pushed(), what};
  if (retires_) {
    retiring_.push(later);
  } else {
    first_retiring_ = later;
    retires_ = true;
  }
}

}  // namespace causeway::dataplane
