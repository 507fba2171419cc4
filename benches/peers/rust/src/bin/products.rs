//! Matrix products of the crates gemm and matrixmultiply.

use gradling_rust_peers::{Job, Prepared, Request, Result, pattern, serve};
use std::hint::black_box;

fn prepare(system: &str, threads: usize, request: &Request) -> Prepared {
    let size = request.name.strip_prefix("matmul").and_then(|n| n.parse::<usize>().ok());
    let Some(n) = size else { return Err(format!("{system} has matrix products only")) };
    let product = if system == "gemm" { by_gemm } else { by_matrixmultiply };
    let (a, b, mut c) = (pattern(n * n, 1), pattern(n * n, 2), vec![0.0; n * n]);
    product(n, threads, &a, &b, &mut c);
    let values = c[..4].to_vec();
    let run = Box::new(move |iterations| {
        for _ in 0..iterations {
            product(n, threads, black_box(&a), &b, &mut c);
        }
        black_box(&c);
        Ok(())
    });
    Ok(Job { run, parameters: None, values })
}

fn by_gemm(n: usize, threads: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    assert!([a.len(), b.len(), c.len()] == [n * n; 3]);
    let row = n as isize;
    // SAFETY: the three matrices are n × n and row-major, as the strides say.
    unsafe {
        gemm::gemm(
            n,
            n,
            n,
            c.as_mut_ptr(),
            1,
            row,
            false,
            a.as_ptr(),
            1,
            row,
            b.as_ptr(),
            1,
            row,
            0.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Its threads come from `MATMUL_NUM_THREADS`.
fn by_matrixmultiply(n: usize, _threads: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    assert!([a.len(), b.len(), c.len()] == [n * n; 3]);
    let row = n as isize;
    // SAFETY: the three matrices are n × n and row-major, as the strides say.
    unsafe {
        matrixmultiply::sgemm(
            n,
            n,
            n,
            1.0,
            a.as_ptr(),
            row,
            1,
            b.as_ptr(),
            row,
            1,
            0.0,
            c.as_mut_ptr(),
            row,
            1,
        );
    }
}

fn main() -> Result<()> {
    let title = |system: &str| if system == "gemm" { "gemm 0.19" } else { "matrixmultiply 0.3" }.to_string();
    serve(title, |started, request| Ok(prepare(&started.system, started.threads, request)))
}
