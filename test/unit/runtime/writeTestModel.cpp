// Writes the hand-made model to a file, for tests of programs.
#include "TestModel.h"
#include "runtime/format/AtomicFile.h"

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  std::vector<std::byte> bytes = nnc::makeTestBinary();
  return nnc::format::writeFile(argv[1], std::span<const std::byte>(bytes)) ? 0 : 1;
}
