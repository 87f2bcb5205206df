// `activation(x w + bias + add)` for the sizes of small networks: the weights stay in the first-level cache, a tile of rows
// and columns in registers.
#pragma once

#include <cmath>

#include "kernels.h"
#include "vector.h"

using longshore::Linear;
using longshore::LinearBackward;

#if defined(__AVX512F__)
constexpr int REGISTER = 16, TILE_ROWS = 6, TILE_VECTORS = 4;
#elif defined(__AVX2__)
constexpr int REGISTER = 8, TILE_ROWS = 6, TILE_VECTORS = 2;
#else
constexpr int REGISTER = 4, TILE_ROWS = 4, TILE_VECTORS = 2;
#endif
typedef float Register __attribute__((vector_size(REGISTER * 4)));

INLINE Register load_register(const float *from) {
  Register value;
  memcpy(&value, from, sizeof value);
  return value;
}

// ROWS rows by VECTORS registers of columns, from `column` on.
template <int ROWS, int VECTORS>
INLINE void tile(const Linear &linear, const float *x, const float *add, int64_t column, float *out) {
  Register sums[ROWS][VECTORS];
  for (int row = 0; row < ROWS; ++row)
    for (int v = 0; v < VECTORS; ++v) {
      const int64_t at = column + v * REGISTER;
      sums[row][v] = linear.bias ? load_register(linear.bias + at) : Register{};
      if (add) sums[row][v] += load_register(add + row * linear.outputs + at);
    }
  for (int64_t input = 0; input < linear.inputs; ++input) {
    const float *weights = linear.weight + input * linear.outputs + column;
    Register columns[VECTORS];
    for (int v = 0; v < VECTORS; ++v) columns[v] = load_register(weights + v * REGISTER);
    for (int row = 0; row < ROWS; ++row)
      for (int v = 0; v < VECTORS; ++v) sums[row][v] += x[row * linear.inputs + input] * columns[v];
  }
  for (int row = 0; row < ROWS; ++row)
    for (int v = 0; v < VECTORS; ++v) {
      if (linear.relu) sums[row][v] = sums[row][v] > Register{} ? sums[row][v] : Register{};
      memcpy(out + row * linear.outputs + column + v * REGISTER, &sums[row][v], sizeof(Register));
    }
}

template <int ROWS>
INLINE void some_rows(const Linear &linear, const float *x, const float *add, float *out) {
  int64_t column = 0;
  for (; column + TILE_VECTORS * REGISTER <= linear.outputs; column += TILE_VECTORS * REGISTER)
    tile<ROWS, TILE_VECTORS>(linear, x, add, column, out);
  for (; column + REGISTER <= linear.outputs; column += REGISTER) tile<ROWS, 1>(linear, x, add, column, out);
  for (int row = 0; row < ROWS; ++row)
    for (int64_t last = column; last < linear.outputs; ++last) {
      float sum = linear.bias ? linear.bias[last] : 0.0f;
      if (add) sum += add[row * linear.outputs + last];
      for (int64_t input = 0; input < linear.inputs; ++input)
        sum += x[row * linear.inputs + input] * linear.weight[input * linear.outputs + last];
      out[row * linear.outputs + last] = linear.relu && sum < 0.0f ? 0.0f : sum;
    }
}

// One number a row: a score.
static void dot_rows(const Linear &linear, const float *x, int64_t rows, const float *add, float *out) {
  for (int64_t row = 0; row < rows; ++row, x += linear.inputs) {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t input = 0; input < linear.inputs; ++input) sum += x[input] * linear.weight[input];
    sum += (linear.bias ? linear.bias[0] : 0.0f) + (add ? add[row] : 0.0f);
    out[row] = linear.relu && sum < 0.0f ? 0.0f : sum;
  }
}

static void linear(const Linear &linear, const float *x, int64_t rows, const float *add, float *out) {
  if (linear.outputs == 1) return dot_rows(linear, x, rows, add, out);
  int64_t row = 0;
  for (; row + TILE_ROWS <= rows; row += TILE_ROWS)
    some_rows<TILE_ROWS>(linear, x + row * linear.inputs, add ? add + row * linear.outputs : nullptr,
                         out + row * linear.outputs);
  for (; row < rows; ++row)
    some_rows<1>(linear, x + row * linear.inputs, add ? add + row * linear.outputs : nullptr, out + row * linear.outputs);
}

