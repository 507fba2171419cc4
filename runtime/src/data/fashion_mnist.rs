//! Fashion-MNIST: 28x28 grey pictures of clothes in the files and the form of MNIST (Xiao, Rasul and Vollgraf, 2017).

use std::path::Path;

use crate::Result;

use super::mnist::{Mnist, from_folder};

/// What the labels mean.
pub const CLASS_NAMES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Loads Fashion-MNIST from a folder with its four files, which have the names of [`mnist`](super::mnist)'s, each
/// plain or with `.gz` at its name's end.
///
/// **Errors**: as [`mnist::load`](super::mnist::load).
pub fn load(folder: impl AsRef<Path>) -> Result<Mnist> {
    from_folder("Fashion-MNIST", folder.as_ref())
}
