//! Parameters as text that people and other programs read.

use std::format;
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::tensor::PrintOptions;
use crate::{Result, Tensor, Variables};

use super::atomic;

/// The trainable variables: for each its name, its shape as a Python tuple and all its values as NumPy prints them,
/// nothing left out.
///
/// ```
/// use gradling::{Tensor, Variables, io::text};
/// let mut variables = Variables::new();
/// variables.add("dense/bias", &Tensor::new(&[3], [0.0, -0.25, 1.0])?, true)?;
/// assert_eq!(text::parameters(&variables)?, "dense/bias\n(3,)\n[ 0.   -0.25  1.  ]\n");
/// # Ok::<(), gradling::Error>(())
/// ```
///
/// **Errors** never with variables of a model; as [`Variables::get`].
///
/// Reference: `numpy.array2string` with `threshold=inf`.
pub fn parameters(variables: &Variables) -> Result<String> {
    let mut text = String::new();
    for (id, variable) in variables.iter().filter(|(_, variable)| variable.trainable) {
        let value = variables.get(id)?;
        let parts = [variable.name.as_str(), "\n", &tuple(&value), "\n", &array(&value), "\n"];
        parts.iter().for_each(|part| text.push_str(part));
    }
    Ok(text)
}

/// Replaces the file at `path` by the text of [`parameters`]; a crash at any instant leaves the old or the new file
/// whole.
///
/// **Errors** when the folder cannot be written.
pub fn write_parameters(path: impl AsRef<Path>, variables: &Variables) -> Result<()> {
    atomic::write(path.as_ref(), parameters(variables)?.as_bytes())
}

/// The shape as Python writes it.
fn tuple(tensor: &Tensor) -> String {
    let dims: Vec<String> = tensor.shape().dims().iter().map(ToString::to_string).collect();
    if dims.len() == 1 { format!("({},)", dims[0]) } else { format!("({})", dims.join(", ")) }
}

/// All values as NumPy prints them.
fn array(tensor: &Tensor) -> String {
    tensor.display(&PrintOptions { threshold: usize::MAX, ..PrintOptions::default() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn nothing_is_left_out() {
        let mut variables = Variables::new();
        let add = |variables: &mut Variables, name: &str, dims: &[usize], trainable| {
            let value = Tensor::full(dims, 0.5).unwrap();
            variables.add(name, &value, trainable).unwrap();
        };
        add(&mut variables, "kernel", &[3, 1000], true);
        add(&mut variables, "moment", &[3, 1000], false);
        add(&mut variables, "scale", &[], true);
        let text = parameters(&variables).unwrap();
        assert!(text.starts_with("kernel\n(3, 1000)\n[[0.5 0.5 "), "{}", &text[..40]);
        assert!(text.ends_with("0.5]]\nscale\n()\n0.5\n") && !text.contains("moment"));
        let (words, lines): (Vec<&str>, _) = (text.split("0.5").collect(), text.lines());
        assert_eq!(words.len(), 3002);
        assert!(lines.map(str::len).max() <= Some(75));
        assert_eq!(tuple(&Tensor::new(&[1], vec![0.0]).unwrap()), "(1,)");
    }
}
