#include "tools/nnc-run/TensorFiles.h"
#include "runtime/format/Half.h"
#include "runtime/format/Npy.h"
#include "tools/nnc-run/Random.h"

#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::run;

namespace {

using Ports = std::vector<std::unique_ptr<PortT>>;

Error unknownKind(const std::string &path) {
  return Error{fmt::format("unknown kind of file `{}`; there are .npy and .safetensors", path)};
}

Result<Tensor> copyOf(const StoredTensor &stored) {
  Result<Tensor> tensor = Tensor::empty(stored.type, stored.shape);
  if (tensor && !stored.data.empty())
    std::memcpy(tensor->data(), stored.data.data(), stored.data.size());
  return tensor;
}

Result<TensorMap> readNpy(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  Result<StoredTensor> stored = parseNpy(file->bytes(), path);
  if (!stored)
    return stored.error();
  Result<Tensor> tensor = copyOf(*stored);
  if (!tensor)
    return tensor.error();
  return TensorMap{{"", std::move(*tensor)}};
}

Result<TensorMap> readCheckpoint(const std::string &path) {
  Result<Checkpoint> checkpoint = Checkpoint::open(path);
  if (!checkpoint)
    return checkpoint.error();
  TensorMap tensors;
  for (const StoredTensor &stored : checkpoint->tensors()) {
    Result<Tensor> tensor = copyOf(stored);
    if (!tensor)
      return tensor.error();
    tensors.add(stored.name, std::move(*tensor));
  }
  return tensors;
}

/// The one tensor of a file that "name=file" means: that of this name, or the only one.
Result<Tensor> pick(const TensorMap &tensors, const Place &place) {
  if (const Tensor *tensor = tensors.find(place.name))
    return *tensor;
  if (tensors.size() == 1)
    return tensors.begin()->tensor;
  return Error{fmt::format("{} has no tensor `{}`", place.path, place.name)};
}

bool hasPort(const Ports &ports, std::string_view name) {
  return std::ranges::any_of(ports, [&](const auto &port) { return port->name == name; });
}

/// Adds what a file without a port's name means: an .npy is the only port, a .safetensors has the
/// ports by name.
Result<void> addUnnamed(const char *what, const TensorMap &tensors, const Place &place,
                        const Ports &ports, TensorMap &found) {
  bool isNpy = tensors.size() == 1 && tensors.begin()->name.empty();
  if (isNpy && ports.size() != 1)
    return Error{fmt::format("which {} is {}? Write NAME={}", what, place.path, place.path)};
  for (const NamedTensor &item : tensors)
    if (isNpy)
      found.add(ports[0]->name, item.tensor);
    else if (hasPort(ports, item.name))
      found.add(item.name, item.tensor);
  return {};
}

StoredTensor stored(const std::string &name, const Tensor &tensor) {
  auto *data = static_cast<const std::byte *>(tensor.data());
  return {
      name, tensor.dtype(), {tensor.shape().begin(), tensor.shape().end()}, {data, tensor.bytes()}};
}

/// The one output of a .npy.
Result<void> writeArray(const std::string &path, const StoredTensor &array) {
  if (!dtypeInfo(array.type).numpy.empty())
    return writeNpy(path, array);
  StoredTensor wide{array.name, DType::F32, array.shape, {}};
  std::vector<std::byte> bytes(array.data.size() / dtypeBytes(array.type) * sizeof(float));
  convertFloats(array.type, array.data.data(), DType::F32, bytes.data(),
                bytes.size() / sizeof(float));
  wide.data = bytes;
  return writeNpy(path, wide);
}

/// An only result that the model does not name is called `output`; people may call it as they like.
bool isUnnamedResult(std::string_view portName, size_t ports) {
  return ports == 1 && portName == "output";
}

/// The outputs that "name=file" or "file" asks for.
Result<std::vector<StoredTensor>> chosen(const Place &place, const TensorMap &outputs) {
  std::vector<StoredTensor> list;
  for (const NamedTensor &item : outputs)
    if (place.name.empty() || place.name == item.name)
      list.push_back(stored(item.name, item.tensor));
    else if (isUnnamedResult(item.name, outputs.size()))
      list.push_back(stored(place.name, item.tensor));
  if (list.empty())
    return Error{fmt::format("there is no output `{}`", place.name)};
  return list;
}

} // namespace

Result<TensorMap> run::readTensors(const std::string &path) {
  if (path.ends_with(".npy"))
    return readNpy(path);
  if (path.ends_with(".safetensors") || path.ends_with(".safetensors.index.json"))
    return readCheckpoint(path);
  return unknownKind(path);
}

Result<TensorMap> run::readPorts(const char *what, const std::vector<Place> &places,
                                 const Ports &ports) {
  TensorMap found;
  for (const Place &place : places) {
    Result<TensorMap> tensors = readTensors(place.path);
    if (!tensors)
      return tensors;
    if (place.name.empty()) {
      Result<void> added = addUnnamed(what, *tensors, place, ports, found);
      if (!added)
        return added.error();
      continue;
    }
    Result<Tensor> tensor = pick(*tensors, place);
    if (!tensor)
      return tensor.error();
    bool renamed =
        what == std::string_view("output") && isUnnamedResult(ports[0]->name, ports.size());
    found.add(renamed ? ports[0]->name : place.name, std::move(*tensor));
  }
  return found;
}

Result<TensorMap> run::readInputs(const Options &options, const EntryT &entry) {
  Result<TensorMap> inputs = readPorts("input", options.inputs, entry.inputs);
  if (!inputs || !options.randomSeed)
    return inputs;
  Result<void> filled = addRandomInputs(*inputs, entry, options.dims, *options.randomSeed);
  if (!filled)
    return filled.error();
  return inputs;
}

Result<Tensor> run::convertTo(DType type, const Tensor &tensor) {
  Result<Tensor> converted = Tensor::empty(type, tensor.shape());
  if (converted)
    convertFloats(tensor.dtype(), tensor.data(), type, converted->data(), tensor.elements());
  return converted;
}

Result<void> run::writeOutputs(const std::vector<Place> &places, const TensorMap &outputs) {
  for (const Place &place : places) {
    Result<std::vector<StoredTensor>> list = chosen(place, outputs);
    if (!list)
      return list.error();
    bool isNpy = place.path.ends_with(".npy");
    if (!isNpy && !place.path.ends_with(".safetensors"))
      return unknownKind(place.path);
    if (isNpy && list->size() != 1)
      return Error{fmt::format("which output goes to {}? Write NAME={}", place.path, place.path)};
    Result<void> written =
        isNpy ? writeArray(place.path, list->front()) : writeSafetensors(place.path, *list);
    if (!written)
      return written;
  }
  return {};
}
