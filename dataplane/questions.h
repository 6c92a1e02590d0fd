// What passes through a tunnel and wants an answer, and what is one: TCP's SYNs and ICMP echo requests. Counted for each
// SA, so that whoever asks why nothing comes back can tell that from a sender who wants nothing back. Only packets that
// leave the common way anyhow are looked at.
#pragma once

#include <rte_mbuf.h>

#include "dataplane/ip_header.h"
#include "dataplane/sa_counters.h"

namespace causeway::dataplane {

// `tcp_answered` is a SYN in return or a reset; an error answers whatever it is about.
enum class Question : std::uint8_t { none, tcp_asked, tcp_answered, echo_asked, echo_answered, error };

// `m` starts at its IP header.
Question question(rte_mbuf* m, const IpHeader& ip);

void count(SaCounterBlock& counters, Question what);

}  // namespace causeway::dataplane
