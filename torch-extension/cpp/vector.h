// Vectors in the compiler's own notation, as long as a register. The compiler splits longer ones badly: it puts them
// together in memory, number by number.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int LANES = 16;
typedef uint16_t Signs;  // a bit for each lane
#else
constexpr int LANES = 8;
typedef uint8_t Signs;
#endif
typedef float Lanes __attribute__((vector_size(LANES * 4)));
typedef int32_t Bits __attribute__((vector_size(LANES * 4)));
typedef uint32_t Words __attribute__((vector_size(LANES * 4)));
typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));

#if defined(__AVX512F__)
constexpr Bits NUMBERS = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#else
constexpr Bits NUMBERS = {0, 1, 2, 3, 4, 5, 6, 7};
#endif

INLINE Lanes load(const float *from) {
  Lanes lanes;
  memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

INLINE Lanes load(const longshore::Bf16 *from) {
  Halves halves;
  memcpy(&halves, from, sizeof halves);
  return (Lanes)(__builtin_convertvector(halves, Words) << 16);
}

INLINE void store(float *to, Lanes lanes) { memcpy(to, &lanes, sizeof lanes); }

// Rounds to nearest even. A NaN is cut off and stays one: rounding could carry its bits into another number. No comparison:
// the compiler would take it lane by lane where registers are shorter.
INLINE void store(longshore::Bf16 *to, Lanes lanes) {
  const Words bits = (Words)lanes;
  const Words is_nan = (Words)((Bits)(0x7f800000 - (bits & 0x7fffffff)) >> 31);
  const Words up = (0x7fff + ((bits >> 16) & 1)) & ~is_nan;
  const Halves halves = __builtin_convertvector(((bits + up) >> 16) | (is_nan & 0x40), Halves);
  memcpy(to, &halves, sizeof halves);
}

INLINE Lanes splat(float value) { return Lanes{} + value; }

INLINE Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }

// e^x to about one unit in the last place: 2^n · p(r) with |r| ≤ ln 2 / 2. Below −87 the smallest normal number.
INLINE Lanes exponential(Lanes x) {
  x = larger(x, splat(-87.0f));
  x = x < splat(88.0f) ? x : splat(88.0f);
  const Lanes shifter = splat(12582912.0f);  // 1.5 · 2^23: adding it rounds to a whole number
  const Lanes shifted = x * 1.44269504f + shifter;
  const Lanes n = shifted - shifter;
  const Lanes r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Lanes p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const Bits exponent = (Bits)shifted << 23;  // the low bits of `shifted` hold n
  return (Lanes)((Bits)p + exponent);
}

// Sums over groups of GROUP neighbouring lanes, in every lane of its group.
template <int GROUP>
INLINE Lanes group_sums(Lanes lanes) {
  if constexpr (GROUP >= 2) lanes += __builtin_shuffle(lanes, NUMBERS ^ 1);
  if constexpr (GROUP >= 4) lanes += __builtin_shuffle(lanes, NUMBERS ^ 2);
  if constexpr (GROUP >= 8) lanes += __builtin_shuffle(lanes, NUMBERS ^ 4);
  if constexpr (GROUP >= 16) lanes += __builtin_shuffle(lanes, NUMBERS ^ 8);
  return lanes;
}

// The four sums over four vectors, to `to[0..4]`.
INLINE void four_sums(Lanes a, Lanes b, Lanes c, Lanes d, float *to) {
  constexpr int HALF = LANES / 2, QUARTER = LANES / 4;
  // Halves of two vectors beside each other, then quarters of four.
  const Bits low = NUMBERS + NUMBERS / HALF * HALF, high = low + HALF;
  const Lanes ab = __builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high);
  const Lanes cd = __builtin_shuffle(c, d, low) + __builtin_shuffle(c, d, high);
  const Bits even = NUMBERS + NUMBERS / QUARTER * QUARTER, odd = even + QUARTER;
  const Lanes sums = group_sums<QUARTER>(__builtin_shuffle(ab, cd, even) + __builtin_shuffle(ab, cd, odd));
  for (int i = 0; i < 4; ++i) to[i] = sums[QUARTER * i];
}

// A bit for each lane above zero.
INLINE Signs positive(Lanes lanes) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask((__m512)lanes, _mm512_setzero_ps(), _CMP_GT_OQ);
#elif defined(__AVX2__)
  return Signs(_mm256_movemask_ps((__m256)(lanes > 0.0f)));
#else
  Signs bits = 0;
  for (int i = 0; i < LANES; ++i) bits |= Signs(Signs(lanes[i] > 0.0f) << i);
  return bits;
#endif
}

// `yes` where the lane's bit is set, else `no`.
INLINE Lanes choose(Signs bits, Lanes yes, Lanes no) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_mask_blend_ps(bits, (__m512)no, (__m512)yes);
#else
  const Bits lane = {1, 2, 4, 8, 16, 32, 64, 128};
  return ((lane & int32_t(bits)) != 0) ? yes : no;
#endif
}
