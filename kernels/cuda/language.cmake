# Turns CMake's CUDA language on where it is asked for and nvcc is there: LONGSIGHT_HAS_CUDA. In the topmost project's own
# scope, since every folder below links with it. Asked for without nvcc, the build is for the CPU only, and says so.
option(LONGSIGHT_CUDA "Build the CUDA backend" OFF)
option(LONGSIGHT_CUDA_VARIANTS "Build tests of the kernels for GPUs before Hopper and for racecheck, too" OFF)
set(LONGSIGHT_HAS_CUDA OFF)
if(LONGSIGHT_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # Ahead of time for the data centre's chips, and PTX for what comes after them. Set before the language is enabled: its
    # default would be another.
    set(CMAKE_CUDA_ARCHITECTURES "80-real;90a-real;120-virtual" CACHE STRING "GPU targets")
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
    enable_language(CUDA)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      # CMake before 3.26 does not know that today's nvcc has C++20.
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    find_package(CUDAToolkit REQUIRED)
    set(LONGSIGHT_HAS_CUDA ON)
  else()
    message(NOTICE "CUDA: asked for, but nvcc was not found (install the CUDA toolkit or set CUDACXX); building for the CPU only")
  endif()
endif()
