// A plugin that makes clang-tidy visit only what is declared in our files: it would match its
// checks on all of MLIR's headers too and throw away what it finds there, which takes ten times as
// long as the rest. Declarations of a precompiled header are not handed to HandleTopLevelDecl.
#include "clang/AST/ASTConsumer.h"
#include "clang/AST/ASTContext.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Frontend/FrontendPluginRegistry.h"

namespace {

class OwnDeclarations : public clang::ASTConsumer {
public:
  bool HandleTopLevelDecl(clang::DeclGroupRef group) override {
    for (clang::Decl *declaration : group) {
      clang::SourceManager &sources = declaration->getASTContext().getSourceManager();
      if (!sources.isInSystemHeader(declaration->getLocation()))
        own.push_back(declaration);
    }
    return true;
  }

  void HandleTranslationUnit(clang::ASTContext &context) override {
    context.setTraversalScope(own);
  }

private:
  std::vector<clang::Decl *> own;
};

class OwnDeclarationsAction : public clang::PluginASTAction {
public:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance &,
                                                        llvm::StringRef) override {
    return std::make_unique<OwnDeclarations>();
  }

  bool ParseArgs(const clang::CompilerInstance &, const std::vector<std::string> &) override {
    return true;
  }

  ActionType getActionType() override { return AddBeforeMainAction; }
};

clang::FrontendPluginRegistry::Add<OwnDeclarationsAction>
    registration("own-declarations", "limits checks to declarations outside of system headers");

} // namespace
