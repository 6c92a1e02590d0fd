#include "dataplane/questions.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint8_t kSyn = 0x02, kRst = 0x04, kAck = 0x10;
constexpr std::uint32_t kTcpFlags = 13;

Question of_icmp(std::uint8_t type) {  // RFC 792
  if (type == 8) return Question::echo_asked;
  if (type == 0) return Question::echo_answered;
  return type == 3 || type == 11 || type == 12 ? Question::error : Question::none;
}

Question of_icmp6(std::uint8_t type) {  // RFC 4443
  if (type == 128) return Question::echo_asked;
  if (type == 129) return Question::echo_answered;
  return type < 128 ? Question::error : Question::none;
}

}  // namespace

Question question(rte_mbuf* m, const IpHeader& ip) {
  if (ip.later_fragment) return Question::none;
  const std::uint32_t there = rte_pktmbuf_data_len(m);
  if (ip.protocol == kProtocolTcp) {
    if (there <= ip.upper + kTcpFlags) return Question::none;
    const std::uint8_t flags = at<const std::uint8_t>(m, ip.upper)[kTcpFlags];
    if ((flags & kRst) != 0) return Question::tcp_answered;
    if ((flags & kSyn) == 0) return Question::none;
    return (flags & kAck) != 0 ? Question::tcp_answered : Question::tcp_asked;
  }
  if (ip.protocol != ip.icmp_protocol() || there <= ip.upper) return Question::none;
  const std::uint8_t type = *at<const std::uint8_t>(m, ip.upper);
  return ip.family == conf::Family::v4 ? of_icmp(type) : of_icmp6(type);
}

void count(SaCounterBlock& counters, Question what) {
  if (what == Question::tcp_asked) counters.tcp_asked.add();
  if (what == Question::tcp_answered || what == Question::error) counters.tcp_answered.add();
  if (what == Question::echo_asked) counters.echo_asked.add();
  if (what == Question::echo_answered || what == Question::error) counters.echo_answered.add();
}

}  // namespace causeway::dataplane
