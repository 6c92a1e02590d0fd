// Main mode (RFC 2409 5.1, 5.4): six messages, identities hidden.
//
//   1 -->  HDR, SA                                    2 <--  HDR, SA
//   3 -->  HDR, KE, Ni, NAT-D, NAT-D                  4 <--  HDR, KE, Nr, NAT-D, NAT-D
//   5 -->  HDR*, IDii, HASH_I or CERT, SIG_I          6 <--  HDR*, IDir, HASH_R or CERT, SIG_R
//
// The responder does no Diffie-Hellman and keeps next to nothing until message 3 echoes its cookie. It never
// sends by timer: a repeated message gets the same answer.
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

void start_main_mode(Session& s, Step& step);
void on_main_2(Session& s, const Inbound& in, Step& step);
void on_main_3(Session& s, const Inbound& in, Step& step);
void on_main_4(Session& s, const Inbound& in, Step& step);
void on_main_5(Session& s, const Inbound& in, Step& step);
// Not the same octets as the fifth message that was answered, which somebody may have altered on its way behind what
// the proof covers: answered anew as long as the peer does not show that it has an answer.
void on_main_5_again(Session& s, const Inbound& in, Step& step);
void on_main_6(Session& s, const Inbound& in, Step& step);
// The responder's first step, for a session just made.
void answer_main_1(Session& s, const Inbound& in, const Transform& taken, Step& step);

}  // namespace causeway::ikev1
