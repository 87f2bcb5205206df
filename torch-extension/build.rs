//! Compiles the C++ of this crate against the libtorch that torch-sys found.
//!
//! Kernels (`kernels.cpp`) are compiled once for each instruction set and chosen when the program runs, so that one
//! binary uses what its machine has. Everything else is compiled once, with libtorch's headers.

use std::path::{Path, PathBuf};

/// Name of an instruction set in `kernels.cpp`, and the compiler flags that allow it.
const INSTRUCTION_SETS: [(&str, &[&str]); 3] = [
    ("baseline", &[]),
    ("avx2", &["-mavx2", "-mfma"]),
    (
        "avx512",
        &["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
    ),
];

fn main() {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    kernels();
    operators(&include_folder());
    println!("cargo:rustc-link-lib=gomp");
    rpath();
}

fn compiler() -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(3)
        .flag("-fopenmp")
        .flag("-fno-math-errno")
        .flag("-fno-trapping-math");
    build
}

fn kernels() {
    let is_x86 = std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    for (name, flags) in &INSTRUCTION_SETS[..if is_x86 { 3 } else { 1 }] {
        let mut build = compiler();
        flags.iter().for_each(|flag| {
            build.flag(flag);
        });
        // The widest vectors of the source are split where an instruction set has shorter ones; that such a vector is
        // passed differently elsewhere does not matter to functions that are all inlined.
        build.flag("-Wno-psabi").define("INSTRUCTION_SET", *name);
        build.file("cpp/kernels.cpp").compile(&format!("longshore_kernels_{name}"));
    }
}

/// libtorch's headers beside the libraries that torch-sys links.
fn include_folder() -> PathBuf {
    let library = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is");
    let root = Path::new(&library).parent().expect("libtorch's libraries lie in a folder of it");
    let include =
        std::env::var_os("LIBTORCH_INCLUDE").map_or_else(|| root.to_owned(), PathBuf::from).join("include");
    assert!(include.is_dir(), "libtorch's headers are not at {}: set LIBTORCH_INCLUDE", include.display());
    include
}

fn operators(include: &Path) {
    let mut build = compiler();
    build.flag("-isystem").flag(include.display().to_string());
    build.flag("-isystem").flag(include.join("torch/csrc/api/include").display().to_string());
    build.define("_GLIBCXX_USE_CXX11_ABI", "1");
    // `cpp` holds the few declarations of Gloo that a wheel of PyTorch has no headers for.
    build.define("USE_C10D_GLOO", None).include("cpp");
    build.files(["cpp/attention.cpp", "cpp/kernels_choice.cpp", "cpp/inference.cpp", "cpp/linear.cpp"]);
    build.files(["cpp/process_group.cpp", "cpp/nccl.cpp", "cpp/exchange.cpp"]);
    build.files(["cpp/allocation.cpp", "cpp/library.cpp"]);
    build.compile("longshore_operators");
}

fn rpath() {
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
