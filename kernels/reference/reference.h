// The oracle of every kernel: plain loops in fp64 over plain fp32 arrays, one function per file.
// Slow and obvious on purpose. Shares no code and no header with any backend; a test widens stored
// types before it calls these. Shapes in brackets, row-major and contiguous.
#pragma once

#include <cstdint>
#include <vector>

namespace longsight::reference {

// y[rows, out] = x[rows, in] * w[out, in]^T (+ bias[out]) (+ y).
struct Product {
  int64_t rows, in, out;
  const float* x;
  const float* w;
  const float* bias;  // or null
  bool add;
};
void Multiply(const Product& p, double* y);

// y[rows, n] = x / sqrt(mean(x^2) + eps) * weight[n].
void Normalize(const float* x, const float* weight, int64_t rows, int64_t n, double eps, double* y);

// Turns x[rows, heads, head_size]; row r is at first_position + r. frequency[rotary / 2].
struct Rotation {
  int64_t rows, heads, head_size, rotary;
  int64_t first_position;
  const double* frequency;
  double magnitude;
  bool interleaved;
};
void Rotate(const Rotation& p, const float* x, double* y);

// y[n] = gate * sigmoid(gate) * up.
void Gate(const float* gate, const float* up, int64_t n, double* y);

// [heads, 2]: the sum of the squares of expected[rows, heads, head_size], and of actual - expected.
std::vector<double> CompareHeads(const float* expected, const float* actual, int64_t rows,
                                 int64_t heads, int64_t head_size);

// Attention of q[rows, heads, head_size] over k, v[tokens, kv_heads, head_size], every score held
// at once.
struct Heads {
  int64_t rows, heads, kv_heads, head_size, tokens;
  int64_t query_position, key_position;  // of the first row and of the first token
  int64_t window;                        // <= 0: none
  double scale;
  const float* q;
  const float* k;
  const float* v;
  int64_t always_kept = 0;  // SumLines only
};
// out[rows, heads, head_size], lse[rows, heads]; zeros and -inf for a row that sees no key.
struct Attended {
  std::vector<double> out;
  std::vector<double> lse;
};
Attended Attend(const Heads& p);

// What one head keeps. Rows go in blocks, and a block's rows share their keys: those that any of
// them reaches by an offset (query position - key position), and the columns left of the block. Or,
// with `blocks` > 0: the first block of `block_keys` keys, those that hold the rows themselves, and
// of the others the best by the mean of q.k, `blocks` in all.
struct Kept {
  bool all;
  std::vector<int64_t> offsets;
  std::vector<int64_t> columns;
  int64_t blocks;
  int64_t block_keys;
};
// Dense attention under that mask and the causal one; no window, key_position 0. *margin: by how
// much the worst block that was taken beats the best one that was not.
Attended AttendKept(const Heads& p, const std::vector<Kept>& kept, int64_t block_rows,
                    double* margin);

// Attention of each head summed over the rows: per key, and per offset, the latter without the keys
// below `always_kept`. key_position 0, no window.
struct Probed {
  std::vector<std::vector<double>> columns, offsets;  // [heads][tokens]
  std::vector<std::vector<double>> lse;               // [heads][rows]
};
Probed SumLines(const Heads& p);

// The first row's attention summed over the keys [ends[i - 1], ends[i]): [heads][ends.size()].
std::vector<std::vector<double>> SumSpans(const Heads& p, const std::vector<int64_t>& ends);

// The bits of the nearest bf16 or f16 value (even on a tie), found by trying the neighbours in
// fp64.
uint16_t NearestBf16(float x);
uint16_t NearestF16(float x);
// The value of those bits.
double Bf16Value(uint16_t bits);
double F16Value(uint16_t bits);

// The same of e4m3 (a sign, four bits of exponent with bias 7, three of mantissa; no infinity),
// which goes to its largest value, 448, for anything larger.
uint8_t NearestE4M3(double x);
double E4M3Value(uint8_t bits);
// x[rows, n] as e4m3 with a scale for each row, which brings its largest magnitude to 448; both
// returned as values: of a row r, values[r, n] * scales[r] is nearest to x.
struct RoundedRows {
  std::vector<double> values, scales;
};
RoundedRows RoundRowsToE4M3(const float* x, int64_t rows, int64_t n);

}  // namespace longsight::reference
