// A loaded model as the sessions share it.
#ifndef NNC_RUNTIME_ENGINESTATE_H
#define NNC_RUNTIME_ENGINESTATE_H

#include "runtime/Executor.h"
#include "runtime/WeightData.h"

#include <mutex>

namespace nnc::rt {

class CpuModel;
class CudaModel;

class EngineState {
public:
  static Result<std::shared_ptr<EngineState>> make(format::Container container,
                                                   const std::string &name,
                                                   std::vector<WeightData::Bytes> given = {});
  ~EngineState();

  const format::ModelT &model() const { return *plan; }
  const format::Container &container() const { return file; }
  const std::string &name() const { return title; }
  /// The numbers of Model.weights[index].
  WeightData::Bytes weight(size_t index) const { return weights[index]; }

  /// The position in Model.entries of a general entry, or an error that lists what there is. Of
  /// several of that name (with and without optional inputs) the one that takes exactly `inputs`,
  /// else the first, which takes all.
  Result<size_t> findEntry(std::string_view entry, const TensorMap &inputs) const;
  /// The position of the variant of a general entry that serves the sizes of these inputs, else of
  /// itself.
  size_t chooseVariant(size_t general, const TensorMap &inputs) const;
  /// Memory and code for one session. The executor keeps this state alive.
  static Result<std::unique_ptr<Executor>> makeExecutor(std::shared_ptr<EngineState> state,
                                                        Device device);
  Device defaultDevice() const;

private:
  EngineState(format::Container container, std::string name);
  Result<void> checkDevice(Device device) const;
  Result<std::shared_ptr<CudaModel>> cudaModel(int index);

  format::Container file;
  std::string title;
  std::unique_ptr<format::ModelT> plan;
  WeightData weights;
  std::shared_ptr<CpuModel> cpu;                                // of the cpu target: its code
  std::mutex mutex;                                             // guards `gpus`
  std::vector<std::pair<int, std::shared_ptr<CudaModel>>> gpus; // weights and code per GPU
};

} // namespace nnc::rt

#endif
