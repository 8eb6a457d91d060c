// nnc-run as a user sees it: the whole text of its output.
#include "../format/TestFiles.h"

#include <cstdio>
#include <gtest/gtest.h>
#include <sys/wait.h>

namespace {

struct Outcome {
  int status;
  std::string text; ///< stdout and stderr
};

/// Runs nnc-run on the test model in `folder`.
Outcome run(const TemporaryFolder &folder, const std::string &arguments,
            const std::string &model = NNC_TEST_MODEL) {
  std::string command = "cd " + folder.path("") + " && " NNC_TEST_RUN " " + model + " " + arguments;
  std::FILE *pipe = popen((command + " 2>&1").c_str(), "r");
  std::string text;
  char chunk[4096];
  while (size_t count = std::fread(chunk, 1, sizeof(chunk), pipe))
    text.append(chunk, count);
  int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text};
}

class NncRun : public testing::Test {
protected:
  void expectFailure(const std::string &arguments, const std::string &message) {
    Outcome outcome = run(folder, arguments);
    EXPECT_EQ(outcome.status, 1) << arguments;
    EXPECT_EQ(outcome.text, "nnc-run: error: " + message + "\n");
  }

  TemporaryFolder folder;
};

} // namespace

TEST_F(NncRun, showsOutputs) {
  Outcome outcome = run(folder, "--entry tick");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.text, "n: i64[] = 1\n");
}

TEST_F(NncRun, writesReadsAndCompares) {
  Outcome first = run(folder, "--random 1 --dim B=3 --output out.safetensors "
                              "--output sums=sums.npy");
  EXPECT_EQ(first.status, 0);
  EXPECT_EQ(first.text, "");
  Outcome second = run(folder, "--random 1 --dim B=3 --compare out.safetensors "
                               "--compare sums=sums.npy");
  EXPECT_EQ(second.status, 0);
  EXPECT_EQ(second.text, "output `scaled` agrees: largest difference 0\n"
                         "output `sums` agrees: largest difference 0\n"
                         "output `sums` agrees: largest difference 0\n");
  Outcome other = run(folder, "--random 2 --dim B=3 --compare sums=sums.npy");
  EXPECT_EQ(other.status, 1);
  EXPECT_TRUE(other.text.starts_with("nnc-run: error: output `sums` differs in 3 of 3 elements "
                                     "(rtol 1e-05, atol 1e-06): largest difference "))
      << other.text;
  // An output of one call as the input of another.
  EXPECT_EQ(run(folder, "--input x=out.safetensors").status, 1);
  EXPECT_EQ(run(folder, "--random 1 --dim B=3 --output scaled=x.npy").status, 0);
  EXPECT_EQ(run(folder, "--input x.npy --output sums=sums.npy").status, 0);
  EXPECT_EQ(folder.count(), 3u);
}

TEST_F(NncRun, describes) {
  Outcome outcome = run(folder, "--info");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_TRUE(outcome.text.starts_with(
      "model Tiny, target cpu (x86_64-linux-gnu, x86-64), made by nnc 0.1.0\n"))
      << outcome.text;
}

TEST_F(NncRun, measures) {
  Outcome bench = run(folder, "--random 1 --bench");
  EXPECT_EQ(bench.status, 0);
  EXPECT_TRUE(bench.text.starts_with("forward on cpu, tensors on cpu: median ")) << bench.text;
  Outcome profile = run(folder, "--random 1 --profile");
  EXPECT_EQ(profile.status, 0);
  EXPECT_NE(profile.text.find("fc.scale"), std::string::npos) << profile.text;
  EXPECT_NE(profile.text.find("tiny.nn:12:5"), std::string::npos) << profile.text;
}

TEST_F(NncRun, mistakes) {
  expectFailure("", "`forward` needs the input `x`: f32[B, 4]");
  expectFailure("--entry tock", "there is no entry point `tock`; did you mean `tick`?");
  expectFailure("--random 1 --dim C=3", "`forward` has no dimension `C`; did you mean `B`?");
  expectFailure("--random 1 --dim B", "--dim takes NAME=SIZE, found `B`");
  expectFailure("--random 1 --dim B=2000",
                "`forward`: B = 2000 (axis 0 of `x`) is outside 1..=1024");
  expectFailure("--input x=none.npy", "cannot open none.npy: No such file or directory");
  expectFailure("--input x=x.txt", "unknown kind of file `x.txt`; there are .npy and .safetensors");
  expectFailure("--random 1 --output y.npy", "which output goes to y.npy? Write NAME=y.npy");
  expectFailure("--random 1 --output y=y.npy", "there is no output `y`");
  expectFailure("--random 1 --output sums=/nowhere/y.npy",
                "cannot write /nowhere/y.npy: No such file or directory");
  expectFailure("--device gpu", "unknown device `gpu`; there are `cpu`, `cuda` and `cuda:N`");
  expectFailure("--random 1 --device cuda",
                NNC_TEST_MODEL " is compiled for cpu, not for cuda: compile it with --target cuda");
  EXPECT_EQ(folder.count(), 0u);
}

TEST_F(NncRun, brokenModels) {
  folder.write("x.bin", "no model");
  Outcome outcome = run(folder, "", "x.bin");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.text, "nnc-run: error: x.bin is not a model.bin\n");
}

#ifdef NNC_TEST_STRIP
/// The program and the library together, stripped.
TEST_F(NncRun, staysUnderTwoMegabytes) {
  uintmax_t bytes = 0;
  for (const char *file : {NNC_TEST_RUN, NNC_TEST_LIBRARY}) {
    std::string stripped = folder.path("stripped");
    std::string command = std::string(NNC_TEST_STRIP) + " -o " + stripped + " " + file;
    ASSERT_EQ(std::system(command.c_str()), 0);
    bytes += std::filesystem::file_size(stripped);
  }
  EXPECT_LT(bytes, 2'000'000u);
}
#endif
