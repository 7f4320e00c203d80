#include "src/loaded_model.h"

#include "engine/error.h"

namespace longsight::addon {

void LoadedModel::Stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_.store(true);
  for (std::atomic<bool>* cancel : running_) cancel->store(true);
}

LoadedModel::Running::Running(LoadedModel& model, std::atomic<bool>& cancel)
    : model_(model), cancel_(cancel) {
  const std::lock_guard<std::mutex> lock(model_.mutex_);
  if (model_.stopped()) throw Error(ErrorCode::kEngineStopped, "the model has been disposed of");
  model_.running_.insert(&cancel_);
}

LoadedModel::Running::~Running() {
  const std::lock_guard<std::mutex> lock(model_.mutex_);
  model_.running_.erase(&cancel_);
}

}  // namespace longsight::addon
