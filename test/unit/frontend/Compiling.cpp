// Helpers of the tests of the front end.
#include "test/unit/frontend/Compiling.h"

#include "llvm/Support/raw_ostream.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace nnc::frontend::testing {

std::string Compilation::read(const std::string &path) {
  std::ifstream stream(std::string(NNC_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(stream.good()) << path;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string Compilation::ir(bool withLocations) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (module)
    module->print(stream, mlir::OpPrintingFlags().enableDebugInfo(withLocations, withLocations));
  return text;
}

const SlotInfo *Compilation::slot(const std::string &key) const {
  for (const SlotInfo &slot : info.slots)
    if (slot.key == key)
      return &slot;
  return nullptr;
}

std::string model(const std::string &members, const std::string &body) {
  return "model M(n: int = 3) {\n" + members +
         "  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 {\n" + body + "  }\n}\n";
}

std::string checked(const std::string &text, const std::string &name) {
  return Compilation(text, {}, name).check().messages();
}

std::string compiled(const std::string &text, FrontendOptions options) {
  return Compilation(text, std::move(options)).emit().messages();
}

} // namespace nnc::frontend::testing
