#include "process_data.hpp"

#include <cstdlib>
#include <limits>
#include <new>
#include <system_error>
#include <utility>

#include "../pixels/pixels.hpp"
#include "fault.hpp"

namespace sightline::addon {
namespace {

Fault no_camera(std::uint32_t handle) {
  return {"CAPTURE_HANDLE", "expected the handle of a running camera, received " + std::to_string(handle)};
}

Fault not_open() { return {"NATIVE_CLOSED", "the pool is not open: openPool() was not called, or close() was"}; }

/// Runs when the process exits, also on process.exit(), which leaves out the cleanup hooks of the main environment.
struct Holder {
  std::shared_ptr<ProcessData> data = std::make_shared<ProcessData>();
  ~Holder() {
    if (data) data->shut_down();
  }
};

}  // namespace

// -- listeners

void Listeners::set_ready(OnReady listener) {
  auto shared = listener ? std::make_shared<const OnReady>(std::move(listener)) : nullptr;
  const std::lock_guard lock(mutex_);
  ready_.swap(shared);
}

void Listeners::set_state(OnState listener) {
  auto shared = listener ? std::make_shared<const OnState>(std::move(listener)) : nullptr;
  const std::lock_guard lock(mutex_);
  state_.swap(shared);
}

void Listeners::ready() {
  std::unique_lock lock(mutex_);
  const auto listener = ready_;
  lock.unlock();
  if (listener) (*listener)();
}

void Listeners::state(const StateEvent& event) {
  std::unique_lock lock(mutex_);
  const auto listener = state_;
  lock.unlock();
  if (listener && !(*listener)(event)) ++state_events_dropped_;
}

// -- pool

ProcessData::ProcessData() {
  const char* wanted = std::getenv("SIGHTLINE_SIMD");
  if (wanted == nullptr || *wanted == '\0' || pixels::set_target(wanted)) return;
  std::string usable;
  for (const std::string_view target : pixels::supported_targets()) usable += (usable.empty() ? "" : ", ") + std::string(target);
  throw Fault("NATIVE_SIMD", "SIGHTLINE_SIMD: expected one of " + usable + ", received \"" + std::string(wanted).substr(0, 40) + "\"");
}

ProcessData::~ProcessData() { shut_down(); }

bool ProcessData::open(const slots::PoolOptions& options) {
  const std::lock_guard one_at_a_time(open_close_mutex_);  // reserving gigabytes takes a while; mutex_ is free meanwhile
  std::shared_ptr<slots::Pool> closing;
  {
    const std::lock_guard lock(mutex_);
    if (pool_ && !closing_) {
      if (pool_->options() == options) return false;
      throw Fault("NATIVE_POOL_EXISTS", "a pool with other options is open: close() it first");
    }
    closing = pool_;
  }
  finish_close_alone(closing);
  std::shared_ptr<slots::Pool> pool;
  try {
    pool = slots::Pool::create(options);
  } catch (const std::bad_alloc&) {
    throw Fault("NATIVE_MEMORY", "the memory of the slot pool cannot be reserved: fewer batches or rows need less");
  }
  pool->on_ready([listeners = listeners_] { listeners->ready(); });
  const std::lock_guard lock(mutex_);
  pool_ = std::move(pool);
  closing_ = false;
  return true;
}

std::shared_ptr<slots::Pool> ProcessData::pool() const {
  const std::lock_guard lock(mutex_);
  if (!pool_ || closing_) throw not_open();
  return pool_;
}

bool ProcessData::is_open() const {
  const std::lock_guard lock(mutex_);
  return pool_ && !closing_;
}

// -- cameras

std::uint32_t ProcessData::add(capture::CameraOptions options) {
  const std::lock_guard lock(mutex_);
  if (!pool_ || closing_) throw not_open();
  if (cameras_.size() >= max_cameras || newest_handle_ == std::numeric_limits<std::uint32_t>::max()) {
    throw Fault("CAPTURE_LIMIT", "expected at most " + std::to_string(max_cameras) + " cameras at once");
  }
  options.handle = newest_handle_ + 1;
  auto on_state = [listeners = listeners_](std::uint32_t handle, std::uint32_t generation, capture::State state,
                                           const std::string& reason) { listeners->state({handle, generation, state, reason}); };
  try {
    auto camera = capture::Camera::start(options, options.analyse ? pool_ : nullptr, std::move(on_state));
    cameras_.emplace(options.handle, Entry{{options.handle, options.generation, std::move(camera)}});
  } catch (const std::system_error& error) {
    throw Fault("CAPTURE_START_FAILED", std::string("the capture thread cannot be started: ") + error.what());
  }
  newest_handle_ = options.handle;
  return options.handle;
}

std::shared_ptr<capture::Camera> ProcessData::camera(std::uint32_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = cameras_.find(handle);
  if (found == cameras_.end() || found->second.removing) throw no_camera(handle);
  return found->second.running.camera;
}

std::function<void()> ProcessData::begin_removal(std::uint32_t handle) {
  const std::lock_guard lock(mutex_);
  const auto found = cameras_.find(handle);
  if (found == cameras_.end() || found->second.removing) throw no_camera(handle);
  found->second.removing = true;  // stays in the map until joined, so that close() waits for it too
  found->second.running.camera->request_stop();
  return [this, handle, camera = found->second.running.camera, pool = pool_]() {
    camera->stop();
    pool->forget(handle);
    const std::lock_guard again(mutex_);
    cameras_.erase(handle);
  };
}

std::vector<RunningCamera> ProcessData::cameras() const {
  const std::lock_guard lock(mutex_);
  std::vector<RunningCamera> all;
  all.reserve(cameras_.size());
  for (const auto& [handle, entry] : cameras_) {
    if (!entry.removing) all.push_back(entry.running);
  }
  return all;
}

// -- end

std::shared_ptr<slots::Pool> ProcessData::begin_close() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  return pool_;
}

void ProcessData::finish_close(const std::shared_ptr<slots::Pool>& pool) {
  const std::lock_guard one_at_a_time(open_close_mutex_);
  finish_close_alone(pool);
}

/// Under open_close_mutex_.
void ProcessData::finish_close_alone(const std::shared_ptr<slots::Pool>& pool) {
  std::vector<std::shared_ptr<capture::Camera>> ending;
  {
    const std::lock_guard lock(mutex_);
    if (!pool || pool_ != pool) return;
    for (const auto& [handle, entry] : cameras_) ending.push_back(entry.running.camera);
  }
  pool->close();
  for (const auto& camera : ending) camera->request_stop();
  for (const auto& camera : ending) camera->stop();
  const std::lock_guard lock(mutex_);
  cameras_.clear();
  pool_.reset();
}

void ProcessData::close(const std::shared_ptr<slots::Pool>& pool) {
  {
    const std::lock_guard lock(mutex_);
    if (pool_ != pool) return;
    closing_ = true;
  }
  finish_close(pool);
}

void ProcessData::shut_down() {
  finish_close(begin_close());
  probing_.stop();
  encoding_.stop();
  stopping_.stop();
}

std::shared_ptr<ProcessData> process_data() {
  static const Holder holder;
  return holder.data;
}

}  // namespace sightline::addon
