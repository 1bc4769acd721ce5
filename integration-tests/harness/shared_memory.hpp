// Memory of a file that a test shares with a module that it preloads into Baton.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

namespace baton::harness {

// In the module: what the file holds that this environment variable names; null without one.
template <class T>
T* shared_by_test(const char* variable) {
  const char* const path = std::getenv(variable);
  const int file = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return nullptr;
  void* const memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return memory != MAP_FAILED ? static_cast<T*>(memory) : nullptr;
}

// In the test, before Baton starts.
template <class T>
class SharedWithModule {
 public:
  explicit SharedWithModule(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void* const memory = file >= 0 && ::ftruncate(file, sizeof(T)) == 0
                             ? ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                             : MAP_FAILED;
    ::close(file);
    if (memory == MAP_FAILED) throw std::runtime_error("cannot share " + path);
    shared_ = new (memory) T;
  }
  ~SharedWithModule() { ::munmap(shared_, sizeof(T)); }
  SharedWithModule(const SharedWithModule&) = delete;
  SharedWithModule& operator=(const SharedWithModule&) = delete;

  T* operator->() const { return shared_; }

 private:
  T* shared_;
};

}  // namespace baton::harness
