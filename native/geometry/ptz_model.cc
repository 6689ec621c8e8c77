#include "ptz_model.hpp"

#include <cmath>

namespace sightline::geometry::ptz {

Camera with(const Camera& camera, const Lens& lens) {
  return {camera.fx, camera.fy, camera.cx + lens.cx, camera.cy + lens.cy, camera.k1 + lens.k1, camera.k2 + lens.k2};
}

Camera now_with(const Camera& camera, const Lens& lens) {
  Camera out = with(camera, lens);
  out.k1 += lens.k1_change;
  return out;
}

Undistorted undistort(const Camera& camera, double zoom, double px, double py) {
  const double xd = (px - camera.cx) / (camera.fx * zoom), yd = (py - camera.cy) / (camera.fy * zoom);
  const double seen = std::sqrt(xd * xd + yd * yd);
  double r = seen;
  for (int i = 0; i < 20; ++i) {
    const double r2 = r * r;
    const double slope = 1 + r2 * (3 * camera.k1 + 5 * camera.k2 * r2);
    if (!(slope > 0.05)) return {};
    const double step = (r * (1 + r2 * (camera.k1 + camera.k2 * r2)) - seen) / slope;
    r -= step;
    if (std::abs(step) < 1e-13) break;
  }
  const double r2 = r * r;
  const double slope = 1 + r2 * (3 * camera.k1 + 5 * camera.k2 * r2);
  if (!(r >= 0 && slope > 0.05)) return {};
  const double scale = seen > 1e-12 ? r / seen : 1;
  Undistorted out{.x = xd * scale, .y = yd * scale, .by_k1 = -r2 / slope, .by_k2 = -r2 * r2 / slope, .valid = true};
  // The distortion stretches by `radial` across the radius and by `slope` along it; a shift of the centre goes through the inverse of that.
  const double radial = 1 + r2 * (camera.k1 + camera.k2 * r2);
  const double ux = seen > 1e-12 ? xd / seen : 1, uy = seen > 1e-12 ? yd / seen : 0;
  const double along = 1 / slope, across = 1 / radial;
  const double inverse[2][2] = {{across + (along - across) * ux * ux, (along - across) * ux * uy}, {(along - across) * ux * uy, across + (along - across) * uy * uy}};
  for (int i = 0; i < 2; ++i) {
    out.by_centre[i][0] = -inverse[i][0] / (camera.fx * zoom);
    out.by_centre[i][1] = -inverse[i][1] / (camera.fy * zoom);
  }
  return out;
}

Seen see(const Camera& camera, double zoom, const Vec3& direction) {
  Seen out;
  const double z = direction[2];
  if (!(z > 1e-6)) return out;
  const double x = direction[0] / z, y = direction[1] / z;
  const double r2 = x * x + y * y;
  const double radial = 1 + r2 * (camera.k1 + camera.k2 * r2);
  const double slope = camera.k1 + 2 * camera.k2 * r2;  // d radial / d r2
  if (!(1 + r2 * (3 * camera.k1 + 5 * camera.k2 * r2) > 0.05)) return out;
  const double f[2] = {camera.fx * zoom, camera.fy * zoom};
  const double point[2] = {x, y};
  for (int i = 0; i < 2; ++i) {
    const double p = point[i];
    const double shown = f[i] * p * radial;
    out.by_log_zoom[i] = shown;
    out.by_k1[i] = f[i] * p * r2;
    out.by_k2[i] = f[i] * p * r2 * r2;
    const double dx = f[i] * (2 * slope * x * p + (i == 0 ? radial : 0));
    const double dy = f[i] * (2 * slope * y * p + (i == 1 ? radial : 0));
    out.by_direction[i][0] = dx / z;
    out.by_direction[i][1] = dy / z;
    out.by_direction[i][2] = -(dx * x + dy * y) / z;
  }
  out.x = camera.cx + out.by_log_zoom[0];
  out.y = camera.cy + out.by_log_zoom[1];
  out.valid = true;
  return out;
}

}  // namespace sightline::geometry::ptz
