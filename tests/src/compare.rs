//! The judgement: `abs(a - b) <= atol + rtol * abs(b)`, NaN equals NaN, equal infinities are equal, integers
//! are equal or not.

use crate::tensors::{Array, Numbers};

/// How far `got` is from `want`.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// Largest absolute difference; infinite when a NaN or an infinity meets a number.
    pub largest: f64,
    /// Largest difference in units of what is allowed; more than 1 fails.
    pub of_tolerance: f64,
    /// Description of the worst element, or of what else does not fit; `None` when all is well.
    pub fault: Option<String>,
}

/// Tolerances of one comparison.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Relative to the expected value.
    pub rtol: f64,
    /// Absolute.
    pub atol: f64,
}

/// Compares `got` with `want` under one tolerance.
pub fn compare(name: &str, got: &Array, want: &Array, tolerance: Tolerance) -> Difference {
    if got.shape != want.shape {
        return Difference {
            largest: f64::INFINITY,
            of_tolerance: f64::INFINITY,
            fault: Some(format!("{name}: shape {:?}, expected {:?}", got.shape, want.shape)),
        };
    }
    match (&got.numbers, &want.numbers) {
        (Numbers::I32(a), Numbers::I32(b)) => {
            worst(name, a.len(), |i| (f64::from(a[i]), f64::from(b[i]), 0.0))
        }
        _ => {
            let (a, b) = (got.to_f32(), want.to_f32());
            worst(name, a.len(), |i| {
                let (a, b) = (f64::from(a[i]), f64::from(b[i]));
                (a, b, tolerance.atol + tolerance.rtol * b.abs())
            })
        }
    }
}

/// Compares two runs of floats where element `i` may differ by `allowed(i)`.
pub fn compare_each(name: &str, got: &[f32], want: &[f32], allowed: impl Fn(usize) -> f64) -> Difference {
    if got.len() != want.len() {
        return Difference {
            largest: f64::INFINITY,
            of_tolerance: f64::INFINITY,
            fault: Some(format!("{name}: {} values, expected {}", got.len(), want.len())),
        };
    }
    worst(name, got.len(), |i| (f64::from(got[i]), f64::from(want[i]), allowed(i)))
}

fn worst(name: &str, len: usize, element: impl Fn(usize) -> (f64, f64, f64)) -> Difference {
    let mut all = Difference::default();
    for i in 0..len {
        let (a, b, allowed) = element(i);
        let same = a == b || (a.is_nan() && b.is_nan());
        let error = if same {
            0.0
        } else if (a - b).is_finite() {
            (a - b).abs()
        } else {
            f64::INFINITY
        };
        let of_tolerance = if error == 0.0 {
            0.0
        } else if error.is_finite() && allowed.is_finite() {
            error / allowed
        } else {
            f64::INFINITY
        };
        all.largest = all.largest.max(error);
        if of_tolerance > all.of_tolerance {
            all.of_tolerance = of_tolerance;
            if of_tolerance > 1.0 {
                all.fault = Some(format!("{name}[{i}]: got {a}, expected {b} within {allowed:.1e}"));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Tolerance = Tolerance { rtol: 1e-4, atol: 1e-5 };

    #[test]
    fn not_a_number_and_infinities_equal_themselves_only() {
        let special = Array::f32(&[3], vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
        assert!(compare("y", &special, &special, TOLERANCE).fault.is_none());
        let numbers = Array::f32(&[3], vec![0.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
        assert!(compare("y", &numbers, &special, TOLERANCE).fault.is_some());
        assert!(compare("y", &special, &numbers, TOLERANCE).fault.is_some());
    }

    #[test]
    fn tolerance_is_relative_to_the_expected_value() {
        let want = Array::f32(&[2], vec![100.0, 0.0]);
        let near = Array::f32(&[2], vec![100.009, 0.9e-5]);
        let far = Array::f32(&[2], vec![100.02, 0.0]);
        assert!(compare("y", &near, &want, TOLERANCE).fault.is_none());
        let difference = compare("y", &far, &want, TOLERANCE);
        assert!(difference.fault.is_some());
        assert!((difference.largest - 0.02).abs() < 1e-5);
    }

    #[test]
    fn integers_and_shapes_are_exact() {
        let one = Array::i32(&[1], vec![1]);
        assert!(compare("y", &one, &Array::i32(&[1], vec![2]), TOLERANCE).fault.is_some());
        assert!(compare("y", &one, &Array::i32(&[1, 1], vec![1]), TOLERANCE).fault.is_some());
        assert!(compare("y", &one, &one, TOLERANCE).fault.is_none());
    }
}
