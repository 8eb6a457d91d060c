//===- ScatterSchedule.cpp - Sums of rows by number on their template -------------------------===//
//
// scatter.cuh does the work; here it is decided how many rows a block owns. Like KernelBody.cpp
// this knows the nn dialect, for a scatter is not lowered to linalg.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "codegen/cuda/ScalarOps.h"
#include "ir/NNOps.h"
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

/// As many rows as leave some blocks for every multiprocessor, but few enough that ids are not read
/// for nothing.
static int64_t chooseRows(int64_t places) {
  constexpr int64_t MostRows = 16, WantedBlocks = 512;
  int64_t rows = 1;
  while (rows < MostRows && places / (2 * rows) >= WantedBlocks)
    rows *= 2;
  return rows;
}

Result<Scheduled> scheduleScatter(const KernelBody &body) {
  auto op = cast<nn::ScatterAddOp>(body.block->front());
  Writing writing(body);
  IndexMath &math = writing.math;
  SmallVector<AffineExpr> dims = nn::getDims(op.getType());
  auto axis = static_cast<size_t>(op.getAxis());
  auto product = [&](ArrayRef<AffineExpr> sizes) {
    return math.simplify(nn::getProduct(sizes, op.getContext()));
  };
  AffineExpr tables = product(ArrayRef(dims).take_front(axis)), places = math.simplify(dims[axis]);
  AffineExpr columns = product(ArrayRef(dims).drop_front(axis + 1));
  AffineExpr count = product(nn::getDims(op.getIds().getType()));
  auto input = [](Value value) { return cast<BlockArgument>(value).getArgNumber(); };

  Scheduled scheduled;
  scheduled.threads = body.threads ? body.threads : 256;
  int64_t rows = chooseRows(typicalValue(body, math, places));
  AffineExpr blocks = math.simplify(places.ceilDiv(rows));
  CodeWriter &out = writing.out;
  out.line(fmt::format("const Index places = {}, count = {}, columns = {}, blocks = {};",
                       math.text(places), math.text(count), math.text(columns), math.text(blocks)));
  out.line("const Index table = (Index)blockId / blocks;");
  out.line(fmt::format("scatterAdd<{}, {}>((Index)blockId % blocks, places, count, columns, in{}, "
                       "in{} + table * count * columns, out0 + table * places * columns);",
                       scheduled.threads, rows, input(op.getIds()), input(op.getValues())));
  scheduled.statements = out.take();
  scheduled.headers = {"scatter.cuh"};
  scheduled.blocks = tables * blocks;
  scheduled.staticShared = 2 * scheduled.threads * 4 + scheduled.threads / 32 * 4;
  return scheduled;
}

} // namespace nnc::codegen
