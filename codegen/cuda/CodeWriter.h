//===- CodeWriter.h - Text in nested scopes -----------------------------------------*- C++ -*-===//
//
// Generated code is written innermost scope first: until a scope is closed, lines can still be
// added to any scope around it and come before it. Loop-invariant code is thereby written where it
// belongs.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_CODEWRITER_H
#define NNC_CODEGEN_CUDA_CODEWRITER_H

#include <string>
#include <vector>

namespace nnc::codegen {

class CodeWriter {
public:
  CodeWriter() : scopes(1) {}

  void line(const std::string &text);
  /// A line that says where code comes from; it does not count when kernels are compared.
  void comment(const std::string &text);
  /// Opens `header {`.
  void open(const std::string &header);
  /// Closes the innermost scope with `closing`, "}" unless something follows.
  void close(const std::string &closing = "}");

  unsigned depth() const { return scopes.size() - 1; }
  /// Adds to the scope at `depth` until the returned token is given to `resume`.
  std::vector<std::string> suspend(unsigned depth);
  void resume(std::vector<std::string> inner);

  /// The whole text; all scopes are closed.
  std::string take() { return std::move(scopes.front()); }

private:
  std::vector<std::string> scopes;
  std::vector<std::string> headers;
};

/// Marks the lines of CodeWriter::comment.
inline constexpr const char *CommentMark = "//@ ";

/// Whether the name `name` is in `text`, not as part of another one.
bool mentions(const std::string &text, const std::string &name);

/// `text` without comment lines.
std::string withoutComments(const std::string &text);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_CODEWRITER_H
