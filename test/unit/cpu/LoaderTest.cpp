//===- LoaderTest.cpp - objects that are damaged, foreign or fine ---------===//

#include "Harness.h"

#include <cmath>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>
#include <random>

using namespace nnc;
using namespace nnc::test;

/// An object with constants, several functions and a call of libm.
static std::string makeObject() {
  Model model = makeModel(R"(
    func.func @f(%x: tensor<37xf32>, %w: tensor<5x37xf32>) -> (tensor<37xf32>, tensor<5xf32>)
        attributes {nn.entry, nn.dims = []} {
      %0 = nn.sin %x : tensor<37xf32>
      %1 = nn.reduce sum %w {axes = array<i64: 1>} : tensor<5x37xf32> -> tensor<5xf32>
      %2 = nn.tanh %1 : tensor<5xf32>
      return %0, %2 : tensor<37xf32>, tensor<5xf32>
    })");
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {"x86-64"});
  EXPECT_TRUE(object) << object.error().message;
  return object->elf;
}

static Result<rt::LoadedObject> load(const std::string &elf) {
  return rt::LoadedObject::load(std::as_bytes(std::span(elf)));
}

TEST(ObjectLoader, FindsOnlyKernels) {
  Result<rt::LoadedObject> loaded = load(makeObject());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->find("sinf"), nullptr);
  EXPECT_EQ(loaded->find(""), nullptr);
  rt::LoadedObject moved = std::move(*loaded);
}

TEST(ObjectLoader, RefusesTruncated) {
  std::string elf = makeObject();
  for (size_t size = 0; size < elf.size(); size += size < 256 ? 1 : 37)
    EXPECT_FALSE(load(elf.substr(0, size))) << size;
}

TEST(ObjectLoader, SurvivesMutations) {
  std::string elf = makeObject();
  std::mt19937 random(1);
  Elf64_Ehdr header;
  std::memcpy(&header, elf.data(), sizeof(header));
  for (int round = 0; round < 20000; ++round) {
    std::string changed = elf;
    // Mostly in the headers, where it hurts.
    for (unsigned i = 0; i <= random() % 3; ++i) {
      size_t at = random() % 3 == 0 ? random() % elf.size()
                                    : header.e_shoff + random() % (elf.size() - header.e_shoff);
      changed[at] = char(random() % 2 ? random() : (random() % 2 ? 0xff : 0));
    }
    (void)load(changed);
  }
}

TEST(ObjectLoader, NamesTheMachine) {
  std::string elf = makeObject();
  uint16_t machine = EM_AARCH64;
  std::memcpy(elf.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof(machine));
  Result<rt::LoadedObject> loaded = load(elf);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, "the cpu code of the model is for another machine (ELF machine "
                                    "183) and not for x86-64");
}

TEST(ObjectLoader, RefusesOtherExterns) {
  std::string elf = makeObject();
  size_t at = elf.find(std::string("\0sinf\0", 6));
  ASSERT_NE(at, std::string::npos);
  std::memcpy(elf.data() + at + 1, "exit", 4);
  Result<rt::LoadedObject> loaded = load(elf);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message,
            "the cpu code of the model calls 'exit', which this runtime does not offer");
}

TEST(CpuFeatures, AreChecked) {
  Model model = makeModel(R"(
    func.func @f(%x: tensor<37xf32>) -> tensor<37xf32> attributes {nn.entry, nn.dims = []} {
      %0 = nn.neg %x : tensor<37xf32>
      return %0 : tensor<37xf32>
    })");
  Result<codegen::CpuObject> native = codegen::compileForCpu(model.kernels, {});
  ASSERT_TRUE(native);
  EXPECT_TRUE(rt::checkCpuFeatures(native->features));
  std::vector<std::string> unknown = {"sse3", "quantum"};
  Result<void> checked = rt::checkCpuFeatures(unknown);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message,
            "the model needs the cpu feature 'quantum', which this version does not know");
}

TEST(CpuFeatures, UnknownCpuIsRefused) {
  Model model = makeModel(R"(
    func.func @f(%x: tensor<37xf32>) -> tensor<37xf32> attributes {nn.entry, nn.dims = []} {
      %0 = nn.neg %x : tensor<37xf32>
      return %0 : tensor<37xf32>
    })");
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {"cray-1"});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().message,
            "'cray-1' is not an x86-64 cpu that is known here; examples are "
            "native, x86-64, x86-64-v3, x86-64-v4");
}

/// One kernel of `function` on `values`.
static std::vector<double> computeFunction(const std::string &function,
                                           const std::vector<double> &values) {
  std::string type = "tensor<" + std::to_string(values.size()) + "xf32>";
  Model model = makeModel("func.func @f(%x: " + type + ") -> " + type +
                          " attributes {nn.entry, nn.dims = []} {\n%0 = nn." + function +
                          " %x : " + type + "\nreturn %0 : " + type + "\n}");
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {});
  Result<rt::LoadedObject> loaded = load(object->elf);
  Array x{{int64_t(values.size())}, values};
  return runKernel(model.kernels[0], *object, 0, *loaded, {x}, {}).front().data;
}

TEST(MathFunctions, AreAccurate) {
  std::pair<const char *, double (*)(double)> functions[] = {
      {"exp", std::exp}, {"log", std::log}, {"atan", std::atan}, {"tanh", std::tanh},
      {"erf", std::erf}, {"sin", std::sin}, {"cos", std::cos}};
  std::mt19937 random(1);
  for (auto [name, reference] : functions) {
    std::vector<double> values = {0.0,   -0.0,     INFINITY, -INFINITY, NAN,   1e-40, -1e-40,
                                  88.7,  88.8,     -87.5,    -103.9,    -110,  100,   1,
                                  -1,    3.4e38,   -3.4e38,  1.1e-38,   0.625, 1e-20, 5000.5,
                                  0.999, 1.000001, 4.0,      -4.0,      9.1,   20};
    for (int i = 0; i < 100000; ++i) {
      double unit = double(random()) / double(std::mt19937::max()) * 2 - 1;
      values.push_back(i % 2 ? unit * 20 : std::exp(unit * 80));
    }
    for (double &value : values)
      value = float(value);
    std::vector<double> got = computeFunction(name, values);
    for (size_t i = 0; i < values.size(); ++i) {
      double want = float(reference(values[i]));
      if ((std::isnan(want) && std::isnan(got[i])) || want == got[i])
        continue;
      double unit = std::max(std::fabs(want) * 0x1p-23, 0x1p-149);
      ASSERT_LE(std::fabs(want - got[i]), 4 * unit)
          << name << "(" << values[i] << ") = " << got[i] << ", not " << want;
    }
  }
}
