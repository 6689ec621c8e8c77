// Symmetric positive definite systems of a few hundred unknowns.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace sightline::geometry::ptz {

/// Square, row by row.
class Matrix {
 public:
  explicit Matrix(std::size_t size) : size_(size), values_(size * size, 0.0) {}
  double& at(std::size_t row, std::size_t column) { return values_[row * size_ + column]; }
  double at(std::size_t row, std::size_t column) const { return values_[row * size_ + column]; }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_;
  std::vector<double> values_;
};

/// The inverse of a symmetric positive definite matrix by Cholesky; false, and `out` undefined, when it is not definite.
bool invert(const Matrix& matrix, Matrix* out);
Matrix product(const Matrix& a, const Matrix& b);
std::vector<double> product(const Matrix& a, std::span<const double> v);

/// The 97.5 % quantile of Student's distribution (Cornish-Fisher with the first three terms; exact enough from 3 degrees of freedom on).
double student_975(double degrees);

}  // namespace sightline::geometry::ptz
