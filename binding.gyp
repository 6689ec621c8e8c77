{
  # node-gyp only bridges to CMake: the build itself is native/CMakeLists.txt through cmake-js.
  "targets": [{
    "target_name": "sightline_native",
    "type": "none",
    "actions": [{
      "action_name": "cmake_js",
      "inputs": ["native/CMakeLists.txt"],
      "outputs": ["build/native/bin/capture.node"],
      "action": ["node", "setup/native.mjs"]
    }]
  }]
}
