#include "TestModel.h"

#include "runtime/DLPack.h"

#include <gtest/gtest.h>

using namespace nnc;

/// Sanitizers end the program where malloc fails, unless they are told to return null as it does.
extern "C" const char *__asan_default_options() { return "allocator_may_return_null=1"; }

TEST(Tensor, refusesWhatCannotBe) {
  auto error = [](std::vector<int64_t> shape) {
    Result<Tensor> tensor = Tensor::empty(DType::F32, shape);
    return tensor ? "" : tensor.error().message;
  };
  EXPECT_EQ(error({2, -1}), "f32[2, -1] has a negative size");
  EXPECT_EQ(error({1L << 40, 1L << 40}), "f32[1099511627776, 1099511627776] is too large");
  EXPECT_EQ(error({1L << 46}), "not enough memory for f32[70368744177664]");
  EXPECT_EQ(error(std::vector<int64_t>(17, 1)), "a tensor has 17 axes; at most 16 are supported");
  EXPECT_EQ(error({0, 1L << 62, 1L << 62}), "");
}

TEST(Tensor, isAlignedAndShared) {
  Tensor tensor = tensorOf<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 64, 0u);
  Tensor copy = tensor;
  copy.values<float>()[0] = 9;
  EXPECT_EQ(tensor.values<float>()[0], 9);
}

TEST(Device, parse) {
  EXPECT_EQ(*Device::parse("cpu"), Device::cpu());
  EXPECT_EQ(*Device::parse("cuda"), Device::cuda(0));
  EXPECT_EQ(*Device::parse("cuda:3"), Device::cuda(3));
  for (const char *wrong : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999"})
    EXPECT_EQ(Device::parse(wrong).error().message,
              "unknown device `" + std::string(wrong) + "`; there are `cpu`, `cuda` and `cuda:N`");
}

TEST(DLPack, roundTripSharesTheMemory) {
  Tensor tensor = tensorOf<int64_t>({2, 2}, {1, 2, 3, 4});
  DLManagedTensor *exported = tensor.toDLPack();
  ASSERT_TRUE(exported);
  EXPECT_EQ(exported->dl_tensor.ndim, 2);
  Result<Tensor> back = Tensor::fromDLPack(exported);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->data(), tensor.data());
  EXPECT_EQ(back->dtype(), DType::I64);
  EXPECT_EQ(zeros(DType::F8E4M3, {1}).toDLPack(), nullptr);
}

/// A managed tensor whose deleter counts.
struct Foreign {
  float data[6] = {0, 1, 2, 3, 4, 5};
  int64_t shape[2] = {2, 3}, strides[2] = {3, 1};
  int deleted = 0;
  DLManagedTensor managed = {};

  Foreign() {
    managed.dl_tensor = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, strides, 0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor *self) {
      ++static_cast<Foreign *>(self->manager_ctx)->deleted;
    };
  }
  std::string error() {
    Result<Tensor> tensor = Tensor::fromDLPack(&managed);
    return tensor ? "" : tensor.error().message;
  }
};

TEST(DLPack, deletesOnce) {
  Foreign foreign;
  {
    Result<Tensor> tensor = Tensor::fromDLPack(&foreign.managed);
    ASSERT_TRUE(tensor);
    Tensor copy = *tensor;
    EXPECT_EQ(copy.values<float>()[5], 5);
    EXPECT_EQ(foreign.deleted, 0);
  }
  EXPECT_EQ(foreign.deleted, 1);
}

TEST(DLPack, refusals) {
  Foreign strided;
  strided.strides[0] = 4;
  EXPECT_EQ(strided.error(), "a DLPack tensor is not dense row-major; make it contiguous first");
  EXPECT_EQ(strided.deleted, 1);
  Foreign complex;
  complex.managed.dl_tensor.dtype.code = 5;
  EXPECT_EQ(complex.error(),
            "a DLPack tensor has an unsupported element type (code 5, 32 bits, 1 lanes)");
  Foreign elsewhere;
  elsewhere.managed.dl_tensor.device.device_type = static_cast<DLDeviceType>(10);
  EXPECT_EQ(elsewhere.error(), "a DLPack tensor is on an unsupported device (type 10)");
}
