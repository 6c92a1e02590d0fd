// What is wrong with a tunnel, from what was seen of it: facts in, a verdict out. Pure; the rules stand in rules.cpp,
// in the order in which they are tried, the words in texts.cpp.
//
// Several rules may hold. One that explains another's evidence (a peer that translates its packets also leaves ours
// without answers) takes its place; of what remains the first is the verdict, and the rest are named beside it. Then,
// and where one rule's evidence also fits another row, the verdict is not `certain` and says so in its text.
#pragma once

#include <string_view>
#include <vector>

#include "conf/console.h"
#include "control/diagnosis/facts.h"
#include "control/diagnosis/verdict.h"

namespace causeway::control::diagnosis {

Verdict diagnose(const Facts& facts, conf::Language language);

// Every row that a verdict may name.
std::vector<std::string_view> rows();

}  // namespace causeway::control::diagnosis
