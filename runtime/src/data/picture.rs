//! Pictures of digits in MNIST's form (feature `cli`).
