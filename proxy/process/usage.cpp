#include "proxy/process/usage.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>

namespace baton::process {

namespace {

std::uint64_t entries_of(const char* path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path), &::closedir);
  if (!folder) return 0;
  std::uint64_t entries = 0;
  while (const dirent* const entry = ::readdir(folder.get())) {
    if (entry->d_name[0] != '.') ++entries;
  }
  return entries;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

Usage usage() {
  Usage usage;
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0) usage.cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime);
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  if (std::ifstream file("/proc/self/statm"); file >> pages >> resident) {
    const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = pages * page_bytes;
    usage.resident_bytes = resident * page_bytes;
  }
  usage.open_descriptors = entries_of("/proc/self/fd");
  if (usage.open_descriptors != 0) --usage.open_descriptors;  // the one that reads the folder
  usage.threads = entries_of("/proc/self/task");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.descriptors_max = limit.rlim_cur;
  return usage;
}

}  // namespace baton::process
