//! The case files: one JSON document a group, beside the safetensors file with its tensors.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::tensors::{Array, Tensors};

/// `{name: tensor key}` in the order of the file, which is the call order.
#[derive(Debug, Clone, Default)]
pub struct Keys(pub Vec<(String, String)>);

impl Keys {
    /// The key of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, k)| k.as_str())
    }

    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(n, _)| n.as_str())
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Keys, D::Error> {
        struct Ordered;
        impl<'de> Visitor<'de> for Ordered {
            type Value = Keys;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of names to tensor keys")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Keys, M::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    keys.push(entry);
                }
                Ok(Keys(keys))
            }
        }
        d.deserialize_map(Ordered)
    }
}

/// A weight of a layer, a model or an optimizer case.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Weight {
    /// Name as Keras has it, for example `kernel` or `dense_1/bias`.
    pub name: String,
    /// Key of its value before the call.
    pub key: String,
    /// Whether it has a gradient.
    #[serde(default = "yes")]
    pub trainable: bool,
}

fn yes() -> bool {
    true
}

/// One recorded case. Absent keys have their defaults.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Case {
    /// Unique in its group.
    pub name: String,
    /// op, layer, loss, metric, optimizer, schedule, activation, regularizer or model-training.
    pub kind: String,
    /// TensorFlow path of an op, else the Keras class.
    #[serde(default)]
    pub class_name: String,
    /// Keyword arguments of an op, else `get_config()`.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Inputs in call order.
    #[serde(default)]
    pub inputs: Keys,
    /// Weights in `layer.weights` order.
    #[serde(default)]
    pub weights: Vec<Weight>,
    /// Extra call arguments.
    #[serde(default)]
    pub call: Map<String, Value>,
    /// Expected outputs.
    #[serde(default)]
    pub outputs: Keys,
    /// Cotangents of outputs.
    #[serde(default)]
    pub cotangents: Keys,
    /// Expected gradients by input or weight name.
    #[serde(default)]
    pub grads: Keys,
    /// Relative tolerance.
    #[serde(default)]
    pub rtol: f64,
    /// Absolute tolerance.
    #[serde(default)]
    pub atol: f64,
    /// True element type of tensors stored otherwise, keyed like `in/x` or `out/y`.
    #[serde(default)]
    pub dtypes: HashMap<String, String>,
    /// Number of `update_state` calls of a metric case.
    #[serde(default)]
    pub updates: usize,
    /// Number of steps of an optimizer case.
    #[serde(default)]
    pub steps: usize,
    /// Tolerances of a model-training case.
    #[serde(default)]
    pub tolerances: Map<String, Value>,
    /// What the case is after.
    #[serde(default)]
    pub note: Option<String>,
}

impl Case {
    /// `config[key]` as a number, if it is one.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.config.get(key).and_then(Value::as_f64)
    }

    /// `config[key]` as text, if it is one.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str)
    }

    /// `config[key]` as a boolean; absent or null is false.
    pub fn flag(&self, key: &str) -> bool {
        self.config.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// `config[key]` as integers: a list, or one number as a list of one; absent or null is `None`.
    pub fn integers(&self, key: &str) -> Option<Vec<i64>> {
        integers(self.config.get(key)?)
    }

    /// True element type of a tensor, for example of `out/y`, when it is stored as another.
    pub fn dtype(&self, name: &str) -> Option<&str> {
        self.dtypes.get(name).map(String::as_str)
    }
}

/// A JSON number or list of numbers as integers.
pub fn integers(value: &Value) -> Option<Vec<i64>> {
    match value {
        Value::Number(n) => n.as_i64().map(|n| vec![n]),
        Value::Array(list) => list.iter().map(Value::as_i64).collect(),
        _ => None,
    }
}

#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    group: String,
    #[serde(default)]
    cases: Vec<Case>,
}

/// A group of cases with their tensors.
#[derive(Debug)]
pub struct Group {
    /// File name without extension.
    pub name: String,
    /// The cases in file order.
    pub cases: Vec<Case>,
    /// The tensors.
    pub tensors: Tensors,
    /// The folder it was read from.
    pub folder: PathBuf,
}

impl Group {
    /// Reads `path` (`<group>.json`) and the safetensors file beside it. `None` for a JSON file that
    /// holds no cases.
    ///
    /// **Errors** when a file cannot be read or a case refers to a tensor that is not there.
    pub fn read(path: &Path) -> Result<Option<Group>, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file: File = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if file.cases.is_empty() {
            return Ok(None);
        }
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let name = if file.group.is_empty() { stem } else { file.group };
        let tensors = Tensors::read(&path.with_extension("safetensors"))?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let group = Group { name, cases: file.cases, tensors, folder };
        for case in &group.cases {
            for keys in [&case.inputs, &case.outputs, &case.cotangents, &case.grads] {
                for (_, key) in &keys.0 {
                    group.tensors.get(key).map_err(|e| format!("{}/{}: {e}", group.name, case.name))?;
                }
            }
        }
        Ok(Some(group))
    }

    /// The tensor under `key`.
    ///
    /// **Errors** when the group has none.
    pub fn tensor(&self, key: &str) -> Result<&Array, String> {
        self.tensors.get(key)
    }
}

/// Where the goldens are: `argument`, else `GRADLING_GOLDEN`, else `shared/golden` beside the workspace.
pub fn folder(argument: Option<&str>) -> PathBuf {
    if let Some(dir) = argument {
        return PathBuf::from(dir);
    }
    if let Some(dir) = std::env::var_os("GRADLING_GOLDEN") {
        return PathBuf::from(dir);
    }
    workspace().join("../shared/golden")
}

/// The workspace root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every group of `dir`, by name.
///
/// **Errors** when the folder or a file in it cannot be read, or when it holds no group.
pub fn groups(dir: &Path) -> Result<Vec<Group>, String> {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    let mut groups = Vec::new();
    for file in files {
        groups.extend(Group::read(&file)?);
    }
    if groups.is_empty() {
        return Err(format!("{}: no case files here", dir.display()));
    }
    Ok(groups)
}
