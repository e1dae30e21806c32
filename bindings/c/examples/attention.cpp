// The C interface from C++: handles that free themselves, failures that throw.
//
// c++ -std=c++17 attention.cpp -o attention $(pkg-config --cflags --libs ruvector-attention)
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <ruvector_attention.h>

namespace {

void check(rvattn_status status) {
  if (status != RVATTN_OK) throw std::runtime_error(rvattn_last_error_message());
}

struct Free {
  void operator()(rvattn_attention *handle) const { rvattn_attention_free(handle); }
  void operator()(rvattn_state *handle) const { rvattn_state_free(handle); }
};

template <typename T>
using Handle = std::unique_ptr<T, Free>;

Handle<rvattn_attention> hyperbolic(double curvature) {
  rvattn_attention *handle = nullptr;
  check(rvattn_hyperbolic_new(curvature, &handle));
  return Handle<rvattn_attention>(handle);
}

Handle<rvattn_state> state(const rvattn_attention *attention, const std::vector<float> &query, std::size_t value_dim) {
  rvattn_state *handle = nullptr;
  check(rvattn_state_new(attention, query.data(), query.size(), query.size(), value_dim, nullptr, &handle));
  return Handle<rvattn_state>(handle);
}

}  // namespace

int main() try {
  const auto attention = hyperbolic(1.0);
  const std::vector<float> query{0.1f, 0.2f}, points{0.5f, 0.0f, -0.5f, 0.0f, 0.0f, 0.7f, 0.0f, -0.7f};
  std::vector<float> whole(2), merged(2);
  check(rvattn_forward(attention.get(), query.data(), 2, 2, points.data(), 8, points.data(), 8, nullptr, whole.data(), 2));

  // An attention serves any number of threads; each reduces its shard of the keys.
  auto left = state(attention.get(), query, 2), right = state(attention.get(), query, 2);
  std::thread other([&] { check(rvattn_state_push(right.get(), points.data() + 4, 4, points.data() + 4, 4, nullptr, 0)); });
  check(rvattn_state_push(left.get(), points.data(), 4, points.data(), 4, nullptr, 0));
  other.join();
  check(rvattn_state_merge(left.get(), right.get()));
  check(rvattn_state_finish(left.get(), merged.data(), 2));
  for (std::size_t i = 0; i < 2; i++)
    if (std::fabs(whole[i] - merged[i]) > 1e-6f) throw std::runtime_error("the shards do not give the whole");
  std::printf("midpoint %g %g\n", static_cast<double>(merged[0]), static_cast<double>(merged[1]));

  try {
    hyperbolic(-1.0);
  } catch (const std::runtime_error &error) {
    std::printf("refused: %s\n", error.what());
    return 0;
  }
  throw std::runtime_error("a negative curvature was accepted");
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
