#include "test/unit/frontend/Training.h"

#include <regex>

namespace nnc::frontend::testing {

std::string block(const std::string &members) {
  return kNet + std::string("train net = Net() {\n") + members + "}\n";
}

std::string withLoss(const std::string &members) { return block(members + kLoss); }

std::string messages(const std::string &text) {
  return std::regex_replace(checked(text), std::regex(R"((prelude/\w+\.nn):\d+:\d+)"), "$1:L:C");
}

} // namespace nnc::frontend::testing
