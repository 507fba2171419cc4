//! Traced graphs: an SSA list of ops.

use crate::op::{Builder, CustomGradient, Kind, Node, Op, Random, ValueId, Var};
use crate::variables::{VariableId, Variables};
use crate::{DType, Error, Result, Shape, Tensor, misuse};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

/// A named value that enters or lives beside a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The name in messages and files.
    pub name: String,
    /// Shape and element type.
    pub kind: Kind,
}

/// An SSA list of ops in an order in which operands come before their uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The ops.
    pub nodes: Vec<Node>,
    /// Kind and producing node of each value.
    pub values: Vec<(Kind, u32)>,
    /// The inputs, by number.
    pub inputs: Vec<Port>,
    /// The variables, by number.
    pub variables: Vec<Port>,
    /// The constants, by number.
    pub constants: Vec<Tensor>,
    /// Values to keep, by name.
    pub outputs: Vec<(String, ValueId)>,
    /// Variables that take a new value at the end of the step. Only this list writes variables.
    pub assigns: Vec<(VariableId, ValueId)>,
}

impl Graph {
    /// Shape and type of a value.
    pub fn kind(&self, value: ValueId) -> Kind {
        self.values.get(value.index()).map_or((Shape::SCALAR, DType::F32), |v| v.0)
    }

    /// The node that computes a value.
    pub fn producer(&self, value: ValueId) -> &Node {
        &self.nodes[self.values[value.index()].1 as usize]
    }

    /// Appends an op whose operands exist.
    ///
    /// **Errors** when the operands do not fit the op.
    pub fn push(&mut self, op: Op, inputs: &[ValueId]) -> Result<ValueId> {
        let port = |ports: &[Port], n: u16| ports.get(n as usize).map(|p| p.kind);
        let leaf = match &op {
            Op::Input(n) => Some(port(&self.inputs, *n)),
            Op::Variable(n) => Some(port(&self.variables, *n)),
            Op::Constant(n) => Some(self.constants.get(*n as usize).map(|t| (*t.shape(), t.dtype()))),
            _ => None,
        };
        let kinds = match leaf {
            Some(kind) => {
                let kind = kind.ok_or_else(|| misuse!("{}: there is no such {}", op.name(), op.name()))?;
                vec![kind]
            }
            None => {
                let kinds: Vec<Kind> = inputs.iter().map(|&v| self.kind(v)).collect();
                op.infer(&kinds)?.iter().copied().collect()
            }
        };
        let first = ValueId(self.values.len() as u32);
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { op, inputs: inputs.to_vec(), first, results: kinds.len() });
        self.values.extend(kinds.into_iter().map(|k| (k, node)));
        Ok(first)
    }

    /// Values that must be computed: outputs and assigned values.
    pub fn roots(&self) -> impl Iterator<Item = ValueId> + '_ {
        self.outputs.iter().map(|o| o.1).chain(self.assigns.iter().map(|a| a.1))
    }

    /// A graph with the same ports and no nodes.
    pub(crate) fn empty_like(&self) -> Graph {
        Graph {
            inputs: self.inputs.clone(),
            variables: self.variables.clone(),
            constants: self.constants.clone(),
            ..Graph::default()
        }
    }
}

/// A [`Builder`] that records a [`Graph`].
#[derive(Default)]
pub struct Trace {
    graph: RefCell<Graph>,
    // Lists, not maps: they are short, and a page downloads the code of a map.
    variables: RefCell<Vec<(VariableId, ValueId)>>,
    customs: RefCell<Vec<(usize, CustomGradient)>>,
    error: RefCell<Option<Error>>,
}

impl Trace {
    /// An empty trace beside these variables.
    pub fn new(variables: &Variables) -> Trace {
        let ports = variables.ports().collect();
        Trace { graph: RefCell::new(Graph { variables: ports, ..Graph::default() }), ..Trace::default() }
    }

