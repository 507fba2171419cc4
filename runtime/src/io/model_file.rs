//! Model files: architecture, weights and training state.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | `GRADLING` |
//! | 8 | 4 | version, 2 |
//! | 12 | 4 | CRC-32 of everything from byte 16 on |
//! | 16 | 8 | file length |
//! | 24 | 8 | length of the description |
//! | 32 | .. | the description in postcard |
//! | next multiple of 64 | .. | the values of the variables, each at a multiple of 64 |
//!
//! Numbers are little-endian.

use crate::nn::layer::Initialize;
use crate::nn::topology::Topology;
use crate::nn::{Initializer, LayerConfig, Logs, Losses, Metric, Model, Optimizer};
use crate::variables::{ALIGN, Variables};
use crate::{DType, Data, Result, Shape, Tensor, device_error, f16, format_error, misuse, unsupported};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 8] = b"GRADLING";
const VERSION: u32 = 2;
const HEADER: usize = 32;

#[derive(Serialize, Deserialize)]
struct Description {
    name: String,
    layers: Vec<LayerConfig>,
    topology: Topology,
    /// The shape of one sample of each input.
    samples: Vec<Shape>,
    seed: u64,
    compiled: Option<(Optimizer, Losses, Vec<Metric>)>,
    history: Vec<Logs>,
    variables: Vec<Stored>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    shape: Shape,
    dtype: DType,
    trainable: bool,
}

impl Model {
    /// The model as a file: architecture, weights, optimizer with its state and counters.
    ///
    /// **Errors** when the model is not built or has a custom layer, which only its own program can make again.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        if !self.is_built() {
            return Err(misuse!("save: the model is not built; call model.build"));
        }
        let config = |l: &alloc::boxed::Box<dyn crate::nn::Layer>| {
            l.config().ok_or_else(|| unsupported!("{}: custom layers cannot be saved", l.name()))
        };
        let mut description = Description {
            name: self.name().into(),
            layers: self.layers().iter().map(config).collect::<Result<_>>()?,
            topology: self.topology().clone(),
            samples: self.input_shapes(),
            seed: self.seed_value(),
            compiled: self.compile_config(),
            history: self.history().epochs.clone(),
            variables: Vec::new(),
        };
        file(&mut description, self.variables(), self.variables().len())
    }

    /// The weights alone as a file; custom layers are no obstacle.
    ///
    /// **Errors** when the model is not built.
    pub fn weights_to_bytes(&self) -> Result<Vec<u8>> {
        if !self.is_built() {
            return Err(misuse!("save: the model is not built; call model.build"));
        }
        let mut description = Description {
            name: self.name().into(),
            layers: Vec::new(),
            topology: Topology::default(),
            samples: Vec::new(),
            seed: 0,
            compiled: None,
            history: Vec::new(),
            variables: Vec::new(),
        };
        file(&mut description, self.variables(), self.weights().count())
    }

    /// Takes the weights of a file of weights or of a whole model, by name.
    ///
    /// **Errors** when the bytes are no such file, or a weight of the model is not in it or has another shape;
    /// the weights are then as they were.
    pub fn weights_from_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let (description, at) = parse(bytes)?;
        let stored = stored(bytes, &description, at)?;
        let mut values = Vec::new();
        for (_, v) in self.weights() {
            match stored.iter().find(|(name, _)| *name == v.name) {
                Some((_, value)) => values.push(value.clone()),
                None => return Err(format_error!("weights file: holds no weight {}", v.name)),
            }
        }
        self.set_weights(&values)
    }

    /// Reads a model file.
    ///
    /// **Errors** when the bytes are no model file, are damaged or truncated, or hold something that does not
    /// fit together. Never more memory is taken than a small multiple of the file's size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        let (description, at) = parse(bytes)?;
        let stored = stored(bytes, &description, at)?;
        let layers = description.layers.into_iter().map(LayerConfig::into_layer).collect();
        let mut model = Model::wired(&description.name, layers, description.topology)
            .ok_or_else(|| format_error!("model file: the layers are not wired in order"))?
            .seed(description.seed);
        let mut values = Values(stored.into_iter());
        model.build_from(&description.samples, &mut values)?;
        if let Some((optimizer, losses, metrics)) = description.compiled {
            model.compile(optimizer, losses, &metrics)?;
        }
        model.set_history(description.history);
        model.restore_state(values.0)?;
        Ok(model)
    }

    /// Replaces the file at `path` by this model; a crash at any instant leaves the old or the new file whole.
    ///
    /// **Errors** as [`to_bytes`](Model::to_bytes), and when the folder cannot be written.
    #[cfg(feature = "std")]
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        super::atomic::write(path.as_ref(), &self.to_bytes()?)
    }

    /// Replaces the file at `path` by the model's weights.
    ///
    /// **Errors** as [`weights_to_bytes`](Model::weights_to_bytes), and when the folder cannot be written.
    #[cfg(feature = "std")]
    pub fn save_weights(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        super::atomic::write(path.as_ref(), &self.weights_to_bytes()?)
    }

    /// Takes the weights of the file at `path`.
    ///
    /// **Errors** as [`weights_from_bytes`](Model::weights_from_bytes), with the path.
    #[cfg(feature = "std")]
    pub fn load_weights(&mut self, path: impl AsRef<std::path::Path>) -> Result<()> {
        let path = path.as_ref();
        let named = |e: crate::Error| e.within(&alloc::format!("{}", path.display()));
        self.weights_from_bytes(&super::atomic::read(path)?).map_err(named)
    }

    /// Reads the model at `path`.
    ///
    /// **Errors** as [`from_bytes`](Model::from_bytes), with the path.
    #[cfg(feature = "std")]
    pub fn load(path: impl AsRef<std::path::Path>) -> Result<Model> {
        let path = path.as_ref();
        let named = |e: crate::Error| e.within(&alloc::format!("{}", path.display()));
        Model::from_bytes(&super::atomic::read(path)?).map_err(named)
    }
}

