#include "proxy/worker/verifier.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "handoff/insist.hpp"

namespace baton::proxy {

namespace {

constexpr unsigned threads_max = 2;
constexpr int niceness = 10;  // workers come first

struct Job {
  std::weak_ptr<Verifier::Question> question;
  std::shared_ptr<LoopAddress> loop;
};

}  // namespace

// Its threads share it, and may outlive the verifier.
struct Verifier::State {
  struct Waiting {
    std::deque<Job> jobs;
    unsigned threads = 0;
    unsigned idle = 0;
    bool has_ended = false;
  };
  handoff::Guarded<Waiting> waiting;
  std::condition_variable changed;

  // Nothing: the verifier has ended.
  std::optional<Job> next() {
    auto now = waiting.lock();
    ++now->idle;
    now.wait(changed, [](const Waiting& it) { return it.has_ended || !it.jobs.empty(); });
    --now->idle;
    if (now->has_ended) return std::nullopt;
    Job job = std::move(now->jobs.front());
    now->jobs.pop_front();
    return job;
  }
};

namespace {

bool verify(const routing::Passwords& passwords, const std::string& credentials) {
  // A browser asks on several connections at once.
  if (passwords.remembers(credentials)) return true;
  if (!passwords.verify(credentials)) return false;
  passwords.remember(credentials);
  return true;
}

void answer(const Job& job) {
  const std::shared_ptr<Verifier::Question> question = job.question.lock();
  if (!question) return;
  bool is_good = false;
  try {
    is_good = verify(*question->question.passwords, question->question.credentials);
  } catch (const std::bad_alloc&) {
  }
  handoff::insist([&] {
    job.loop->post([of = job.question, is_good] {
      if (const auto still = of.lock()) still->then(is_good);
    });
  });
}

}  // namespace

Verifier::Verifier() : state_(std::make_shared<State>()) {}

Verifier::~Verifier() {
  state_->waiting.lock()->has_ended = true;
  state_->changed.notify_all();
}

bool Verifier::ask(const std::shared_ptr<Question>& question, std::shared_ptr<LoopAddress> loop) {
  auto now = state_->waiting.lock();
  // Those whose client has gone, or asks again after a reload, wait no longer.
  if (now->jobs.size() >= waiting_max) std::erase_if(now->jobs, [](const Job& job) { return job.question.expired(); });
  if (now->jobs.size() >= waiting_max) return false;
  if (now->idle <= now->jobs.size() && now->threads < threads_max) {
    try {
      std::thread([state = state_] {
        ::pthread_setname_np(::pthread_self(), "passwords");
        ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness);
        while (const auto job = state->next()) answer(*job);
      }).detach();
      ++now->threads;
    } catch (const std::system_error&) {
      if (now->threads == 0) return false;
    }
  }
  now->jobs.push_back({question, std::move(loop)});
  state_->changed.notify_one();
  return true;
}

}  // namespace baton::proxy
