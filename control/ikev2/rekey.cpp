#include "control/ikev2/rekey.h"

namespace causeway::ikev2 {

void request_ike_rekey(Session&, const Task&, Step&) {}
void on_ike_rekey_response(Session& s, const Inbound&, Step&) { s.requests.answered(); }

void on_ike_rekey_request(Session& s, const Inbound& in, Step& step) {
  ike::PayloadChain chain;
  add_notify(chain, ike::NotifyType::no_additional_sas);
  send_reply(s, in, chain, step);
}

void inherit(Session&, Session&, Step&) {}

}  // namespace causeway::ikev2
