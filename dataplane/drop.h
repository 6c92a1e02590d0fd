// Every reason for which the data path drops a packet: one list, from which come the enum, the names
// operators see (`causewayctl counters`) and their explanation. Add here; never rename.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace causeway::dataplane {

// X(name, "what happened, and what to look at")
#define CAUSEWAY_DROPS(X)                                                                           \
  X(truncated, "a header does not fit in the frame")                                                \
  X(bad_ethernet, "an Ethernet type or destination this port does not take")                        \
  X(bad_ip_header, "an IP header with a wrong version, length or option")                           \
  X(bad_ip_checksum, "the IPv4 header checksum is wrong")                                           \
  X(bad_udp_header, "a UDP length or checksum that is wrong")                                       \
  X(bad_icmp, "an ICMP message with a wrong length or checksum")                                    \
  X(martian, "a source address that cannot be: our own, loopback, multicast or unspecified")        \
  X(not_for_us, "addressed to this box, but to nothing it serves")                                  \
  X(untrusted_clear, "cleartext from or to an untrusted port that would have been forwarded")       \
  X(clear_but_protected, "cleartext that a tunnel should have protected")                           \
  X(policy_discard, "a policy or rule says discard")                                                \
  X(no_sa, "protected, but the tunnel has no SA (it is down or still connecting)")                  \
  X(no_child_for_selector, "protected, but no child's selectors cover it (narrowed by the peer)")   \
  X(unknown_spi, "ESP for an SPI that is not ours, or no longer")                                   \
  X(esp_malformed, "ESP too short, or a ciphertext that is no multiple of the block")               \
  X(icv_failed, "the integrity check failed: damaged, forged, or keys that differ")                 \
  X(replayed, "a sequence number seen before, or older than the window")                            \
  X(bad_padding, "decrypted, but the padding or next header is not valid")                          \
  X(dummy_packet, "a dummy packet (next header 59), as RFC 4303 2.6 asks")                          \
  X(selector_mismatch, "decrypted, but outside the selectors of its SA")                            \
  X(ecn_dropped, "marked as congested on the way, of a flow that does not know ECN (RFC 6040 4.2)") \
  X(sequence_exhausted, "the SA has used its last sequence number and waits for a rekey")           \
  X(sa_expired, "the SA's hard limit of bytes or packets is reached")                               \
  X(ttl_expired, "time to live reached zero")                                                       \
  X(no_route, "no route to the destination")                                                        \
  X(no_neighbor, "the next hop does not answer ARP or neighbor discovery")                          \
  X(host_refused, "for the kernel (host = true), which did not take it: its interface is full or down") \
  X(neighbor_queue_full, "too many packets wait for the same next hop")                             \
  X(too_big, "larger than the next link or tunnel takes, and not to be fragmented")                 \
  X(fragment_invalid, "a fragment that overlaps, is too long or does not belong")                   \
  X(fragment_timeout, "fragments of which the rest never came")                                     \
  X(fragment_table_full, "too many incomplete datagrams at once")                                   \
  X(crypto_failed, "the crypto engine refused a job that was checked before (a defect: report it)") \
  X(handover_full, "the ring to the owning worker was full")                                        \
  X(punt_full, "the ring to the control thread was full")                                           \
  X(punt_rate_limited, "more IKE, ARP or ICMP for this box than its class allows")                  \
  X(tx_full, "the transmit queue stayed full")                                                      \
  X(link_down, "the port's link is down")                                                           \
  X(no_buffer, "the packet pool was empty")

enum class Drop : std::uint8_t {
#define X(name, text) name,
  CAUSEWAY_DROPS(X)
#undef X
};

struct DropInfo {
  std::string_view name, text;
};
inline constexpr std::array kDrops = {
#define X(name, text) DropInfo{#name, text},
    CAUSEWAY_DROPS(X)
#undef X
};
inline constexpr std::size_t kDropCount = kDrops.size();

}  // namespace causeway::dataplane
