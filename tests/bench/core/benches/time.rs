//! The wall time of each benchmark: `cargo bench -p connector-bench-core --bench time`.

use connector_bench_core::{Benchmark, all};
use divan::Bencher;

fn main() {
    divan::main();
}

#[divan::bench(args = all())]
#[expect(clippy::panic, reason = "divan has no other way for a benchmark to fail")]
fn core(bencher: Bencher<'_, '_>, benchmark: &Benchmark) {
    match benchmark.prepare() {
        Ok(work) => bencher.bench_local(work),
        Err(error) => panic!("{benchmark:?}: {error}"),
    }
}
