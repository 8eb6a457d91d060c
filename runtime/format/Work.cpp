#include "runtime/format/Work.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <set>

using namespace nnc;
using namespace nnc::format;

namespace {

constexpr double Tera = 1e12;

/// Copy, read, 16-bit, TF32 and f32 of the H200 are of long runs of copies and of square products.
constexpr GpuRates Rates[] = {
    {"H200", true, 4.28 * Tera, 4.39 * Tera, 795 * Tera, 411 * Tera, 51 * Tera, 1e-6},
    {"H100", false, 3.35 * Tera, 3.35 * Tera, 989 * Tera, 494 * Tera, 67 * Tera, 1e-6},
    {"A100", false, 2.04 * Tera, 2.04 * Tera, 312 * Tera, 156 * Tera, 19.5 * Tera, 1e-6},
};

/// Counts work at one set of sizes.
class Counter {
public:
  Counter(const EntryT &entry, std::span<const int64_t> dims) : entry(entry), dims(dims) {}

  StepWork count(const StepT &step) const {
    if (const LoopT *loop = step.what.AsLoop())
      return countLoop(*loop);
    StepWork work;
    work.launches = 1;
    for (const BufferTraffic &traffic : trafficOf(step))
      (traffic.isWritten ? work.written : work.read) += traffic.bytes;
    if (const LaunchT *launch = step.what.AsLaunch())
      addLaunch(*launch, work);
    else if (const GemmT *gemm = step.what.AsGemm())
      addGemm(*gemm, work);
    return work;
  }

  std::vector<BufferTraffic> trafficOf(const StepT &step) const {
    std::vector<BufferTraffic> list;
    auto whole = [&](int64_t buffer, bool isWritten) {
      if (buffer >= 0)
        list.push_back(
            {static_cast<uint32_t>(buffer), bytesOf(static_cast<uint32_t>(buffer)), isWritten});
    };
    if (const LaunchT *launch = step.what.AsLaunch())
      return trafficOf(*launch);
    if (const GemmT *gemm = step.what.AsGemm()) {
      for (int64_t buffer :
           {int64_t{gemm->a}, int64_t{gemm->b}, int64_t{gemm->bias}, int64_t{gemm->residual}})
        whole(buffer, false);
      whole(gemm->d, true);
    } else if (const CopyT *copy = step.what.AsCopy()) {
      double bytes = value(entry.exprs, copy->bytes);
      list = {{copy->src, bytes, false}, {copy->dst, bytes, true}};
    }
    return list;
  }

private:
  /// 0 for what has no value: the plan was verified, but figures are not.
  double value(const std::vector<std::unique_ptr<ExprT>> &pool, uint32_t index) const {
    Result<int64_t> result = evaluate(*pool[index], dims);
    return result ? static_cast<double>(std::max<int64_t>(*result, 0)) : 0;
  }
  double bytesOf(uint32_t buffer) const { return value(entry.exprs, entry.buffers[buffer]->bytes); }

  /// Nothing reads more of an operand than there is.
  std::vector<BufferTraffic> trafficOf(const LaunchT &launch) const {
    std::vector<BufferTraffic> list;
    for (size_t i = 0; i < launch.buffers.size(); ++i) {
      double bytes = bytesOf(launch.buffers[i]);
      bool isWritten = launch.work && i >= launch.work->reads.size();
      if (launch.work) {
        uint32_t figure =
            isWritten ? launch.work->writes[i - launch.work->reads.size()] : launch.work->reads[i];
        bytes = std::min(bytes, value(entry.figures, figure));
      }
      list.push_back({launch.buffers[i], bytes, isWritten});
    }
    return list;
  }

  void addLaunch(const LaunchT &launch, StepWork &work) const {
    if (!launch.work)
      return;
    work.products = value(entry.figures, launch.work->products);
    work.operations = value(entry.figures, launch.work->operations);
    work.precision = launch.work->precision;
  }

  void addGemm(const GemmT &gemm, StepWork &work) const {
    double results =
        value(entry.exprs, gemm.m) * value(entry.exprs, gemm.n) * value(entry.exprs, gemm.batch);
    work.products = 2 * results * value(entry.exprs, gemm.k);
    bool isActivated = gemm.epilogue != Epilogue::None;
    work.operations = results * ((gemm.bias >= 0) + (gemm.residual >= 0) + isActivated);
    bool isHalf = dtypeBytes(static_cast<DType>(entry.buffers[gemm.d]->dtype)) == 2;
    work.precision = isHalf ? Precision::Half : gemm.tf32 ? Precision::Tf32 : Precision::F32;
  }

