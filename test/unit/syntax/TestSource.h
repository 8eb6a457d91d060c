//===- TestSource.h - Sources and diagnostics for tests -------------------------------------===//

#ifndef NNC_TEST_UNIT_SYNTAX_TESTSOURCE_H
#define NNC_TEST_UNIT_SYNTAX_TESTSOURCE_H

#include "frontend/syntax/Syntax.h"

#include <filesystem>
#include <string>
#include <vector>

namespace nnc::syntax {

/// One source file in memory.
struct TestSource {
  SourceManager sources;
  Diagnostics diags;
  FileId file;

  explicit TestSource(std::string text, std::string name = "test.nn") {
    file = *sources.addText(std::move(name), std::move(text), diags);
  }

  /// A file whose given lines stand at the given numbers; the others are empty.
  static std::string lines(const std::vector<std::pair<unsigned, std::string>> &lines) {
    std::string text;
    unsigned current = 1;
    for (const auto &[number, line] : lines) {
      for (; current < number; ++current)
        text += '\n';
      text += line;
    }
    return text + '\n';
  }

  /// The first occurrence of `what` in a line.
  Span find(unsigned line, std::string_view what) const {
    Span whole = sources.lineSpan(file, line);
    size_t pos = sources.text(whole).find(what);
    auto begin = static_cast<uint32_t>(whole.begin + pos);
    return {file, begin, begin + static_cast<uint32_t>(what.size())};
  }

  std::string rendered() const { return render(sources, diags, {}); }
};

/// The errors of parsing `text`, as printed.
inline std::string errorsOf(std::string text, std::string name = "test.nn") {
  TestSource source(std::move(text), std::move(name));
  parseFile(source.sources, source.file, source.diags);
  return source.rendered();
}

/// All .nn files of the tests, the examples and the prelude.
inline std::vector<std::string> exampleFiles() {
  std::vector<std::string> paths;
  for (std::string folder : {std::string(NNC_UNIT_DATA), std::string(NNC_SOURCE_DIR "/examples"),
                             std::string(NNC_SOURCE_DIR "/frontend/library/prelude"),
                             std::string(NNC_SOURCE_DIR "/frontend/library/std")}) {
    if (!std::filesystem::exists(folder))
      continue;
    for (const auto &entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".nn")
        paths.push_back(entry.path());
  }
  return paths;
}

} // namespace nnc::syntax

#endif // NNC_TEST_UNIT_SYNTAX_TESTSOURCE_H
