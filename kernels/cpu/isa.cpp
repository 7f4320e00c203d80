#include "isa.h"

#include <cstdlib>
#include <cstring>

#include "probe_layout.h"

#if defined(LONGSIGHT_X86)
#include <cpuid.h>
#endif

namespace longsight::cpu {
namespace {

constexpr const char* kKnown[] = {"avx512bf16", "avx512", "avx2", "portable"};

#if defined(LONGSIGHT_X86)
struct CpuFeatures {
  bool avx2 = false, avx512 = false, avx512bf16 = false;
};

// XCR0 says which register files the operating system saves; without that the instructions fault.
uint64_t ExtendedControlRegister0() {
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// Bit positions: Intel SDM volume 2A, CPUID leaves 1, 7.0 and 7.1; XCR0: volume 1, section 13.3.
CpuFeatures DetectCpu() {
  CpuFeatures features;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return features;
  const bool fma = (c >> 12) & 1;
  const bool osxsave = (c >> 27) & 1;
  const bool f16c = (c >> 29) & 1;
  if (!osxsave || !fma || !f16c) return features;
  const uint64_t saved = ExtendedControlRegister0();
  constexpr uint64_t kYmmState = 0x6;
  constexpr uint64_t kZmmState = 0xe6;
  if ((saved & kYmmState) != kYmmState) return features;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return features;
  const uint32_t subleaves = a;
  features.avx2 = (b >> 5) & 1;
  const bool f = (b >> 16) & 1, dq = (b >> 17) & 1, bw = (b >> 30) & 1, vl = (b >> 31) & 1;
  features.avx512 = features.avx2 && f && dq && bw && vl && (saved & kZmmState) == kZmmState;
  if (features.avx512 && subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) {
    features.avx512bf16 = (a >> 5) & 1;
  }
  return features;
}
#endif

struct Selection {
  const OpTable* ops = nullptr;
  std::string error;
};

const Selection& Selected() {
  static const Selection selection = [] {
    Selection chosen;
    chosen.ops = ChooseIsa(AvailableIsas(), std::getenv("LONGSIGHT_ISA"), &chosen.error);
    return chosen;
  }();
  return selection;
}

// SelectIsa's contract keeps the null case away from here.
const OpTable& Ops() { return *Selected().ops; }

}  // namespace

std::vector<const OpTable*> AvailableIsas() {
  std::vector<const OpTable*> tables;
#if defined(LONGSIGHT_X86)
  const CpuFeatures cpu = DetectCpu();
  if (cpu.avx512bf16) tables.push_back(&kAvx512Bf16Ops);
  if (cpu.avx512) tables.push_back(&kAvx512Ops);
  if (cpu.avx2) tables.push_back(&kAvx2Ops);
#endif
  tables.push_back(&kPortableOps);
  return tables;
}

const OpTable* ChooseIsa(const std::vector<const OpTable*>& available, const char* wanted,
                         std::string* error) {
  if (wanted == nullptr || *wanted == '\0') return available.front();
  for (const OpTable* table : available) {
    if (std::strcmp(table->name, wanted) == 0) return table;
  }
  bool known = false;
  for (const char* name : kKnown) known = known || std::strcmp(name, wanted) == 0;
  *error = "LONGSIGHT_ISA=" + std::string(wanted) +
           (known ? " is not supported by this CPU"
                  : " is not an instruction set that Longsight knows") +
           "; unset it, or set it to one of:";
  for (const OpTable* table : available) *error += std::string(" ") + table->name;
  return nullptr;
}

const std::string& SelectIsa() { return Selected().error; }

const char* IsaName() { return Selected().ops == nullptr ? "none" : Selected().ops->name; }

void Matmul(ThreadPool& pool, const MatmulParams& p) { Ops().matmul(pool, p); }
void RmsNorm(ThreadPool& pool, const RmsNormParams& p) { Ops().rms_norm(pool, p); }
void Rope(ThreadPool& pool, const RopeParams& p) { Ops().rope(pool, p); }
void SwiGlu(ThreadPool& pool, const SwiGluParams& p) { Ops().swiglu(pool, p); }
void Attention(ThreadPool& pool, const AttentionParams& p) { Ops().attention(pool, p); }

void SparseAttention(ThreadPool& pool, const SparseAttentionParams& p) {
  Ops().sparse_attention(pool, p);
}

int64_t ProbeWorkspaceFloats(int64_t heads, int64_t tokens) {
  return ProbeSlices(tokens) * heads * (index::kProbeRows + kSliceBands);
}

void KeyMeans(ThreadPool& pool, const KeyMeansParams& p) { Ops().key_means(pool, p); }
void Probe(ThreadPool& pool, const ProbeParams& p) { Ops().probe(pool, p); }

void AttentionMass(ThreadPool& pool, const AttentionMassParams& p) {
  Ops().attention_mass(pool, p);
}

void CompareHeads(ThreadPool& pool, const CompareHeadsParams& p) { Ops().compare_heads(pool, p); }

void Convert(ThreadPool& pool, const float* x, void* y, DType y_type, int64_t n) {
  Ops().convert(pool, x, y, y_type, n);
}

void Embed(ThreadPool& pool, const void* table, DType type, const uint32_t* ids, int64_t rows,
           int64_t n, float* y) {
  Ops().embed(pool, table, type, ids, rows, n, y);
}

}  // namespace longsight::cpu
