// `activation(x w + bias + add)` as one differentiable operation on CPU tensors.

#include <algorithm>

#include "guard.h"
#include "kernels.h"
#include "operation.h"

namespace {

// Multiplications below which a second thread costs more than it brings.
constexpr int64_t WORTH_A_THREAD = 1 << 20;

std::vector<int64_t> shares(int64_t rows, int64_t multiplications) {
  const int64_t threads = std::clamp<int64_t>(rows * multiplications / WORTH_A_THREAD, 1, at::get_num_threads());
  std::vector<int64_t> bounds;
  for (int64_t thread = 0; thread <= threads; ++thread) bounds.push_back(rows * thread / threads);
  return bounds;
}

struct LinearOperation : torch::autograd::Function<LinearOperation> {
  static Tensor forward(AutogradContext *context, Tensor x, Tensor weight, Tensor bias, Tensor add, bool relu, bool learns) {
    const int64_t rows = x.size(0), inputs = weight.size(0), outputs = weight.size(1);
    Tensor out = at::empty({rows, outputs}, x.options());
    const longshore::Linear linear{inputs, outputs, pointer<float>(weight), pointer<float>(bias), relu};
    const float *from = pointer<float>(x), *added = pointer<float>(add);
    float *to = pointer<float>(out);
    for_shares(shares(rows, inputs * outputs), [&](int64_t, int64_t begin, int64_t end) {
      longshore::kernels().linear(linear, from + begin * inputs, end - begin, added ? added + begin * outputs : nullptr,
                                  to + begin * outputs);
    });
    if (learns) {
      context->save_for_backward({x, weight, relu ? out : at::empty({0})});
      context->saved_data["relu"] = relu;
      context->saved_data["has_bias"] = bias.numel() > 0;
      context->saved_data["has_add"] = add.numel() > 0;
      context->saved_data["x_learns"] = x.requires_grad();
    }
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &out = saved[2];
    const Tensor out_gradient = gradients[0].contiguous();
    const int64_t rows = x.size(0), inputs = weight.size(0), outputs = weight.size(1);
    const bool relu = context->saved_data["relu"].toBool();
    const Tensor transposed = weight.t().contiguous();
    const Tensor x_gradient = context->saved_data["x_learns"].toBool() ? at::empty_like(x) : Tensor();
    const auto bounds = shares(rows, 2 * inputs * outputs);
    // Gradients of weight and bias, thread by thread.
    const Tensor partial = at::zeros({int64_t(bounds.size()) - 1, (inputs + 1) * outputs}, x.options());
    const longshore::Linear linear{inputs, outputs, pointer<float>(transposed), nullptr, relu};
    for_shares(bounds, [&](int64_t share, int64_t begin, int64_t end) {
      float *own = pointer<float>(partial) + share * partial.size(1);
      const float *outs = pointer<float>(out), *gradient = pointer<float>(out_gradient);
      float *to = x_gradient.defined() ? pointer<float>(x_gradient) : nullptr;
      longshore::kernels().linear_backward(
          linear, end - begin,
          {pointer<float>(x) + begin * inputs, outs ? outs + begin * outputs : nullptr, gradient + begin * outputs,
           to ? to + begin * inputs : nullptr, own, own + inputs * outputs});
    });
    const Tensor total = partial.size(0) == 1 ? partial[0] : partial.sum(0);
    const Tensor weight_gradient = total.narrow(0, 0, inputs * outputs).view({inputs, outputs});
    const bool has_bias = context->saved_data["has_bias"].toBool(), has_add = context->saved_data["has_add"].toBool();
    return {x_gradient, weight_gradient, has_bias ? total.narrow(0, inputs * outputs, outputs) : Tensor(),
            has_add ? out_gradient : Tensor(), Tensor(), Tensor()};
  }
};

Tensor or_none(const Tensor *tensor) { return tensor ? *tensor : at::empty({0}); }

}  // namespace

// `bias` and `add` may be null; `add` goes with no ReLU. Rust has checked all shapes, kinds and layouts.
extern "C" char *longshore_linear_operation(const Tensor *x, const Tensor *weight, const Tensor *bias, const Tensor *add,
                                            bool relu, Tensor **out) {
  return guarded([&] {
    const bool learns = at::GradMode::is_enabled() &&
                        (x->requires_grad() || weight->requires_grad() || (bias && bias->requires_grad()) ||
                         (add && add->requires_grad()));
    *out = new Tensor(LinearOperation::apply(*x, *weight, or_none(bias), or_none(add), relu, learns));
  });
}
