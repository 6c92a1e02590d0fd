// How single values are written in the configuration: durations, sizes, addresses, selectors, names.
// Each parser gives the value, or one sentence that says what is wrong and what would be right.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "conf/config.h"

namespace causeway::conf {

template <typename T>
using Parsed = tl::expected<T, std::string>;

// "90s", "30m", "8h", "1d", and sums of them in falling order, "1h30m". At most 10 years.
Parsed<Seconds> parse_duration(std::string_view text);
std::string duration_text(Seconds value);  // "8h", "1h30m", "0s"

// "1800MB". Octets: kB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB powers of 1024; "B" or none: octets.
Parsed<std::uint64_t> parse_size(std::string_view text);
std::string size_text(std::uint64_t octets);  // "1800 MB"

Parsed<IpAddress> parse_address(std::string_view text);
Parsed<Prefix> parse_network(std::string_view text);    // host bits are refused, a bare address is /32 or /128
Parsed<Prefix> parse_interface(std::string_view text);  // an own address with its network's length

// "10.1.0.0/16", "10.1.0.1-10.1.0.9", each with "[tcp]", "[udp/53]", "[tcp/8000-8080]", "[icmp/8(0)]", "[47]".
Parsed<Selector> parse_selector(std::string_view text);

Parsed<std::string> parse_name(std::string_view text);      // of a port or tunnel: letters, digits, . _ -
Parsed<std::string> parse_device(std::string_view text);    // a PCI address or vdev arguments
Parsed<std::string> parse_remote(std::string_view text);    // an address, a host name, or "any"
Parsed<std::string> parse_listener(std::string_view text);  // "127.0.0.1:9190", "[::1]:9190": where to listen
Parsed<std::string> parse_proposal(std::string_view text);  // the shape of one: words joined by "-"
Parsed<std::string> parse_any_text(std::string_view text);  // not empty, no control characters

// In double quotes, with control characters and what is too long to read replaced.
std::string in_quotes(std::string_view text);

// The candidate that takes the fewest insertions, deletions, replacements and swaps of neighbours to
// become `word`; empty where none is near enough to have been meant.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace causeway::conf
