//! The fused attention against the same in plain tensor operations, forward and gradients, over random graphs: empty
//! ones, isolated nodes, self loops, parallel edges, hubs that hold every edge, every number of relations and features;
//! projections stored as f32 and as bf16.

#![expect(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use proptest::prelude::*;
use tch::{Device, Kind, Tensor};
use torch_extension::attention::{Inputs, attend, attend_in_chunks, attend_plain, is_fused};
use torch_extension::{EdgeLayout, Edges, TorchExtensionError};

#[derive(Clone, Debug)]
struct Graph {
    source_nodes: usize,
    target_nodes: usize,
    ends: Vec<(u32, u32)>,
    relations: u32,
    feature_width: usize,
    width: i64,
    heads: i64,
    seed: u64,
}

/// Widths and heads that the kernels have code for.
const SIZES: [(i64, i64); 9] =
    [(16, 4), (16, 1), (32, 4), (32, 1), (64, 4), (64, 8), (64, 1), (128, 8), (256, 4)];

fn graphs() -> impl Strategy<Value = Graph> {
    let nodes = (1_usize..40, 1_usize..40);
    (nodes, 0_u32..5, 0_usize..9, prop::sample::select(SIZES.to_vec()), any::<u64>(), 0..5_u8).prop_flat_map(
        |((source_nodes, target_nodes), relations, feature_width, (width, heads), seed, shape)| {
            let (s, t) = (source_nodes as u32, target_nodes as u32);
            let ends: BoxedStrategy<Vec<(u32, u32)>> = match shape {
                0 => Just(Vec::new()).boxed(),
                // One hub with all edges, more than a block of the kernel, many of them parallel.
                1 => prop::collection::vec((0..s, Just(t / 2)), 1..150).boxed(),
                2 => prop::collection::vec((Just(s / 2), 0..t), 1..150).boxed(),
                _ => prop::collection::vec((0..s, 0..t), 0..200).boxed(),
            };
            ends.prop_map(move |ends| Graph {
                source_nodes,
                target_nodes,
                ends,
                relations,
                feature_width: if relations > 0 { feature_width } else { 0 },
                width,
                heads,
                seed,
            })
        },
    )
}

/// Numbers between −1 and 1 that follow from a seed.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32) - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

struct Case {
    leaves: Vec<Tensor>,
    layout: EdgeLayout,
    heads: i64,
    out_gradient: Tensor,
    /// What LeakyReLU is applied to, `[edges, width]`, in `f64`.
    heard: Tensor,
}

fn heard(leaves: &[Tensor], [sources, targets, relations]: [&[u32]; 3], features: &[f32]) -> Tensor {
    let row = |leaf: &Tensor, places: &[u32]| {
        let places: Vec<i64> = places.iter().map(|&place| i64::from(place)).collect();
        leaf.detach().to_kind(Kind::Double).index_select(0, &Tensor::from_slice(&places))
    };
    let ends = row(&leaves[0], sources) + row(&leaves[1], targets);
    let Some(edge) = leaves.get(3) else { return ends };
    let ones = Tensor::ones([sources.len() as i64, 1], (Kind::Double, Device::Cpu));
    let features =
        Tensor::from_slice(features).to_kind(Kind::Double).view([sources.len() as i64, edge.size()[1] - 1]);
    let features = Tensor::cat(&[ones, features], 1);
    ends + (row(edge, relations) * features.unsqueeze(-1)).sum_dim_intlist(
        [1_i64].as_slice(),
        false,
        Kind::Double,
    )
}

impl Case {
    fn new(graph: &Graph) -> Self {
        Self::stored(graph, Kind::Float)
    }

    /// With projections of kind `stored`.
    fn stored(graph: &Graph, stored: Kind) -> Self {
        let (sources, targets): (Vec<u32>, Vec<u32>) = graph.ends.iter().copied().unzip();
        let typed = graph.relations > 0;
        let relations: Vec<u32> =
            (0..sources.len() as u32).filter(|_| typed).map(|edge| edge * 7 % graph.relations).collect();
        let features = numbers(graph.seed ^ 9, sources.len() * graph.feature_width);
        let layout = EdgeLayout::new(&Edges {
            source_nodes: graph.source_nodes,
            target_nodes: graph.target_nodes,
            sources: &sources,
            targets: &targets,
            relations: &relations,
            features: &features,
            feature_width: graph.feature_width,
        })
        .unwrap();
        let leaf_of = |kind: Kind, salt: u64, shape: &[i64]| {
            let values = numbers(graph.seed ^ salt, shape.iter().product::<i64>() as usize);
            Tensor::from_slice(&values).view(shape).to_kind(kind).set_requires_grad(true)
        };
        let leaf = |salt: u64, shape: &[i64]| leaf_of(Kind::Float, salt, shape);
        let width = graph.width;
        let mut leaves = vec![
            leaf_of(stored, 1, &[graph.source_nodes as i64, width]),
            leaf_of(stored, 2, &[graph.target_nodes as i64, width]),
            leaf(3, &[width]),
        ];
        if typed {
            let relations = i64::from(graph.relations) + 1;
            leaves.push(leaf(4, &[relations, 1 + graph.feature_width as i64, width]));
        }
        let out_gradient = leaf(5, &[graph.target_nodes as i64, width]).detach();
        let heard = heard(&leaves, [&sources, &targets, &relations], &features);
        Case { leaves, layout, heads: graph.heads, out_gradient, heard }
    }