// The gradient of the weights over a few rows: ROWS of their rows by VECTORS registers of their columns.
template <int ROWS, int VECTORS>
INLINE void gradient_tile(const Linear &linear, const float *x, const float *gradient, int64_t rows, int64_t column,
                          float *to) {
  Register sums[ROWS][VECTORS];
  for (int input = 0; input < ROWS; ++input)
    for (int v = 0; v < VECTORS; ++v) sums[input][v] = load_register(to + input * linear.outputs + column + v * REGISTER);
  for (int64_t row = 0; row < rows; ++row) {
    Register columns[VECTORS];
    for (int v = 0; v < VECTORS; ++v) columns[v] = load_register(gradient + row * linear.outputs + column + v * REGISTER);
    for (int input = 0; input < ROWS; ++input)
      for (int v = 0; v < VECTORS; ++v) sums[input][v] += x[row * linear.inputs + input] * columns[v];
  }
  for (int input = 0; input < ROWS; ++input)
    for (int v = 0; v < VECTORS; ++v)
      memcpy(to + input * linear.outputs + column + v * REGISTER, &sums[input][v], sizeof(Register));
}

template <int ROWS>
INLINE void some_gradients(const Linear &linear, const float *x, const float *gradient, int64_t rows, float *to) {
  int64_t column = 0;
  for (; column + TILE_VECTORS * REGISTER <= linear.outputs; column += TILE_VECTORS * REGISTER)
    gradient_tile<ROWS, TILE_VECTORS>(linear, x, gradient, rows, column, to);
  for (; column + REGISTER <= linear.outputs; column += REGISTER)
    gradient_tile<ROWS, 1>(linear, x, gradient, rows, column, to);
  for (; column < linear.outputs; ++column)
    for (int64_t row = 0; row < rows; ++row)
      for (int input = 0; input < ROWS; ++input)
        to[input * linear.outputs + column] += x[row * linear.inputs + input] * gradient[row * linear.outputs + column];
}

static void weight_gradients(const Linear &linear, const float *x, const float *gradient, int64_t rows, float *to) {
  constexpr int TILE_INPUTS = 4;
  int64_t input = 0;
  for (; input + TILE_INPUTS <= linear.inputs; input += TILE_INPUTS)
    some_gradients<TILE_INPUTS>(linear, x + input, gradient, rows, to + input * linear.outputs);
  for (; input < linear.inputs; ++input)
    some_gradients<1>(linear, x + input, gradient, rows, to + input * linear.outputs);
}

// Rows are taken in blocks, so that each is read from memory once for all three gradients.
static void linear_backward(const Linear &linear, int64_t rows, const LinearBackward &pass) {
  constexpr int64_t BLOCK_NUMBERS = 4096;
  alignas(64) float masked[BLOCK_NUMBERS];
  const int64_t outputs = linear.outputs, inputs = linear.inputs;
  int64_t block = BLOCK_NUMBERS / outputs / TILE_ROWS * TILE_ROWS;
  if (block < 1) block = 1;
  const Linear back{outputs, inputs, linear.weight, nullptr, false};
  for (int64_t start = 0; start < rows; start += block) {
    const int64_t count = rows - start < block ? rows - start : block;
    const float *gradient = pass.out_gradient + start * outputs;
    if (linear.relu) {
      const float *out = pass.out + start * outputs;
      for (int64_t i = 0; i < count * outputs; ++i) masked[i] = out[i] > 0.0f ? gradient[i] : 0.0f;
      gradient = masked;
    }
    if (pass.bias_gradient)
      for (int64_t row = 0; row < count; ++row)
        for (int64_t i = 0; i < outputs; ++i) pass.bias_gradient[i] += gradient[row * outputs + i];
    weight_gradients(linear, pass.x + start * inputs, gradient, count, pass.weight_gradient);
    if (pass.x_gradient) ::linear(back, gradient, count, nullptr, pass.x_gradient + start * inputs);
  }
}

// Layer normalisation (Ba et al., 2016) of each row, with ε = 1e-5.
static void layer_norm(const float *x, int64_t rows, int64_t width, const float *gain, const float *bias, float *out) {
  for (int64_t row = 0; row < rows; ++row, x += width, out += width) {
    float sum = 0.0f, squares = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < width; ++i) sum += x[i];
    const float mean = sum / float(width);
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / std::sqrt(squares / float(width) + 1e-5f);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) out[i] = (x[i] - mean) * scale * gain[i] + bias[i];
  }
}
