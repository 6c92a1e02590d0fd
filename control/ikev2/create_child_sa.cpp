#include "control/ikev2/create_child_sa.h"

namespace causeway::ikev2 {

void request_child(Session&, const Task&, Step&) {}

void on_child_response(Session& s, const Inbound&, Step&) { s.requests.answered(); }

void on_child_request(Session& s, const Inbound& in, Step& step) {
  ike::PayloadChain chain;
  add_notify(chain, ike::NotifyType::no_additional_sas);
  send_reply(s, in, chain, step);
}

}  // namespace causeway::ikev2
