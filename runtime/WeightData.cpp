#include "runtime/WeightData.h"
#include "runtime/format/Hash.h"

#include <filesystem>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

/// Maps one checkpoint and makes sure that it is the one that the model was compiled with.
static Result<MappedFile> openFile(const WeightFileT &wanted, const std::string &name) {
  std::filesystem::path path = wanted.path;
  if (path.is_relative())
    path = std::filesystem::path(name).parent_path() / path;
  Result<MappedFile> file = MappedFile::open(path.string());
  if (!file)
    return Error{fmt::format("cannot load {}: its weights are in another file: {}", name,
                             file.error().message)};
  if (file->bytes().size() != wanted.size)
    return Error{fmt::format("cannot load {}: {} has {} bytes, but had {} when the model was "
                             "compiled with it: compile it again",
                             name, path.string(), file->bytes().size(), wanted.size)};
  if (hash(file->bytes()) != wanted.hash)
    return Error{fmt::format("cannot load {}: {} has changed since the model was compiled with it: "
                             "compile it again",
                             name, path.string())};
  return file;
}

Result<WeightData> WeightData::open(const ModelT &model, const Container &container,
                                    const std::string &name, std::vector<Bytes> given) {
  WeightData data;
  for (const std::unique_ptr<WeightFileT> &file : model.weight_files) {
    Result<MappedFile> opened = file->path.empty() ? MappedFile() : openFile(*file, name);
    if (!opened)
      return opened.error();
    data.files.push_back(std::move(*opened));
  }
  for (size_t i = 0; i < model.weights.size(); ++i) {
    const WeightT &weight = *model.weights[i];
    auto file = static_cast<size_t>(weight.file);
    Bytes bytes = weight.file < 0 ? container.section(section::Weights) : data.files[file].bytes();
    if (weight.file >= 0 && model.weight_files[file]->path.empty()) {
      if (i >= given.size() || given[i].size() != weight.bytes)
        return Error{
            fmt::format("cannot load {}: nothing holds its weight `{}`", name, weight.name)};
      data.weights.push_back(given[i]);
    } else {
      data.weights.push_back(bytes.subspan(weight.offset, weight.bytes));
    }
  }
  return data;
}
