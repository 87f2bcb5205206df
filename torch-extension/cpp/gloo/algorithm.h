#pragma once

namespace gloo {
enum class ReductionType : int;
}
