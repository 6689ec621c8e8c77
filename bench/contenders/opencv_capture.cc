// Contender of the capture bench: OpenCV's VideoCapture, resize and BGR->RGB of every frame on one thread.
// opencv_capture FILE WIDTH HEIGHT FRAMES: exits with 1 when another number of frames came.
#include <cstdio>
#include <cstdlib>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  cv::setNumThreads(1);
  setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "threads;1", 1);
  cv::VideoCapture capture(argv[1], cv::CAP_FFMPEG);
  const cv::Size size(std::atoi(argv[2]), std::atoi(argv[3]));
  const int expected = std::atoi(argv[4]);
  cv::Mat frame, small, rgb;
  int frames = 0;
  while (capture.read(frame)) {
    cv::resize(frame, small, size, 0, 0, cv::INTER_LINEAR);
    cv::cvtColor(small, rgb, cv::COLOR_BGR2RGB);
    ++frames;
  }
  if (std::abs(frames - expected) > 1) {
    std::fprintf(stderr, "expected %d frames, %d came\n", expected, frames);
    return 1;
  }
  return 0;
}
