//! Benchmarks of the code without IO. `benches/time.rs` measures their wall time, and `benches/instructions` counts their instructions.
//!
//! Each benchmark builds its input first. Only the work on the input is measured, and dropping its result.

use std::{error::Error, fmt, hint::black_box};

pub mod comparison;
mod input;
#[cfg(test)]
mod page;
mod policy;
mod queue;
mod reading;
mod rendering;
mod verification;

/// The measured part of a benchmark, with its input.
pub type Work = Box<dyn Fn()>;

/// The work, or why its input can't be built.
pub type Prepared = Result<Work, Box<dyn Error>>;

/// A benchmark.
#[derive(Clone, Copy)]
pub struct Benchmark {
    /// The name: what is done to what, in lower case with underscores. Unique.
    pub name: &'static str,
    prepare: fn() -> Prepared,
}

impl Benchmark {
    /// Builds the input, and does the work once. What is set up at the first time is then not measured.
    ///
    /// # Errors
    /// The input can't be built, or the work fails on it: a benchmark of a rejected input would measure something else.
    pub fn prepare(&self) -> Prepared {
        (self.prepare)()
    }
}

impl fmt::Debug for Benchmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All benchmarks, in the order of the tables.
pub fn all() -> Vec<Benchmark> {
    [verification::ALL, reading::ALL, rendering::ALL, queue::ALL, policy::ALL].concat()
}

/// Returns the work on an input, after doing it once.
fn work<I, O, E>(input: I, function: fn(&I) -> Result<O, E>) -> Prepared
where
    I: 'static,
    O: 'static,
    E: Into<Box<dyn Error>> + 'static,
{
    function(&input).map_err(Into::into)?;
    // The compiler must neither compute the result in advance nor leave out the work on an unused result.
    Ok(Box::new(move || drop(black_box(function(black_box(&input))))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_benchmark_does_its_work() {
        for benchmark in all() {
            match benchmark.prepare() {
                Ok(work) => work(),
                Err(error) => panic!("{}: {error}", benchmark.name),
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<&str> = all().iter().map(|benchmark| benchmark.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
