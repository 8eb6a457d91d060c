//===- LockFile.cpp - Which tactic each kernel uses, as text ----------------------------------===//
#include "codegen/cuda/LockFile.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>

namespace nnc::codegen {
namespace {

constexpr std::string_view Head = "# nnc tune 1";
constexpr std::string_view Columns = "# kernel | architecture | GPU | choice | microseconds";
constexpr std::string_view Between = " | ";
constexpr size_t Fields = 5, LongestLine = 4096;

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> parts;
  size_t at;
  while ((at = line.find(Between)) != std::string_view::npos && parts.size() < Fields) {
    parts.push_back(line.substr(0, at));
    line.remove_prefix(at + Between.size());
  }
  parts.push_back(line);
  return parts;
}

/// Letters, digits and what else is printed.
bool isText(std::string_view text) {
  for (unsigned char c : text)
    if (c < ' ' || c == 0x7f)
      return false;
  return true;
}

bool isArchitecture(std::string_view text) {
  constexpr std::string_view Prefix = "sm_";
  if (!text.starts_with(Prefix))
    return false;
  text.remove_prefix(Prefix.size());
  size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return digits >= 2 && digits <= 3 && text.size() <= digits + 1 &&
         (text.size() == digits || text.back() == 'a' || text.back() == 'f');
}

std::optional<double> numberOf(std::string_view text) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool isNumber = error == std::errc() && end == text.data() + text.size();
  return isNumber && std::isfinite(number) && number >= 0 ? std::optional(number) : std::nullopt;
}

/// The line, or what is wrong with it.
std::optional<LockLine> readLine(std::string_view text, std::string &mistake) {
  if (text.size() > LongestLine || !isText(text)) {
    mistake = text.size() > LongestLine ? fmt::format("a line of {} bytes", text.size())
                                        : "a line with control characters";
    return std::nullopt;
  }
  std::vector<std::string_view> parts = split(text);
  if (parts.size() != Fields) {
    mistake =
        fmt::format("expected {} fields with ` | ` between them, found {}{}", Fields,
                    parts.size() > Fields ? "more than " : "", std::min(parts.size(), Fields));
    return std::nullopt;
  }
  constexpr const char *Names[] = {"kernel", "architecture", "GPU", "choice"};
  for (size_t i = 0; i + 1 < Fields; ++i)
    if (parts[i].empty() || parts[i].front() == ' ' || parts[i].back() == ' ') {
      mistake = fmt::format("expected a {} in field {}, found `{}`", Names[i], i + 1, parts[i]);
      return std::nullopt;
    }
  if (!isArchitecture(parts[1])) {
    mistake = fmt::format("expected an architecture such as `sm_90a`, found `{}`", parts[1]);
    return std::nullopt;
  }
  std::optional<double> time = numberOf(parts[4]);
  if (!time) {
    mistake = fmt::format("expected microseconds, found `{}`", parts[4]);
    return std::nullopt;
  }
  return LockLine{std::string(parts[0]), std::string(parts[1]), std::string(parts[2]),
                  std::string(parts[3]), *time};
}

/// A field as a file can hold it.
std::string clean(std::string_view text) {
  std::string result;
  for (char c : text)
    result += static_cast<unsigned char>(c) < ' ' || c == '|' || c == 0x7f ? '_' : c;
  return result;
}

} // namespace

LockFile LockFile::parse(std::string_view text, std::vector<LockMistake> &mistakes) {
  LockFile file;
  unsigned number = 0;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (number == 1 && line != Head) {
      mistakes.push_back(
          {1, fmt::format("expected `{}`: this is no lock file of this version", Head)});
      return file;
    }
    if (line.empty() || line.front() == '#')
      continue;
    std::string mistake;
    std::optional<LockLine> read = readLine(line, mistake);
    if (read) {
      read->line = number;
      auto [place, isNew] = file.lines.try_emplace({read->key, read->arch}, *read);
      if (!isNew)
        mistake = fmt::format("the kernel has a line for {} already: line {}", read->arch,
                              place->second.line);
    }
    if (!mistake.empty())
      mistakes.push_back({number, mistake});
  }
  if (number == 0)
    mistakes.push_back({1, fmt::format("expected `{}`: the file is empty", Head)});
  return file;
}

std::string LockFile::text() const {
  std::string text = fmt::format("{}\n{}\n", Head, Columns);
  for (const auto &[key, line] : lines)
    text += fmt::format("{1}{0}{2}{0}{3}{0}{4}{0}{5:.2f}\n", Between, line.key, line.arch, line.gpu,
                        line.choice, line.microseconds);
  return text;
}

const LockLine *LockFile::find(const std::string &key, const std::string &arch) const {
  auto found = lines.find({key, arch});
  return found == lines.end() ? nullptr : &found->second;
}

void LockFile::set(LockLine line) {
  line.gpu = line.gpu.empty() ? "unknown" : clean(line.gpu);
  std::pair<std::string, std::string> place(line.key, line.arch);
  lines.insert_or_assign(std::move(place), std::move(line));
}

} // namespace nnc::codegen
