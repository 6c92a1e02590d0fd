// What a run of causeway-bench says: tables for people, JSON for programs, a picture for documents.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "test/bench/case.h"

namespace causeway::bench {

struct Report {
  std::string cpu;
  double tsc_mhz = 0;
  bool profile = false;
  std::vector<std::string> notes;
  std::vector<Result> results;
  std::vector<Latency> latencies;
  std::vector<Lending> lendings;
};

void write_table(const Report& report, std::ostream& out);
void write_json(const Report& report, std::ostream& out);
void write_svg(const Report& report, std::ostream& out);

}  // namespace causeway::bench