  /// What a kernel of the whole loop brings and takes: what no step changes once, and what is
  /// another part of memory in every iteration. What steps leave each other stays on the chip.
  class LoopTraffic {
  public:
    LoopTraffic(const Counter &counter, const LoopT &loop) : counter(counter) {
      for (size_t buffer = 0; buffer < counter.entry.buffers.size(); ++buffer)
        if (counter.entry.buffers[buffer]->kind == BufferKind::Loop)
          changing.insert(static_cast<uint32_t>(buffer));
      for (const std::unique_ptr<StepT> &step : loop.steps)
        for (const BufferTraffic &traffic : counter.trafficOf(*step))
          if (traffic.isWritten)
            changing.insert(traffic.buffer);
      for (const std::unique_ptr<StackedT> &stacked : loop.stacked)
        changing.erase(stacked->slot);
    }

    void add(const StepT &step, double length, StepWork &work) {
      for (const BufferTraffic &traffic : counter.trafficOf(step)) {
        if (changing.contains(traffic.buffer))
          continue;
        bool isWhole = !traffic.isWritten && traffic.bytes == counter.bytesOf(traffic.buffer);
        double times = !isWhole ? length : kept.insert(traffic.buffer).second ? 1 : 0;
        (traffic.isWritten ? work.written : work.read) += traffic.bytes * times;
      }
    }

  private:
    const Counter &counter;
    std::set<uint32_t> changing, kept;
  };

  StepWork countLoop(const LoopT &loop) const {
    StepWork work;
    double length = value(entry.exprs, loop.length);
    LoopTraffic traffic(*this, loop);
    for (const std::unique_ptr<StepT> &step : loop.steps) {
      StepWork inner = count(*step);
      if (loop.kernel < 0 || step->what.AsLoop()) {
        work.read += inner.read * length;
        work.written += inner.written * length;
      } else {
        traffic.add(*step, length, work);
      }
      work.products += inner.products * length;
      work.operations += inner.operations * length;
      work.launches += inner.launches * length;
      if (inner.products > 0)
        work.precision = inner.precision;
    }
    if (loop.kernel >= 0)
      work.launches = 1;
    return work;
  }

  const EntryT &entry;
  std::span<const int64_t> dims;
};

} // namespace

StepWork format::workOf(const StepT &step, const EntryT &entry, std::span<const int64_t> dims) {
  return Counter(entry, dims).count(step);
}

std::vector<BufferTraffic> format::trafficOf(const StepT &step, const EntryT &entry,
                                             std::span<const int64_t> dims) {
  return Counter(entry, dims).trafficOf(step);
}

const GpuRates *format::findGpuRates(std::string_view name) {
  std::string upper(name);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const GpuRates &rates : Rates)
    if (upper.find(rates.name) != std::string::npos)
      return &rates;
  return nullptr;
}

std::string format::knownGpus() {
  std::string names;
  for (const GpuRates &rates : Rates)
    names += fmt::format("{}`{}`", names.empty() ? "" : ", ", rates.name);
  return names;
}

const char *format::boundName(Bound bound) {
  switch (bound) {
  case Bound::Launch:
    return "launch";
  case Bound::Memory:
    return "memory";
  case Bound::Products:
    return "products";
  case Bound::Arithmetic:
    return "arithmetic";
  }
  return "";
}

/// What is read and written in equal parts runs at the rate of copies, the rest at that of reads.
Floor format::floorOf(const StepWork &work, const GpuRates &rates) {
  double copied = 2 * std::min(work.read, work.written);
  double memory = copied / rates.copy + (work.bytes() - copied) / rates.read;
  double perSecond = work.precision == Precision::Half   ? rates.half
                     : work.precision == Precision::Tf32 ? rates.tf32
                                                         : rates.f32;
  const std::pair<double, Bound> parts[] = {
      {work.launches * rates.launch, Bound::Launch},
      {memory, Bound::Memory},
      {work.products / perSecond, Bound::Products},
      {work.operations / rates.f32, Bound::Arithmetic},
  };
  auto longest = std::ranges::max_element(parts, {}, [](const auto &part) { return part.first; });
  double most = std::max({parts[1].first, parts[2].first, parts[3].first});
  return {1e3 * (parts[0].first + most), longest->second};
}

std::string format::countText(double count) {
  const char *unit = "";
  for (const char *next : {"k", "M", "G", "T", "P"}) {
    if (count < 1000)
      break;
    count /= 1000;
    unit = next;
  }
  return *unit ? fmt::format("{:.3g} {}", count, unit) : fmt::format("{:.0f}", count);
}
