// What every data set is to training: a number of examples, each with the same named fields, that
// can be read in any order from any thread.
#pragma once

#include "runtime/Tensor.h"
#include "tools/nnc-train/data/Random.h"

#include <map>

namespace nnc::train {

class ImageTransform;

/// A tensor of every example.
struct Field {
  /// A size that examples do not fix: they are made as large as they are asked for.
  static constexpr int64_t AnySize = -1;

  std::string name;
  DType dtype; ///< as it is stored; of images that can be nothing else, f32
  std::vector<int64_t> shape;
  bool isImage = false; ///< [channels, height, width], which the transform makes floats of
};

/// Where one field of one example goes: dense, row-major.
struct Target {
  DType dtype;
  std::span<const int64_t> shape;
  std::span<std::byte> memory;
  const ImageTransform &transform;
  Random *random; ///< of this example, for augmentation; null: none
};

class Dataset {
public:
  virtual ~Dataset() = default;
  /// What it is called in messages: its folder or file.
  virtual const std::string &name() const = 0;
  /// How many examples there are when fields of any size have `length` (1 if there are none).
  virtual size_t size(int64_t length = 1) const = 0;
  virtual std::span<const Field> fields() const = 0;
  /// What the numbers of the field `label` stand for; empty if that is not known.
  virtual std::vector<std::string> classes() const { return {}; }
  /// Writes one field of one example. The target's type and shape fit the field (checkField).
  /// Errors name the file and the example: unreadable, out of range.
  virtual Result<void> read(size_t example, size_t field, const Target &target) const = 0;
};

/// The examples of one --data: some to train with, others to evaluate with (null if there are
/// none).
struct Data {
  std::shared_ptr<const Dataset> train, test;
  /// Mean and standard deviation of pixels in 0..1, by channel; empty: of no use.
  std::vector<double> mean, deviation;
};

/// Opens what a specification names: `mnist:DIR`, `fashion-mnist:DIR`, `cifar10:DIR`,
/// `cifar100:DIR`, `images:DIR`, `tensors:FILE`, `arrays:NAME=FILE,...`, `text:FILE`. Errors:
/// unknown kind, missing or malformed files.
Result<Data> openData(const std::string &specification);

Result<Data> openMnist(const std::string &folder);
Result<Data> openCifar(const std::string &folder,
                       bool isFine); ///< CIFAR-100's fine labels, or CIFAR-10
Result<Data> openImages(const std::string &folder);
Result<Data> openTensors(const std::string &path);
Result<Data> openArrays(const std::string &list);
Result<Data> openText(const std::string &path);

/// Part of another data set.
std::shared_ptr<const Dataset> subset(std::shared_ptr<const Dataset> whole,
                                      std::vector<size_t> examples);

/// Whether `field` of `data` can be read as one example of an input of this type and shape; the
/// error says what is wrong, about `input`.
Result<void> checkField(const Dataset &data, const Field &field, const std::string &input,
                        DType dtype, std::span<const int64_t> shape);

/// Writes stored numbers in another type: floats to floats, integers to integers. Errors (a
/// clause): an integer that does not fit.
Result<void> convertElements(DType from, std::span<const std::byte> source, DType to,
                             std::span<std::byte> target);

} // namespace nnc::train
