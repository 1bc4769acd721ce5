#include "proxy/supervisor/worker_line.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "handoff/supervision.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/supervisor/door.hpp"

namespace baton::supervisor {

namespace log = runtime::log;

namespace {

// How long our exit may take when the supervisor does not read.
constexpr std::chrono::seconds last_words_limit{1};

handoff::UniqueFd copy_of(int descriptor) { return handoff::UniqueFd(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3)); }

}  // namespace

std::unique_ptr<WorkerLine> WorkerLine::from_environment() {
  const auto number = handoff::take_left_descriptor(handoff::supervisor_variable);
  if (!number || !is_unix_socket(*number, SOCK_SEQPACKET)) return nullptr;
  ::fcntl(*number, F_SETFD, FD_CLOEXEC);
  handoff::UniqueFd door(*number);
  const pid_t supervisor = maker_of(door.get());
  handoff::UniqueFd line = bring_line(door.get());
  if (!line) return nullptr;
  return std::make_unique<WorkerLine>(std::move(door), std::move(line), supervisor);
}

WorkerLine::WorkerLine(handoff::UniqueFd door, handoff::UniqueFd line, pid_t supervisor)
    : door_(std::move(door)), line_(std::move(line)), supervisor_(supervisor) {}

WorkerLine::~WorkerLine() { end(); }

void WorkerLine::announce(Announcement announcement) {
  Sending sending{std::move(announcement), {}};
  handoff::Estate& estate = sending.announcement.estate;
  for (handoff::OfferedSocket& socket : estate.sockets) {
    sending.copies.push_back(copy_of(socket.descriptor));
    socket.descriptor = sending.copies.back().get();
  }
  if (estate.executable >= 0) {
    sending.copies.push_back(copy_of(estate.executable));
    estate.executable = sending.copies.back().get();
  }
  if (!std::ranges::all_of(sending.copies, [](const handoff::UniqueFd& copy) { return bool(copy); })) {
    log::error("cannot tell the supervisor what to keep for a crash: no descriptor is free");
    return;
  }
  queue(std::move(sending));
}

void WorkerLine::succeeded_by(pid_t successor, bool foreign) { queue(Successor{successor, foreign}); }

void WorkerLine::leave() { queue(Leaving{}); }

bool WorkerLine::sent_within(std::chrono::milliseconds limit) {
  return outbox_.lock().wait_for(changed_, limit,
                                 [](const Outbox& outbox) { return outbox.queue.empty() && !outbox.is_sending; });
}

void WorkerLine::end() {
  if (!sender_.joinable()) return;
  (void)sent_within(last_words_limit);
  outbox_.lock()->is_ending = true;
  changed_.notify_all();
  line_.shut_down();                         // wakes a sender that waits for room
  sender_.join();
}

void WorkerLine::queue(Message message) {
  {
    auto outbox = outbox_.lock();
    if (outbox->is_ending) return;
    if (!sender_.joinable()) sender_ = std::thread([this] { send_all(); });
    if (std::holds_alternative<Sending>(message)) {
      std::erase_if(outbox->queue, [](const Message& waiting) { return std::holds_alternative<Sending>(waiting); });
    }
    outbox->queue.push_back(std::move(message));
  }
  changed_.notify_all();
}

void WorkerLine::send_all() {
  auto outbox = outbox_.lock();
  for (;;) {
    outbox.wait(changed_, [](const Outbox& now) { return now.is_ending || !now.queue.empty(); });
    if (outbox->is_ending) return;
    const Message message = std::move(outbox->queue.front());
    outbox->queue.pop_front();
    outbox->is_sending = true;
    outbox.unlocked([&] {
      const auto sent = handoff::as_result([&] { return send(message); });
      if (!sent && sent.error().fault != handoff::Fault::closed)
        log::error("cannot reach the supervisor: {}", sent.error().text);
    });
    outbox->is_sending = false;
    changed_.notify_all();
  }
}

handoff::Result<void> WorkerLine::send(const Message& message) {
  const auto forever = handoff::no_deadline;
  if (const auto* sending = std::get_if<Sending>(&message)) {
    const Announcement& said = sending->announcement;
    return handoff::tell_estate(line_, said.self, said.features, said.estate, forever);
  }
  if (const auto* successor = std::get_if<Successor>(&message)) {
    return handoff::tell_succession(line_, {successor->pid, successor->foreign}, forever);
  }
  return handoff::tell_end(line_, forever);
}

}  // namespace baton::supervisor