    /// Whether a number that LeakyReLU bends at is so near to zero that its sign depends on the order of a sum: two
    /// right answers may then have different gradients.
    fn is_at_a_bend(&self) -> bool {
        let size = self.heard.abs();
        size.gt(0.0).logical_and(&size.lt(2e-6)).any().int64_value(&[]) == 1
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            source: &self.leaves[0],
            target: &self.leaves[1],
            attention: &self.leaves[2],
            edge: self.leaves.get(3),
            heads: self.heads,
        }
    }

    fn gradients(&self, out: &Tensor) -> Vec<Tensor> {
        let loss = (out * &self.out_gradient).sum(Kind::Float);
        Tensor::run_backward(&[loss], &self.leaves, false, false)
    }
}

/// Largest difference relative to the largest magnitude (at least 1).
fn difference(a: &Tensor, b: &Tensor) -> f64 {
    if a.numel() == 0 {
        return 0.0;
    }
    let scale = b.abs().max().double_value(&[]).max(1.0);
    (a - b).abs().max().double_value(&[]) / scale
}

/// Whether two gradients are equal but for rounding: 1e-4 of the largest; where they are stored as bf16, one step of
/// the largest more, since what they are summed from is rounded, too.
fn are_near(a: &Tensor, b: &Tensor) -> bool {
    let step = if a.kind() == Kind::BFloat16 { 2_f64.powi(-7) } else { 0.0 };
    difference(&a.to_kind(Kind::Double), &b.to_kind(Kind::Double)) < step + 1e-4
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn fused_equals_plain(graph in graphs(), stored in prop::sample::select(vec![Kind::Float, Kind::BFloat16])) {
        let case = Case::stored(&graph, stored);
        prop_assume!(!case.is_at_a_bend());
        let inputs = case.inputs();
        prop_assert!(is_fused(&inputs));
        let (fused, plain) = (attend(&inputs, &case.layout).unwrap(), attend_plain(&inputs, &case.layout).unwrap());
        prop_assert!(difference(&fused, &plain) < 1e-5, "forward {}", difference(&fused, &plain));
        for (place, (fused, plain)) in case.gradients(&fused).iter().zip(case.gradients(&plain)).enumerate() {
            // Without edges, plain operations never meet the weights of edges.
            let plain = if plain.defined() { plain } else { fused.zeros_like() };
            prop_assert_eq!((fused.size(), fused.kind()), (plain.size(), plain.kind()));
            prop_assert!(are_near(fused, &plain), "gradient {place} as {stored:?}: {}", difference(fused, &plain));
        }
        let without = tch::no_grad(|| attend(&inputs, &case.layout).unwrap());
        prop_assert!(difference(&without, &fused) == 0.0);
        let in_chunks = attend_in_chunks(&inputs, &case.layout, (graph.seed % 64) as i64).unwrap();
        prop_assert!(difference(&in_chunks, &plain) < 1e-5, "in chunks {}", difference(&in_chunks, &plain));
    }
}

fn hub() -> Graph {
    let ends = (0..5000).map(|edge| (edge % 37, edge % 3)).collect();
    Graph {
        source_nodes: 37,
        target_nodes: 50,
        ends,
        relations: 3,
        feature_width: 4,
        width: 64,
        heads: 4,
        seed: 11,
    }
}

#[test]
fn threads_change_nothing_but_rounding() {
    let case = Case::new(&Graph {
        source_nodes: 3000,
        target_nodes: 3000,
        ends: numbers(5, 60_000).chunks(2).map(|at| (index(at[0]), index(at[1]))).collect(),
        ..hub()
    });
    let mut results = Vec::new();
    for threads in [1, 2, 5] {
        tch::set_num_threads(threads);
        let out = attend(&case.inputs(), &case.layout).unwrap();
        let mut all = case.gradients(&out);
        all.push(out);
        results.push(all);
    }
    for (one, other) in results[0].iter().zip(&results[1]).chain(results[0].iter().zip(&results[2])) {
        assert!(difference(one, other) < 1e-5);
    }
}

