// Exchanges between ranks that gradients flow through.

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "guard.h"
#include "process_group.h"

using Group = c10::intrusive_ptr<LongshoreGroup>;

namespace {

c10::IValue keep(const Group &group) {
  return c10::IValue::make_capsule(group);
}

Group kept(torch::autograd::AutogradContext *context) {
  return c10::static_intrusive_pointer_cast<LongshoreGroup>(context->saved_data["group"].toCapsule());
}

int64_t total(const std::vector<int64_t> &counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

// Forward: the rows that others name come out of `rows` and go to them. Backward: what those made of them comes back, and
// is added up where the rows came from.
struct RowExchange : torch::autograd::Function<RowExchange> {
  static at::Tensor forward(
      torch::autograd::AutogradContext *context,
      const at::Tensor &rows,
      const at::Tensor &places,
      const std::vector<int64_t> &send,
      const std::vector<int64_t> &receive,
      const Group &group) {
    context->saved_data["group"] = keep(group);
    context->saved_data["send"] = send;
    context->saved_data["receive"] = receive;
    context->saved_data["rows"] = rows.size(0);
    context->save_for_backward({places});
    auto received = at::empty({total(receive), rows.size(1)}, rows.options());
    group->exchange(received, rows.index_select(0, places), receive, send);
    return received;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext *context,
      torch::autograd::variable_list gradients) {
    const auto places = context->get_saved_variables()[0];
    const auto send = context->saved_data["send"].toIntVector();
    const auto receive = context->saved_data["receive"].toIntVector();
    const auto gradient = gradients[0].contiguous();
    auto returned = at::empty({total(send), gradient.size(1)}, gradient.options());
    kept(context)->exchange(returned, gradient, send, receive);
    // Many ranks may have made something of one row: halves are added up as floats.
    const auto kind = gradient.scalar_type(), added = kind == at::kBFloat16 ? at::kFloat : kind;
    auto sum = at::zeros({context->saved_data["rows"].toInt(), gradient.size(1)}, gradient.options().dtype(added));
    sum.index_add_(0, places, returned.to(added));
    return {sum.to(kind), {}, {}, {}, {}};
  }
};

// Forward: the sum over all ranks. Backward: the same, as every rank's loss depends on every rank's rows.
struct SumOverRanks : torch::autograd::Function<SumOverRanks> {
  static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &mine, const Group &group) {
    context->saved_data["group"] = keep(group);
    auto sum = mine.clone(at::MemoryFormat::Contiguous);
    group->all_reduce(sum)->wait();
    return sum;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext *context,
      torch::autograd::variable_list gradients) {
    auto sum = gradients[0].clone(at::MemoryFormat::Contiguous);
    kept(context)->all_reduce(sum)->wait();
    return {sum, {}};
  }
};

} // namespace

extern "C" {

char *longshore_exchange_rows(
    Group *group,
    const torch::Tensor *rows,
    const torch::Tensor *places,
    const int64_t *send,
    const int64_t *receive,
    size_t ranks,
    torch::Tensor **out) {
  return guarded([&] {
    *out = new torch::Tensor(RowExchange::apply(
        *rows,
        *places,
        std::vector<int64_t>(send, send + ranks),
        std::vector<int64_t>(receive, receive + ranks),
        *group));
  });
}

char *longshore_sum_over_ranks(Group *group, const torch::Tensor *mine, torch::Tensor **out) {
  return guarded([&] { *out = new torch::Tensor(SumOverRanks::apply(*mine, *group)); });
}

} // extern "C"