    /// Adds an input.
    pub fn input(&self, name: &str, shape: Shape, dtype: DType) -> Var<'_> {
        let n = {
            let mut graph = self.graph.borrow_mut();
            graph.inputs.push(Port { name: name.to_string(), kind: (shape, dtype) });
            graph.inputs.len() - 1
        };
        Var::new(self, self.push(Op::Input(n as u16), &[]))
    }

    /// The value of a variable at the start of the step.
    ///
    /// The same variable is the same value however often it is asked for, so that its gradient counts every use.
    pub fn variable(&self, id: VariableId) -> Var<'_> {
        Var::new(self, self.variable_value(id, |op| self.push(op, &[])))
    }

    /// The value of a variable, pushed on first use.
    pub(crate) fn variable_value(&self, id: VariableId, push: impl FnOnce(Op) -> ValueId) -> ValueId {
        let known = self.variables.borrow().iter().find(|v| v.0 == id).map(|v| v.1);
        known.unwrap_or_else(|| {
            let value = push(Op::Variable(id.0));
            self.variables.borrow_mut().push((id, value));
            value
        })
    }

    /// A constant.
    pub fn constant(&self, value: Tensor) -> Var<'_> {
        Var::new(self, self.constant_id(value))
    }

    /// A float32 scalar.
    pub fn scalar(&self, value: f32) -> Var<'_> {
        Var::new(self, self.push(Op::Scalar(DType::F32, value.to_bits()), &[]))
    }

    /// Uniform numbers in [0, 1) from an int32 key `[seed, counter]`; `salt` tells streams of one step apart.
    pub fn random_uniform<'b>(&'b self, shape: Shape, key: Var<'b>, salt: u32) -> Var<'b> {
        key.apply(Op::Random(Random { salt, shape }))
    }

    /// Keeps a value as an output.
    pub fn output(&self, name: &str, value: Var<'_>) {
        self.graph.borrow_mut().outputs.push((name.to_string(), value.id()));
    }

    /// Gives a variable a new value at the end of the step.
    pub fn assign(&self, variable: VariableId, value: Var<'_>) {
        let mut graph = self.graph.borrow_mut();
        let (now, new) = (graph.variables.get(variable.0 as usize).cloned(), value.shape_in(&graph));
        match now {
            Some(port) if port.kind == new && graph.assigns.iter().all(|a| a.0 != variable) => {
                graph.assigns.push((variable, value.id()));
            }
            Some(port) => {
                drop(graph);
                self.fail(misuse!(
                    "assign: variable {} of {} {} cannot take a second value or one of {} {}",
                    port.name,
                    port.kind.1,
                    port.kind.0,
                    new.1,
                    new.0
                ));
            }
            None => {
                drop(graph);
                self.fail(misuse!("assign: there is no variable {}", variable.0));
            }
        }
    }

    /// The first error, if any.
    pub fn check(&self) -> Result<()> {
        self.error.borrow().clone().map_or(Ok(()), Err)
    }

    /// The graph.
    ///
    /// **Errors** with the first error of any op.
    pub fn finish(self) -> Result<Graph> {
        self.check()?;
        Ok(self.graph.into_inner())
    }
}

impl Var<'_> {
    fn shape_in(&self, graph: &Graph) -> Kind {
        graph.kind(self.id())
    }
}

impl Builder for Trace {
    fn push(&self, op: Op, inputs: &[ValueId]) -> ValueId {
        if inputs.contains(&ValueId::POISON) {
            return ValueId::POISON;
        }
        let pushed = self.graph.borrow_mut().push(op, inputs);
        pushed.unwrap_or_else(|e| {
            self.fail(e);
            ValueId::POISON
        })
    }

    fn constant_id(&self, value: Tensor) -> ValueId {
        let n = {
            let mut graph = self.graph.borrow_mut();
            graph.constants.push(value);
            graph.constants.len() - 1
        };
        self.push(Op::Constant(n as u16), &[])
    }

    fn kind(&self, value: ValueId) -> Kind {
        self.graph.borrow().kind(value)
    }

    fn fail(&self, error: Error) {
        self.error.borrow_mut().get_or_insert(error);
    }

    fn nodes(&self) -> usize {
        self.graph.borrow().nodes.len()
    }

    fn node(&self, index: usize) -> Node {
        self.graph.borrow().nodes[index].clone()
    }

    fn producer(&self, value: ValueId) -> usize {
        self.graph.borrow().values[value.index()].1 as usize
    }

    fn custom_gradient(&self, index: usize) -> Option<CustomGradient> {
        self.customs.borrow().iter().find(|c| c.0 == index).map(|c| c.1.clone())
    }

    fn set_custom_gradient(&self, value: ValueId, rule: CustomGradient) {
        let node = self.producer(value);
        let mut customs = self.customs.borrow_mut();
        customs.retain(|c| c.0 != node);
        customs.push((node, rule));
    }
}
