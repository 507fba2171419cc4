//! Tensors as arrays: choosing by a condition, random numbers, stacking, grids.

use gradling::rng::Rng;
use gradling::{Result, Tape, Tensor, Var};

fn main() -> Result<()> {
    let a = Tensor::new(&[5], [1, 2, 3, 1, 1])?;
    let b = Tensor::new(&[5], [0, 1, 3, 4, 5])?;
    let c = Tape::compute(&[&a, &b], |x| Var::select(x[0].greater(x[1]), x[0], x[1]))?;
    println!("a where a > b, else b: {c}");

    let mut rng = Rng::new(1);
    println!("a random number: {}", rng.uniform());
    println!("random numbers:\n{}", Tensor::random_uniform(&[2, 3], 0.0, 1.0, &mut rng)?);

    let a = Tensor::new(&[3], [1, 2, 3])?;
    let b = Tensor::new(&[3], [4, 5, 6])?;
    println!("vstack:\n{}", Tensor::vstack(&[a.clone(), b.clone()])?);
    println!("hstack: {}", Tensor::hstack(&[a, b])?);

    // np.mgrid[1:3:1, 2:4:0.5]
    let grid = Tensor::meshgrid(&[Tensor::range(1.0, 3.0, 1.0)?, Tensor::range(2.0, 4.0, 0.5)?], false)?;
    let (x, y) = (&grid[0], &grid[1]);
    println!("x:\n{x}\ny:\n{y}");
    let columns = [x.reshape(&[x.numel(), 1])?, y.reshape(&[y.numel(), 1])?];
    println!("points of the grid:\n{}", Tensor::concat(&columns, 1)?);
    Ok(())
}
