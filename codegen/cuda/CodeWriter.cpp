//===- CodeWriter.cpp - Text in nested scopes -------------------------------------------------===//
#include "codegen/cuda/CodeWriter.h"

#include <sstream>

using namespace nnc::codegen;

void CodeWriter::line(const std::string &text) {
  scopes.back() += std::string(2 * depth(), ' ') + text + "\n";
}

void CodeWriter::comment(const std::string &text) { line(CommentMark + text); }

void CodeWriter::open(const std::string &header) {
  headers.push_back(std::string(2 * depth(), ' ') + header + (header.empty() ? "{\n" : " {\n"));
  scopes.emplace_back();
}

void CodeWriter::close(const std::string &closing) {
  std::string body = std::move(scopes.back());
  scopes.pop_back();
  scopes.back() += headers.back() + body;
  headers.pop_back();
  line(closing);
}

std::vector<std::string> CodeWriter::suspend(unsigned depth) {
  std::vector<std::string> inner(std::make_move_iterator(scopes.begin() + depth + 1),
                                 std::make_move_iterator(scopes.end()));
  scopes.resize(depth + 1);
  // The headers of the suspended scopes travel behind their texts.
  inner.insert(inner.end(), headers.begin() + depth, headers.end());
  headers.resize(depth);
  return inner;
}

void CodeWriter::resume(std::vector<std::string> inner) {
  size_t count = inner.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    scopes.push_back(std::move(inner[i]));
    headers.push_back(std::move(inner[count + i]));
  }
}

bool nnc::codegen::mentions(const std::string &text, const std::string &name) {
  auto isPartOfName = [](char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    size_t end = at + name.size();
    bool isWhole = (at == 0 || !isPartOfName(text[at - 1])) &&
                   (end == text.size() || !isPartOfName(text[end]));
    if (isWhole)
      return true;
  }
  return false;
}

std::string nnc::codegen::withoutComments(const std::string &text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);)
    if (line.find(CommentMark) == std::string::npos)
      result += line + "\n";
  return result;
}
