#include "runtime/format/AtomicFile.h"
#include "TestFiles.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>

using namespace nnc;
using namespace nnc::format;

TEST(AtomicFile, appearsOnlyWhenCommitted) {
  TemporaryFolder folder;
  std::string path = folder.write("x", "old");
  {
    Result<AtomicFile> file = AtomicFile::create(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(std::string_view("new")));
    EXPECT_EQ(folder.read("x"), "old");
    EXPECT_EQ(folder.count(), 2u);
    ASSERT_TRUE(file->commit());
  }
  EXPECT_EQ(folder.read("x"), "new");
  EXPECT_EQ(folder.count(), 1u);
}

TEST(AtomicFile, leavesNothingBehindWithoutCommit) {
  TemporaryFolder folder;
  {
    Result<AtomicFile> file = AtomicFile::create(folder.path("x"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(std::string_view("new")));
  }
  EXPECT_EQ(folder.count(), 0u);
}

TEST(AtomicFile, missingFolder) {
  Result<void> written = writeFile("/nowhere/x", std::string_view("new"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "cannot write /nowhere/x: No such file or directory");
}

TEST(AtomicFile, directory) {
  TemporaryFolder folder;
  Result<void> written = writeFile(folder.path(""), std::string_view("new"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "cannot write " + folder.path("") + ": it is a directory");
}

TEST(AtomicFile, fullDevice) {
  Result<void> written = writeFile("/dev/full", std::string_view("new"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "cannot write /dev/full: No space left on device");
}

/// A limit on the size of files stands for a full disk.
TEST(AtomicFile, fullDiskKeepsTheOldFile) {
  TemporaryFolder folder;
  std::string path = folder.write("x", "old");
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = {1000, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  Result<void> written = writeFile(path, std::string(2000, 'x'));
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, previous);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "cannot write " + path + ": File too large");
  EXPECT_EQ(folder.read("x"), "old");
  EXPECT_EQ(folder.count(), 1u);
}