/// A file of the first `count` variables behind a description.
fn file(description: &mut Description, variables: &Variables, count: usize) -> Result<Vec<u8>> {
    let kept = || variables.iter().take(count);
    let described = |(_, v): (_, &crate::variables::Variable)| Stored {
        name: v.name.clone(),
        shape: v.shape,
        dtype: v.dtype,
        trainable: v.trainable,
    };
    description.variables = kept().map(described).collect();
    let description = postcard::to_allocvec(&description).map_err(|e| device_error!("save: {e}"))?;
    let mut bytes = alloc::vec![0u8; HEADER];
    bytes.extend_from_slice(&description);
    for (id, _) in kept() {
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        match variables.get(id)?.data() {
            Data::F32(v) => v.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes())),
            Data::I32(v) => v.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes())),
            Data::F16(v) => v.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes())),
            Data::U8(v) => bytes.extend_from_slice(v),
            Data::I8(v) => bytes.extend(v.iter().map(|&b| b as u8)),
            Data::Bool(v) => bytes.extend(v.iter().map(|&b| b as u8)),
        }
    }
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let len = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&len.to_le_bytes());
    bytes[24..32].copy_from_slice(&(description.len() as u64).to_le_bytes());
    let crc = crate::checksum::crc32(&bytes[16..]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

/// The values of the variables, which start behind the description.
fn stored(bytes: &[u8], description: &Description, mut at: usize) -> Result<Vec<(String, Tensor)>> {
    let mut stored = Vec::new();
    for v in &description.variables {
        at = at.next_multiple_of(ALIGN);
        let size = v.shape.numel().saturating_mul(v.dtype.size());
        let end = at.checked_add(size).filter(|e| *e <= bytes.len());
        let end = end.ok_or_else(|| format_error!("model file: the values of {} are missing", v.name))?;
        stored.push((v.name.clone(), read_tensor(&bytes[at..end], v.shape, v.dtype)?));
        at = end;
    }
    Ok(stored)
}

/// Checks the header; gives the description and where the values start.
fn parse(bytes: &[u8]) -> Result<(Description, usize)> {
    if bytes.get(..8) != Some(MAGIC) {
        return Err(format_error!("model file: does not start with GRADLING; it is no Gradling model"));
    }
    let Some(header) = bytes.get(..HEADER) else {
        return Err(format_error!("model file: truncated, {} bytes", bytes.len()));
    };
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let long = |at: usize| word(at) as u64 | (word(at + 4) as u64) << 32;
    if word(8) != VERSION {
        return Err(format_error!(
            "model file: expected version {VERSION}, got {}; update Gradling",
            word(8)
        ));
    }
    if long(16) != bytes.len() as u64 {
        return Err(format_error!(
            "model file: expected {} bytes, got {}; it is truncated",
            long(16),
            bytes.len()
        ));
    }
    if crate::checksum::crc32(&bytes[16..]) != word(12) {
        return Err(format_error!("model file: the checksum does not match; the file is damaged"));
    }
    let end =
        usize::try_from(long(24)).ok().and_then(|n| n.checked_add(HEADER)).filter(|e| *e <= bytes.len());
    let end = end.ok_or_else(|| format_error!("model file: the description leaves the file"))?;
    let description = postcard::from_bytes(&bytes[HEADER..end])
        .map_err(|e| format_error!("model file: the description is damaged: {e}"))?;
    Ok((description, end))
}

fn read_tensor(bytes: &[u8], shape: Shape, dtype: DType) -> Result<Tensor> {
    let words = || bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    let data = match dtype {
        DType::F32 => Data::F32(words().map(f32::from_le_bytes).collect()),
        DType::I32 => Data::I32(words().map(i32::from_le_bytes).collect()),
        DType::F16 => Data::F16(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])).collect()),
        DType::U8 => Data::U8(bytes.to_vec()),
        DType::I8 => Data::I8(bytes.iter().map(|&b| b as i8).collect()),
        DType::Bool => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
    };
    Tensor::new(&shape.list(), data)
}

/// Stored values in the order in which layers ask for their weights.
struct Values(alloc::vec::IntoIter<(String, Tensor)>);

impl Initialize for Values {
    fn initial(&mut self, name: &str, shape: &Shape, _: Initializer) -> Result<Tensor> {
        match self.0.next() {
            Some((stored, value)) if stored == name && value.shape() == shape => Ok(value),
            Some((stored, value)) => Err(format_error!(
                "model file: expected weight {name} of shape {shape}, got {stored} of shape {}",
                value.shape()
            )),
            None => Err(format_error!("model file: holds no weight {name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_every_type_are_stored() {
        let types = [DType::F32, DType::I32, DType::U8, DType::Bool, DType::I8, DType::F16];
        let shape = Shape::new(&[3]).unwrap();
        let mut variables = Variables::new();
        for dtype in types {
            variables.add(dtype.name(), &Tensor::full_of(shape, -2.6, dtype), false).unwrap();
        }
        let mut description = Description {
            name: String::new(),
            layers: Vec::new(),
            topology: Topology::default(),
            samples: Vec::new(),
            seed: 0,
            compiled: None,
            history: Vec::new(),
            variables: Vec::new(),
        };
        let bytes = file(&mut description, &variables, types.len()).unwrap();
        let (description, at) = parse(&bytes).unwrap();
        for ((name, value), dtype) in stored(&bytes, &description, at).unwrap().iter().zip(types) {
            assert_eq!((name.as_str(), value), (dtype.name(), &Tensor::full_of(shape, -2.6, dtype)));
        }
    }
}
