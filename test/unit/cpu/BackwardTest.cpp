//===- BackwardTest.cpp - kernels of backward passes on the cpu -----------===//

#include "Harness.h"

#include "test/unit/BackwardModels.h"

#include <gtest/gtest.h>

using namespace nnc::test;

/// Sizes are those of the models that have some: an odd and an even image.
TEST(Backward, Kernels) {
  for (const BackwardModel &model : backwardModels()) {
    SCOPED_TRACE(model.name);
    checkModel(model.text, {{2, 5}, {1, 4}});
  }
}
