# CUDA's headers (types of the driver API, NVRTC and cuBLASLt only; the libraries are opened at run
# time). Looked for in CUDAToolkit_ROOT, /usr/local/cuda, and the wheels that ./setup installs.
find_path(NNC_CUDA_INCLUDE cuda.h
  HINTS ${CUDAToolkit_ROOT}/include /usr/local/cuda/include ${CMAKE_SOURCE_DIR}/.deps/cuda/include)
if(NOT NNC_CUDA_INCLUDE)
  message(FATAL_ERROR "no cuda.h: run ./setup, or set CUDAToolkit_ROOT")
endif()
