// The command line of nnc-run.
#ifndef NNC_TOOLS_NNCRUN_OPTIONS_H
#define NNC_TOOLS_NNCRUN_OPTIONS_H

#include "runtime/Tensor.h"

#include <map>
#include <optional>

namespace nnc::run {

/// "name=path", or only a path.
struct Place {
  std::string name; ///< of an input or output; empty: not given
  std::string path;
};

struct Options {
  std::string model;
  std::string entry; ///< empty: the only one, or `forward`
  std::optional<Device> device;
  std::vector<Place> inputs, outputs, compares;
  std::vector<Place> then; ///< further calls in the session: each with one input replaced
  unsigned repeat = 1;     ///< how often the last call is made
  std::optional<uint64_t> randomSeed;  ///< fill the inputs that are not given
  std::map<std::string, int64_t> dims; ///< sizes of random inputs
  uint64_t seed = 0;                   ///< of the numbers that the model draws
  double rtol = 1e-5, atol = 1e-6;
  bool info = false, bench = false, profile = false;
  bool json = false; ///< of the profile
  std::string trace; ///< of the profile: where a trace goes
  std::string gpu;   ///< whose rates the profile's floors are of; empty: the one that it ran on
};

/// Parses the command line. Nothing: there is nothing to do but to exit with `status` (--help, or a
/// mistake that has been reported).
std::optional<Options> parseOptions(int argc, char **argv, int &status);

/// Prints "nnc-run: error: ..." and returns the exit status of a failure.
int report(const Error &error);

} // namespace nnc::run

#endif
