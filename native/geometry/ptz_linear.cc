#include "ptz_linear.hpp"

#include <algorithm>
#include <cmath>

namespace sightline::geometry::ptz {

bool invert(const Matrix& matrix, Matrix* out) {
  const std::size_t n = matrix.size();
  Matrix lower(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = matrix.at(i, j);
      for (std::size_t k = 0; k < j; ++k) sum -= lower.at(i, k) * lower.at(j, k);
      if (i != j) {
        lower.at(i, j) = sum / lower.at(j, j);
        continue;
      }
      if (!(sum > matrix.at(i, i) * 1e-13)) return false;
      lower.at(i, i) = std::sqrt(sum);
    }
  }
  // Columns of the inverse: forward, then backward substitution.
  std::vector<double> column(n);
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t i = 0; i < n; ++i) {
      double sum = i == c ? 1 : 0;
      for (std::size_t k = 0; k < i; ++k) sum -= lower.at(i, k) * column[k];
      column[i] = sum / lower.at(i, i);
    }
    for (std::size_t i = n; i-- > 0;) {
      double sum = column[i];
      for (std::size_t k = i + 1; k < n; ++k) sum -= lower.at(k, i) * column[k];
      column[i] = sum / lower.at(i, i);
      out->at(i, c) = column[i];
    }
  }
  return true;
}

Matrix product(const Matrix& a, const Matrix& b) {
  const std::size_t n = a.size();
  Matrix out(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < n; ++k) {
      const double left = a.at(i, k);
      if (left == 0) continue;
      for (std::size_t j = 0; j < n; ++j) out.at(i, j) += left * b.at(k, j);
    }
  }
  return out;
}

std::vector<double> product(const Matrix& a, std::span<const double> v) {
  std::vector<double> out(a.size(), 0.0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a.size(); ++j) out[i] += a.at(i, j) * v[j];
  }
  return out;
}

double student_975(double degrees) {
  const double n = std::max(degrees, 1.0);
  const double z = 1.959963984540054, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  if (n < 3) return n < 2 ? 12.706 - (n - 1) * 8.403 : 4.303 - (n - 2) * 1.121;
  return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

}  // namespace sightline::geometry::ptz
