#include "test/bench/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

namespace causeway::bench {

using dataplane::Direction;
using dataplane::kStages;

namespace {

constexpr std::array<const char*, kStages> kStageNames = {"rx", "classify", "prepare", "crypto", "finish", "tx"};

std::string direction(const Case& c) { return c.direction == Direction::outbound ? "outbound" : "inbound"; }
std::string size(const Case& c) { return c.size == kImix ? "imix" : std::to_string(c.size); }
std::string encap(const Case& c) { return c.udp ? "udp" : "native"; }

template <typename... Values>
std::string text(const char* format, Values... values) {
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  return line.data();
}

double rounded(double value, double unit) { return std::round(value / unit) * unit; }

nlohmann::json size_json(const Case& c) { return c.size == kImix ? nlohmann::json("imix") : nlohmann::json(c.size); }

}  // namespace

namespace {

struct Scaling {
  double ours, raw;
};
Scaling scaling(const Lending& l) {
  return {l.lent.mpps / l.one.mpps, l.raw_one / l.raw_each * static_cast<double>(l.lent.what.cores)};
}

void write_lendings(const Report& report, std::ostream& out) {
  if (report.lendings.empty()) return;
  out << "\none tunnel inbound, fed without end (the feed's time included): packets of the best tenth of windows of 10 ms\n"
         "suite            size   SAs  cores  Mpps on one  Mpps lent  overall: one, lent  times   raw times  of raw  feed  "
         "lent\n";
  for (const Lending& l : report.lendings) {
    const Scaling s = scaling(l);
    out << text("%-15s %5s %5u %6u %12.3f %10.3f %11.3f %7.3f %6.2f %11.2f %7.2f %4.0f%% %4.0f%%\n",
                l.lent.what.suite.name().c_str(), size(l.lent.what).c_str(), l.lent.what.sas, l.lent.what.cores,
                l.one.mpps, l.lent.mpps, l.one.mpps_overall, l.lent.mpps_overall, s.ours, s.raw, s.ours / s.raw,
                100 * l.lent.feed, 100 * l.lent.lent);
  }
}

}  // namespace

void write_table(const Report& report, std::ostream& out) {
  out << report.cpu << text(", TSC %.0f MHz\n", report.tsc_mhz);
  for (const std::string& note : report.notes) out << note << '\n';
  if (!report.results.empty()) {
    out << "\nTSC cycles per packet, p10; over raw: of (ours - raw), pair by pair\n";
    out << "direction suite            size   SAs burst encap  cores     ours      raw  over raw: p10   median  left out"
           "    Mpps  Gbit/s  raw by\n";
  }
  for (const Result& r : report.results) {
    const Case& c = r.what;
    out << text("%-9s %-15s %5s %5u %5u %-6s %5u %8.0f %8.0f       %8.0f %8.0f %8.1f%% %7.2f %7.2f  %s\n",
                direction(c).c_str(), c.suite.name().c_str(), size(c).c_str(), c.sas, c.burst, encap(c).c_str(),
                c.cores, r.cycles, r.raw_cycles, r.overhead_p10, r.overhead_median,
                100.0 * static_cast<double>(r.left_out) / static_cast<double>(std::max<std::uint64_t>(1, r.batches)),
                r.mpps, r.gbps, r.raw_by.c_str());
  }
  if (report.profile && !report.results.empty()) {
    out << "\nTSC cycles per packet by stage, medians (crypto holds raw)\n";
    out << "direction suite            size   SAs burst encap ";
    for (const char* name : kStageNames) out << text(" %8s", name);
    out << "      sum\n";
    for (const Result& r : report.results) {
      const Case& c = r.what;
      out << text("%-9s %-15s %5s %5u %5u %-6s", direction(c).c_str(), c.suite.name().c_str(), size(c).c_str(), c.sas,
                  c.burst, encap(c).c_str());
      double sum = 0;
      for (const double stage : r.profile) out << text(" %8.1f", stage), sum += stage;
      out << text(" %8.1f\n", sum);
    }
  }
  if (!report.latencies.empty())
    out << "\nlone packets through an idle, polling worker, microseconds\n"
           "direction suite            size encap   samples      p50      p90      p99  longest  apart (machine away)\n";
  for (const Latency& l : report.latencies)
    out << text("%-9s %-15s %5s %-6s %8lu %8.2f %8.2f %8.2f %8.2f  %lu, %.1f ms\n", direction(l.what).c_str(),
                l.what.suite.name().c_str(), size(l.what).c_str(), encap(l.what).c_str(),
                static_cast<unsigned long>(l.samples), l.p50, l.p90, l.p99, l.longest,
                static_cast<unsigned long>(l.apart), l.apart_ms);
  write_lendings(report, out);
}

void write_json(const Report& report, std::ostream& out) {
  nlohmann::ordered_json json;
  json["results"] = nlohmann::ordered_json::array();
  for (const Result& r : report.results) {
    nlohmann::ordered_json row = {{"direction", direction(r.what)},
                                  {"suite", r.what.suite.name()},
                                  {"size", size_json(r.what)},
                                  {"sas", r.what.sas},
                                  {"burst", r.what.burst},
                                  {"encap", encap(r.what)},
                                  {"cycles", rounded(r.cycles, 0.1)},
                                  {"raw_cycles", rounded(r.raw_cycles, 0.1)},
                                  {"raw_by", r.raw_by},
                                  {"overhead_p10", rounded(r.overhead_p10, 0.1)},
                                  {"overhead_median", rounded(r.overhead_median, 0.1)},
                                  {"left_out", r.left_out},
                                  {"batches", r.batches},
                                  {"cores", r.what.cores},
                                  {"mpps", rounded(r.mpps, 0.001)},
                                  {"gbps", rounded(r.gbps, 0.001)}};
    if (report.profile)
      for (std::size_t s = 0; s < kStages; ++s) row["profile"][kStageNames[s]] = rounded(r.profile[s], 0.1);
    json["results"].push_back(std::move(row));
  }
  for (const Latency& l : report.latencies)
    json["latency"].push_back({{"direction", direction(l.what)},
                               {"suite", l.what.suite.name()},
                               {"size", size_json(l.what)},
                               {"encap", encap(l.what)},
                               {"samples", l.samples},
                               {"p50_us", rounded(l.p50, 0.01)},
                               {"p90_us", rounded(l.p90, 0.01)},
                               {"p99_us", rounded(l.p99, 0.01)},
                               {"longest_us", rounded(l.longest, 0.01)},
                               {"apart", l.apart},
                               {"apart_ms", rounded(l.apart_ms, 0.1)}});
  for (const Lending& l : report.lendings) {
    const Scaling s = scaling(l);
    json["lend"].push_back({{"suite", l.lent.what.suite.name()},
                            {"size", size_json(l.lent.what)},
                            {"cores", l.lent.what.cores},
                            {"mpps_one", rounded(l.one.mpps, 0.001)},
                            {"mpps_lent", rounded(l.lent.mpps, 0.001)},
                            {"mpps_one_overall", rounded(l.one.mpps_overall, 0.001)},
                            {"mpps_lent_overall", rounded(l.lent.mpps_overall, 0.001)},
                            {"times", rounded(s.ours, 0.001)},
                            {"raw_times", rounded(s.raw, 0.001)},
                            {"feed", rounded(l.lent.feed, 0.001)},
                            {"lent", rounded(l.lent.lent, 0.001)}});
  }
  json["machine"] = {{"cpu", report.cpu}, {"tsc_mhz", rounded(report.tsc_mhz, 0.1)}, {"notes", report.notes}};
  out << json.dump(2) << '\n';
}

// Bars in the order of the table: raw, and what we add to it.
void write_svg(const Report& report, std::ostream& out) {
  constexpr double kLeft = 250, kWidth = 560, kRow = 20, kTop = 60;
  double most = 1;
  for (const Result& r : report.results) most = std::max(most, r.raw_cycles + std::max(0.0, r.overhead_p10));
  const double height = kTop + kRow * static_cast<double>(report.results.size()) + 30;
  out << text("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" "
              "font-size=\"12\">\n",
              kLeft + kWidth + 130, height);
  out << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  out << "<text x=\"10\" y=\"20\" font-size=\"14\">TSC cycles per packet: IPsec-MB alone (dark), what Causeway adds "
         "(light)</text>\n";
  out << "<text x=\"10\" y=\"40\" fill=\"#666\">" << report.cpu << text(", TSC %.0f MHz</text>\n", report.tsc_mhz);
  double y = kTop;
  for (const Result& r : report.results) {
    const Case& c = r.what;
    const double raw = r.raw_cycles / most * kWidth, added = std::max(0.0, r.overhead_p10) / most * kWidth;
    std::string label = direction(c) + " " + c.suite.name() + " " + size(c);
    if (c.sas != 1) label += ", " + std::to_string(c.sas) + " SAs";
    if (c.burst != 32) label += ", burst " + std::to_string(c.burst);
    if (c.udp) label += ", udp";
    out << text("<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">", kLeft - 8, y + 12) << label << "</text>\n";
    out << text("<rect x=\"%.0f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" fill=\"#1f4e79\"/>\n", kLeft, y, raw);
    out << text("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" fill=\"#f0a030\"/>\n", kLeft + raw, y, added);
    out << text("<text x=\"%.1f\" y=\"%.0f\">%.0f + %.0f</text>\n", kLeft + raw + added + 6, y + 12, r.raw_cycles,
                r.overhead_p10);
    y += kRow;
  }
  out << "</svg>\n";
}

}  // namespace causeway::bench
