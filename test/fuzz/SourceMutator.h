//===- SourceMutator.h - Changes to a source that keep most of it meaningful ----------------===//
//
// Bytes changed at random rarely get past the parser. These changes work on tokens and lines: names
// become other names of the text, numbers other numbers, lines move, repeat, or come from another
// source.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_TEST_FUZZ_SOURCEMUTATOR_H
#define NNC_TEST_FUZZ_SOURCEMUTATOR_H

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::fuzz {

using Random = std::minstd_rand;

/// \param words what may be put in for a name, beside the names of the text.
std::string mutateSource(std::string text, const std::vector<std::string_view> &words,
                         Random &random);

/// Some lines of `other` within `text`.
std::string spliceSources(const std::string &text, const std::string &other, Random &random);

} // namespace nnc::fuzz

#endif // NNC_TEST_FUZZ_SOURCEMUTATOR_H
