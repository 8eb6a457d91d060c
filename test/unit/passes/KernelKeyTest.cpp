// Kernels that are the same code have the same key, and no others.
#include "passes/KernelKey.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace {

class KernelKeyTest : public testing::Test {
protected:
  KernelKeyTest() {
    DialectRegistry registry;
    nnc::nn::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
  }

  /// The key of a kernel with this name, attributes, body and size of the first axis.
  std::string key(std::string name, std::string attributes, std::string body,
                  std::string dims = "s0") {
    std::string type = "tensor<?x8xf32, affine_map<()[s0] -> (" + dims + ", 8)>>";
    std::string text = "func.func @f(%x: " + type + ") -> " + type + " {\n" + "%0 = nn.kernel \"" +
                       name + "\"(%x : " + type + ") -> (" + type + ") attributes {" + attributes +
                       "} {\n^bb0(%a: " + type + "):\n" + body + " : " + type +
                       "\nnn.yield %1 : " + type + "\n}\nreturn %0 : " + type + "\n}";
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    std::string result;
    if (module)
      module->walk([&](nnc::nn::KernelOp kernel) { result = nnc::kernelKey(kernel); });
    return result;
  }

  MLIRContext context;
};

TEST_F(KernelKeyTest, IgnoresNamesAndReasons) {
  std::string first = key("a", "anchor = \"pointwise\"", "%1 = nn.exp %a");
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first, key("b", "anchor = \"pointwise\", nn.refused = [\"x: y\"]", "%1 = nn.exp %a"));
}

TEST_F(KernelKeyTest, SeesOpsAttributesOperandsAndSizes) {
  std::string anchor = "anchor = \"pointwise\"";
  std::string first = key("a", anchor, "%1 = nn.exp %a");
  EXPECT_NE(first, key("a", anchor, "%1 = nn.log %a"));
  EXPECT_NE(first, key("a", anchor, "%1 = nn.exp %a", "s0 + 1"));
  EXPECT_NE(first, key("a", "anchor = \"gather\"", "%1 = nn.exp %a"));
  EXPECT_NE(key("a", anchor, "%1 = nn.softmax %a {axis = 1 : i64}"),
            key("a", anchor, "%1 = nn.softmax %a {axis = 0 : i64}"));
  std::string log = "%2 = nn.log %a : tensor<?x8xf32, affine_map<()[s0] -> (s0, 8)>>\n";
  EXPECT_NE(key("a", anchor, log + "%1 = nn.sub %a, %2"),
            key("a", anchor, log + "%1 = nn.sub %2, %a"));
}

} // namespace
