#include "ptz_match.hpp"

#include <limits>

namespace sightline::geometry::ptz {

namespace {

constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

}  // namespace

std::vector<Pair> match(const Kernels& kernels, const Descriptors& a, const Descriptors& b, Metric metric, double ratio) {
  std::vector<Pair> pairs;
  const DistanceRow distances = metric == Metric::euclidean ? kernels.euclidean : kernels.hamming;
  if (a.count == 0 || b.count < 2) return pairs;
  std::vector<std::uint32_t> row(b.count);
  std::vector<std::uint32_t> best_of_a(a.count, none);
  std::vector<std::uint32_t> nearest_to_b(b.count, none), distance_to_b(b.count, none);
  // Euclidean distances are squared, so the ratio is, too.
  const double limit = metric == Metric::euclidean ? ratio * ratio : ratio;
  for (std::uint32_t i = 0; i < a.count; ++i) {
    distances(a.data + i * a.bytes, b.data, b.count, b.bytes, row.data());
    std::uint32_t best = none, second = none, at = 0;
    for (std::uint32_t j = 0; j < b.count; ++j) {
      const std::uint32_t distance = row[j];
      if (distance < second) {
        if (distance < best) {
          second = best;
          best = distance;
          at = j;
        } else {
          second = distance;
        }
      }
      if (distance < distance_to_b[j]) {
        distance_to_b[j] = distance;
        nearest_to_b[j] = i;
      }
    }
    if (best < limit * second) best_of_a[i] = at;
  }
  for (std::uint32_t i = 0; i < a.count; ++i) {
    if (best_of_a[i] != none && nearest_to_b[best_of_a[i]] == i) pairs.push_back({i, best_of_a[i]});
  }
  return pairs;
}

}  // namespace sightline::geometry::ptz
