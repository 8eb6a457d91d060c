#include "runtime/format/FileCache.h"
#include "TestFiles.h"

#include <gtest/gtest.h>

#include <chrono>
#include <sys/wait.h>
#include <unistd.h>

using namespace nnc::format;
namespace fs = std::filesystem;

/// All files of a cache.
static std::vector<fs::path> filesIn(const std::string &folder) {
  std::vector<fs::path> files;
  for (const auto &item : fs::recursive_directory_iterator(folder))
    if (item.is_regular_file())
      files.push_back(item.path());
  return files;
}

TEST(FileCache, findsWhatWasStored) {
  TemporaryFolder folder;
  FileCache cache(folder.path("cache"));
  EXPECT_EQ(cache.find("key"), std::nullopt);
  cache.store("key", "bytes");
  cache.store("other key", "");
  EXPECT_EQ(cache.find("key"), "bytes");
  EXPECT_EQ(cache.find("other key"), "");
  EXPECT_EQ(cache.find("third key"), std::nullopt);
  EXPECT_EQ(FileCache(folder.path("cache")).find("key"), "bytes");
  cache.store("key", "new bytes");
  EXPECT_EQ(cache.find("key"), "new bytes");
  EXPECT_EQ(filesIn(folder.path("cache")).size(), 2u);
}

TEST(FileCache, offAndUnusableFolders) {
  FileCache off("");
  off.store("key", "bytes");
  off.trim();
  EXPECT_EQ(off.find("key"), std::nullopt);
  TemporaryFolder folder;
  FileCache inAFile(folder.write("file", "text") + "/cache");
  inAFile.store("key", "bytes");
  EXPECT_EQ(inAFile.find("key"), std::nullopt);
  EXPECT_EQ(folder.read("file"), "text");
}

TEST(FileCache, damagedEntriesAreIgnoredAndReplaced) {
  TemporaryFolder folder;
  FileCache cache(folder.path("cache"));
  cache.store("key", "some bytes");
  fs::path file = filesIn(folder.path("cache")).front();
  std::ifstream stream(file, std::ios::binary);
  std::string whole{std::istreambuf_iterator<char>(stream), {}};
  auto write = [&](std::string_view text) { std::ofstream(file, std::ios::binary) << text; };
  for (size_t size = 0; size < whole.size(); ++size) {
    write(std::string_view(whole).substr(0, size));
    EXPECT_EQ(cache.find("key"), std::nullopt) << size;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] ^= 4;
    write(changed);
    EXPECT_EQ(cache.find("key"), std::nullopt) << at;
  }
  write(whole + "more");
  EXPECT_EQ(cache.find("key"), std::nullopt);
  cache.store("key", "some bytes");
  EXPECT_EQ(cache.find("key"), "some bytes");
}

TEST(FileCache, anEntryUnderAnotherNameIsNotUsed) {
  TemporaryFolder folder;
  FileCache cache(folder.path("cache"));
  cache.store("a", "of a");
  fs::path ofA = filesIn(folder.path("cache")).front();
  cache.store("b", "of b");
  for (const fs::path &file : filesIn(folder.path("cache")))
    if (file != ofA)
      fs::copy_file(ofA, file, fs::copy_options::overwrite_existing);
  EXPECT_EQ(cache.find("b"), std::nullopt);
  EXPECT_EQ(cache.find("a"), "of a");
}

TEST(FileCache, removesTheLeastRecentlyUsed) {
  TemporaryFolder folder;
  constexpr uint64_t Limit = 100'000;
  FileCache cache(folder.path("cache"), Limit);
  std::string bytes(9'000, 'x');
  auto age = fs::file_time_type::clock::now() - std::chrono::hours(100);
  for (int i = 0; i < 20; ++i) {
    cache.store(std::to_string(i), bytes + std::to_string(i));
    for (const fs::path &file : filesIn(folder.path("cache")))
      if (fs::last_write_time(file) > age + std::chrono::hours(50))
        fs::last_write_time(file, age + std::chrono::minutes(i));
  }
  EXPECT_TRUE(cache.find("3")); // now the last one used
  cache.trim();
  uint64_t total = 0;
  for (const fs::path &file : filesIn(folder.path("cache")))
    total += fs::file_size(file);
  EXPECT_LE(total, Limit);
  EXPECT_GT(total, Limit / 2);
  EXPECT_TRUE(cache.find("3"));
  EXPECT_TRUE(cache.find("19"));
  EXPECT_FALSE(cache.find("0"));
  EXPECT_FALSE(cache.find("4"));
  size_t before = filesIn(folder.path("cache")).size();
  cache.trim();
  EXPECT_EQ(filesIn(folder.path("cache")).size(), before) << "below the limit nothing is removed";
}

TEST(FileCache, trimRemovesNothingOfOthers) {
  TemporaryFolder folder;
  fs::create_directories(folder.path("cache/notes"));
  folder.write("cache/notes/text", std::string(1000, 'x'));
  folder.write("cache/text", std::string(1000, 'x'));
  FileCache cache(folder.path("cache"), 100);
  cache.store("key", std::string(20, 'x'));
  cache.store("key 2", std::string(20, 'x'));
  cache.trim();
  EXPECT_EQ(filesIn(folder.path("cache")).size(), 3u);
}

/// Several processes write and read the same keys: everyone sees whole entries only.
TEST(FileCache, concurrentProcesses) {
  TemporaryFolder folder;
  constexpr int Processes = 6, Rounds = 150, Keys = 5;
  std::vector<pid_t> children;
  for (int process = 0; process < Processes; ++process) {
    pid_t child = fork();
    if (child == 0) {
      FileCache cache(folder.path("cache"), 40'000);
      bool isWhole = true;
      for (int round = 0; round < Rounds; ++round) {
        std::string key = std::to_string(round % Keys);
        std::string wanted(4'000 + 100 * (round % Keys), key[0]);
        if (auto found = cache.find(key))
          isWhole &= *found == wanted;
        cache.store(key, wanted);
        if (round % 10 == process)
          cache.trim();
      }
      _exit(isWhole ? 0 : 1);
    }
    ASSERT_GT(child, 0);
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  FileCache cache(folder.path("cache"));
  for (const fs::path &file : filesIn(folder.path("cache")))
    EXPECT_EQ(file.extension(), "") << "left over: " << file;
}

TEST(FileCache, keysKeepPartsApart) {
  EXPECT_NE(CacheKey().add("ab").add("c").text(), CacheKey().add("a").add("bc").text());
  EXPECT_NE(CacheKey().add("").text(), CacheKey().text());
}
