// What is due: repetitions, liveness, renewals, ends.
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

void tick(Session& s, Step& step);
[[nodiscard]] std::optional<ike::Time> deadline(const Session& s);

}  // namespace causeway::ikev1
