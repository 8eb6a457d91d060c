#include "Snippets.h"

#include "frontend/Frontend.h"
#include "frontend/syntax/Render.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/raw_ostream.h"

namespace nnc::frontend::test {
namespace {

/// `nn.reduce {axes = array<i64: 1>, kind = ...} : tensor<4xf32>`.
void print(mlir::Operation &op, llvm::raw_ostream &out) {
  out << op.getName();
  llvm::SmallVector<mlir::NamedAttribute> attributes(op.getAttrDictionary().getValue());
  for (mlir::NamedAttribute attribute : attributes)
    out << ' ' << attribute.getName().getValue() << '=' << attribute.getValue();
  for (mlir::Type type : op.getResultTypes()) {
    auto tensor = llvm::cast<mlir::RankedTensorType>(type);
    out << " -> " << tensor.getElementType() << '[';
    if (auto map = llvm::dyn_cast_or_null<mlir::AffineMapAttr>(tensor.getEncoding()))
      llvm::interleaveComma(map.getValue().getResults(), out);
    else
      llvm::interleaveComma(tensor.getShape(), out);
    out << ']';
  }
  out << '\n';
}

std::string printOps(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module.walk([&](mlir::func::FuncOp function) {
    for (mlir::Operation &op : function.getBody().front())
      if (op.getDialect() && op.getDialect()->getNamespace() == "nn")
        print(op, out);
  });
  return text;
}

} // namespace

std::string runFile(const std::string &source) {
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  std::optional<syntax::FileId> file = sources.addText("test.nn", source, diags);
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (file)
    module = emitModel(sources, *file, FrontendOptions(), diags, context);
  if (diags.hasErrors() || !module)
    return syntax::render(sources, diags);
  return printOps(*module);
}

std::string run(const std::string &function) {
  return runFile("model M {\n  fn forward" + function + "\n}\n");
}

} // namespace nnc::frontend::test