/// Arithmetic is that of f32: stored halves bring the same bits as the same numbers stored whole, but for the rounding
/// of the two gradients that are halves themselves, which is libtorch's own. The gradient that comes in has no more
/// digits than halves.
#[test]
fn halves_change_nothing_but_the_rounding_of_their_gradients() {
    for (width, heads) in SIZES {
        let mut halves = Case::stored(&Graph { width, heads, ..hub() }, Kind::BFloat16);
        let mut whole = Case::new(&Graph { width, heads, ..hub() });
        for place in 0..2 {
            whole.leaves[place] = halves.leaves[place].detach().to_kind(Kind::Float).set_requires_grad(true);
        }
        for case in [&mut halves, &mut whole] {
            case.out_gradient = case.out_gradient.to_kind(Kind::BFloat16).to_kind(Kind::Float);
        }
        let outs = [&halves, &whole].map(|case| attend(&case.inputs(), &case.layout).unwrap());
        assert_eq!(outs[0], outs[1]);
        let (of_halves, of_whole) = (halves.gradients(&outs[0]), whole.gradients(&outs[1]));
        for (half, whole) in of_halves.iter().zip(&of_whole) {
            assert_eq!(*half, whole.to_kind(half.kind()), "{width} in {heads}");
        }
    }
}

fn index(number: f32) -> u32 {
    (((number + 1.0) * 1500.0) as u32).min(2999)
}

#[test]
fn scores_of_any_size_stay_finite() {
    let case = Case::new(&hub());
    let large = tch::no_grad(|| &case.leaves[2] * 1e4).set_requires_grad(true);
    let inputs = Inputs { attention: &large, ..case.inputs() };
    let (fused, plain) =
        (attend(&inputs, &case.layout).unwrap(), attend_plain(&inputs, &case.layout).unwrap());
    assert!(fused.isfinite().all().int64_value(&[]) == 1);
    assert!(difference(&fused, &plain) < 1e-4);
}

#[test]
fn double_precision_takes_the_plain_way() {
    let case = Case::new(&hub());
    let double: Vec<Tensor> = case.leaves.iter().map(|leaf| leaf.to_kind(Kind::Double)).collect();
    let Case { layout, .. } = Case::new(&hub());
    let layout = layout.to_kind(Kind::Double);
    let inputs = Inputs {
        source: &double[0],
        target: &double[1],
        attention: &double[2],
        edge: double.get(3),
        heads: 4,
    };
    assert!(!is_fused(&inputs));
    let out = attend(&inputs, &layout).unwrap();
    assert!(difference(&attend(&case.inputs(), &case.layout).unwrap().to_kind(Kind::Double), &out) < 1e-5);
}

#[test]
fn what_does_not_fit_is_named() {
    let case = Case::new(&hub());
    let narrow = Tensor::zeros([37, 32], (Kind::Float, Device::Cpu));
    let [half_source, half_target, half_attention] =
        [0, 1, 2].map(|place| case.leaves[place].to_kind(Kind::BFloat16));
    let double = case.leaves[3].to_kind(Kind::Double);
    let wrong = [
        (Inputs { source: &narrow, ..case.inputs() }, "source is [37, 32], expected [37, 64]"),
        (Inputs { heads: 3, ..case.inputs() }, "heads 3, expected a divisor of the width 64"),
        (Inputs { edge: None, ..case.inputs() }, "edge weights, expected given for these edges"),
        (Inputs { edge: Some(&narrow), ..case.inputs() }, "edge is [37, 32], expected [at least 3, 5, 64]"),
        (
            Inputs { source: &half_source, ..case.inputs() },
            "target of Float on Cpu, expected BFloat16 on Cpu, as `source` is of BFloat16",
        ),
        (
            Inputs { target: &half_target, ..case.inputs() },
            "target of BFloat16 on Cpu, expected Float on Cpu, as `source` is of Float",
        ),
        (
            Inputs {
                source: &half_source,
                target: &half_target,
                attention: &half_attention,
                ..case.inputs()
            },
            "attention of BFloat16 on Cpu, expected Float on Cpu, as `source` is of BFloat16",
        ),
        (
            Inputs { edge: Some(&double), ..case.inputs() },
            "edge of Double on Cpu, expected Float on Cpu, as `source` is of Float",
        ),
    ];
    for (inputs, message) in wrong {
        let error = attend(&inputs, &case.layout).unwrap_err();
        assert!(matches!(error, TorchExtensionError::Argument { .. }));
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn ends_outside_the_graph_are_named() {
    let edges = Edges {
        source_nodes: 2,
        target_nodes: 2,
        sources: &[0, 1],
        targets: &[1, 2],
        relations: &[],
        features: &[],
        feature_width: 0,
    };
    let error = EdgeLayout::new(&edges).unwrap_err();
    assert_eq!(error.to_string(), "target of edge 1 is node 2, expected one of 2 nodes");
}

/// The kernels of older processors, on this one. They are chosen once a process, so each set has a process of its own.
#[test]
fn every_instruction_set_equals_plain() {
    if std::env::var_os("LONGSHORE_KERNELS").is_some() {
        return;
    }
    for set in ["baseline", "avx2"] {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .env("LONGSHORE_KERNELS", set)
            .output()
            .unwrap();
        assert!(run.status.success(), "{set}: {}", String::from_utf8_lossy(&run.stdout));
    }
}
