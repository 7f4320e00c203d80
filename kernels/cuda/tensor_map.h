// Tensor maps: what the bulk copy engine knows of a tensor in device memory.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace longsight::cuda {

// bf16 [rows, heads, head_size] as boxes of 64 elements by `box_rows` rows of one head, swizzled by
// 128 bytes. What a box holds beyond the tensor reads as zeros. Coordinates: element, row, head.
// False when the driver lacks tensor maps, or refuses these strides.
bool MakeTensorMap(CUtensorMap* map, const void* data, int64_t rows, int64_t heads,
                   int64_t head_size, int64_t row_stride, int64_t head_stride, uint32_t box_rows);

}  // namespace longsight::cuda
