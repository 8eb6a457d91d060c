//===- FormatFuzzer.cpp - Any bytes as the files that nnc reads -----------------------------===//
//
// The first byte says as what: a checkpoint, an array, a model.bin, or the plan of one (whose
// hashes are made right, so that what is behind them is reached too). Nothing crashes; what a
// reader accepts can be read to its end.
//
//===----------------------------------------------------------------------------------------===//

#include "runtime/format/Container.h"
#include "runtime/format/Npy.h"
#include "runtime/format/Plan.h"
#include "runtime/format/PlanText.h"
#include "runtime/format/Safetensors.h"
#include "runtime/format/SafetensorsHeader.h"
#include "test/fuzz/Touch.h"

#include <cstdint>
#include <numeric>

using namespace nnc::format;
using nnc::fuzz::Bytes;
using nnc::fuzz::touch;

namespace {

void readCheckpoint(Bytes bytes) {
  if (auto tensors = parseSafetensors(bytes, "fuzz"))
    for (const StoredTensor &tensor : *tensors)
      touch(tensor.data);
}

void readHeader(Bytes bytes) {
  (void)parseSafetensorsHeader({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

void readArray(Bytes bytes) {
  if (auto array = parseNpy(bytes, "fuzz"))
    touch(array->data);
}

void readContainer(const Container &container) {
  auto model = readModel(container, "fuzz");
  if (!model)
    return;
  (void)planText(**model, PlanDetail::Full);
  for (const auto &entry : (*model)->entries)
    (void)peakMemory(**model, *entry);
}

void readModelFile(Bytes bytes) {
  if (auto container = Container::fromMemory(bytes, "fuzz"))
    readContainer(*container);
}

void readPlan(Bytes bytes) {
  static const std::vector<std::byte> other(4096);
  ContainerWriter writer;
  writer.add(section::Plan, bytes);
  for (std::string_view name : {section::Weights, section::Cpu, section::Cubins, section::Source})
    writer.add(name, other);
  auto container = Container::fromMemory(writer.toMemory(), "fuzz");
  if (!container)
    __builtin_trap();
  readContainer(*container);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  constexpr void (*kReaders[])(Bytes) = {readCheckpoint, readHeader, readArray, readModelFile,
                                         readPlan};
  Bytes bytes(reinterpret_cast<const std::byte *>(data) + 1, size - 1);
  kReaders[data[0] % std::size(kReaders)](bytes);
  return 0;
}
