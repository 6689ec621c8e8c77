#include "axis.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace sightline::pixels {
namespace {

using std::int64_t;
using std::size_t;

constexpr size_t cached_axes = 16;
constexpr int shuffle_window = 8;
constexpr int shuffle_steps_max = 3;  // beyond, plain loads of 8 taps are faster

size_t at(int index) { return static_cast<size_t>(index); }

/// One output's taps as exact integers: weight[k] / sum.
struct Taps {
  int first = 0;
  std::vector<int64_t> weight;
};

/// The input is `length / subsample` samples long. In units of 1 / (subsample * out) samples, output i covers
/// [i * length, (i + 1) * length) and sample k covers [k * unit, (k + 1) * unit).
Taps area_taps(const AxisKey& key, int i) {
  const int64_t unit = int64_t{key.subsample} * key.out;
  const int64_t low = int64_t{i} * key.length;
  const int64_t high = low + key.length;
  Taps taps;
  taps.first = static_cast<int>(low / unit);
  const int64_t last = (high + unit - 1) / unit;
  for (int64_t k = taps.first; k < last; ++k) {
    taps.weight.push_back(std::min(high, (k + 1) * unit) - std::max(low, k * unit));
  }
  return taps;
}

/// Sample position (i + 0.5) * s - 0.5 in units of 1 / (2 * subsample * out) samples.
Taps linear_taps(const AxisKey& key, int in, int i) {
  const int64_t unit = int64_t{2} * key.subsample * key.out;
  const int64_t position = (int64_t{2} * i + 1) * key.length - unit / 2;
  Taps taps;
  if (position <= 0) {
    taps.weight = {1};
    return taps;
  }
  const int64_t floor = position / unit;
  const int64_t rest = position % unit;
  if (floor >= in - 1) {
    taps.first = in - 1;
    taps.weight = {1};
  } else if (rest == 0) {
    taps.first = static_cast<int>(floor);
    taps.weight = {1};
  } else {
    taps.first = static_cast<int>(floor);
    taps.weight = {unit - rest, rest};
  }
  return taps;
}

/// Rounds weights to integers that add up to `one` exactly; what rounding left over goes to the heaviest tap, where it
/// matters least. Flat input therefore stays flat.
template <class T>
void quantise(const std::vector<int64_t>& exact, int64_t one, T* to) {
  int64_t sum = 0;
  for (const int64_t w : exact) sum += w;
  int64_t left = one;
  size_t heaviest = 0;
  for (size_t k = 0; k < exact.size(); ++k) {
    const int64_t q = (exact[k] * one * 2 + sum) / (sum * 2);
    to[k] = static_cast<T>(q);
    left -= q;
    if (exact[k] > exact[heaviest]) heaviest = k;
  }
  to[heaviest] = static_cast<T>(to[heaviest] + left);
}

/// Most samples that any `outputs` neighbouring outputs (aligned to `outputs`) read together.
int widest_window(const Axis& axis, int outputs) {
  int span = 0;
  for (int i = 0; i < axis.key.out; ++i) {
    const int base = axis.first[at(i / outputs * outputs)];
    span = std::max(span, axis.first[at(i)] + axis.count[at(i)] - base);
  }
  return span;
}

Shuffles make_shuffles(const Axis& axis) {
  Shuffles s;
  const int window = widest_window(axis, 4);
  const int steps = (axis.taps + 1) / 2;
  if (window > 2 * shuffle_window || steps > shuffle_steps_max) return s;
  s.steps = steps;
  s.windows = window > shuffle_window ? 2 : 1;
  const int groups = (axis.key.out + column_group - 1) / column_group * (column_group / 8);
  s.base.resize(at(groups * 2), 0);
  s.index.resize(at(groups * steps * s.windows * 32), 128);
  s.weight.resize(at(groups * steps * 16), 0);
  for (int i = 0; i < axis.key.out; ++i) {
    const int group = i / 8;
    const int half = i / 4 % 2;
    const int base = axis.first[at(i / 4 * 4)];
    s.base[at(group * 2 + half)] = base;
    for (int t = 0; t < axis.count[at(i)]; ++t) {
      const int step = group * steps + t / 2;
      const int lane = i % 4 * 2 + t % 2;
      const int sample = axis.first[at(i)] + t - base;
      const int bytes = ((step * s.windows + sample / shuffle_window) * 2 + half) * 16 + lane * 2;
      s.index[at(bytes)] = static_cast<std::uint8_t>(sample % shuffle_window * 2);
      s.index[at(bytes + 1)] = static_cast<std::uint8_t>(sample % shuffle_window * 2 + 1);
      s.weight[at((step * 2 + half) * 8 + lane)] = axis.column_weight[at(i * axis.block + t)];
    }
  }
  return s;
}

}  // namespace

Axis make_axis(const AxisKey& key) {
  Axis axis;
  axis.key = key;
  axis.in = (key.length + key.subsample - 1) / key.subsample;
  const int64_t unit = int64_t{key.subsample} * key.out;
  axis.copy = key.length == unit;
  std::vector<Taps> all(at(key.out));
  for (int i = 0; i < key.out; ++i) {
    all[at(i)] = key.length > unit ? area_taps(key, i) : linear_taps(key, axis.in, i);
    axis.taps = std::max(axis.taps, static_cast<int>(all[at(i)].weight.size()));
  }
  const int padded = (key.out + column_group - 1) / column_group * column_group;
  axis.first.resize(at(padded), 0);
  axis.count.resize(at(key.out), 0);
  axis.weight.resize(at(key.out * axis.taps), 0.0f);
  const bool columns = key.use == AxisUse::columns;
  if (axis.fixed() && columns) {
    axis.block = (axis.taps + 7) / 8 * 8;
    axis.column_weight.resize(at(padded * axis.block), 0);
  } else if (axis.fixed()) {
    axis.row_weight.resize(at(key.out * axis.taps), 0);
  }
  for (int i = 0; i < key.out; ++i) {
    const Taps& taps = all[at(i)];
    axis.first[at(i)] = taps.first;
    axis.count[at(i)] = static_cast<int>(taps.weight.size());
    int64_t sum = 0;
    for (const int64_t w : taps.weight) sum += w;
    for (size_t k = 0; k < taps.weight.size(); ++k) {
      axis.weight[at(i * axis.taps) + k] = static_cast<float>(static_cast<double>(taps.weight[k]) / static_cast<double>(sum));
    }
    if (!axis.fixed()) continue;
    if (columns) {
      quantise(taps.weight, 1 << column_weight_bits, &axis.column_weight[at(i * axis.block)]);
    } else {
      quantise(taps.weight, row_weight_one, &axis.row_weight[at(i * axis.taps)]);
    }
  }
  if (axis.fixed() && columns) axis.shuffles = make_shuffles(axis);
  return axis;
}

const Axis& cached_axis(const AxisKey& key) {
  // Most recently used first. unique_ptr keeps the addresses stable while entries move.
  thread_local std::array<std::unique_ptr<const Axis>, cached_axes> cache;
  size_t slot = 0;
  while (slot < cached_axes && cache[slot] && !(cache[slot]->key == key)) ++slot;
  if (slot == cached_axes) slot = cached_axes - 1;
  if (!cache[slot] || !(cache[slot]->key == key)) cache[slot] = std::make_unique<const Axis>(make_axis(key));
  for (; slot > 0; --slot) std::swap(cache[slot], cache[slot - 1]);
  return *cache[0];
}

}  // namespace sightline::pixels
