use crate::graph::Trace;
use crate::nn::Activation;
use crate::op::ValueId;
use crate::{Result, Shape, Var, VariableId, misuse};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a variable becomes after the step, from its value before.
type Update<'b> = Box<dyn FnOnce(Var<'b>) -> Var<'b> + 'b>;

/// One call of a model's layers on a trace.
pub struct Call<'b> {
    trace: &'b Trace,
    training: bool,
    key: Option<Var<'b>>,
    streams: u32,
    logits: Vec<(ValueId, Activation, Var<'b>)>,
    masks: Vec<(ValueId, Var<'b>)>,
    losses: Vec<Var<'b>>,
    regularized: Vec<VariableId>,
    updates: Vec<(VariableId, Update<'b>)>,
    constraints: Vec<(VariableId, Update<'b>)>,
    states: Vec<(VariableId, Var<'b>)>,
}

impl<'b> Call<'b> {
    /// A call in training or inference mode; random layers draw from `key` (int32 `[seed, counter]`).
    pub fn new(trace: &'b Trace, training: bool, key: Option<Var<'b>>) -> Call<'b> {
        Call {
            trace,
            training,
            key,
            streams: 0,
            logits: Vec::new(),
            masks: Vec::new(),
            losses: Vec::new(),
            regularized: Vec::new(),
            updates: Vec::new(),
            constraints: Vec::new(),
            states: Vec::new(),
        }
    }

    /// The trace.
    pub fn trace(&self) -> &'b Trace {
        self.trace
    }

    /// Whether layers such as dropout are active.
    pub fn training(&self) -> bool {
        self.training
    }

    /// The value of a weight.
    ///
    /// **Errors** when the layer is not built.
    pub fn weight(&self, layer: &str, id: Option<VariableId>) -> Result<Var<'b>> {
        id.map(|id| self.trace.variable(id))
            .ok_or_else(|| misuse!("{layer}: not built; call model.build or fit first"))
    }

    /// Uniform numbers in [0, 1), other ones at every step; `None` where the call has no random key.
    pub fn random_uniform(&mut self, shape: Shape) -> Option<Var<'b>> {
        self.streams += 1;
        self.key.map(|key| self.trace.random_uniform(shape, key, self.streams))
    }

    /// Numbers of the standard normal distribution, other ones at every step; `None` where the call has no random
    /// key (Box and Muller 1958).
    #[cfg(feature = "full")]
    pub fn random_normal(&mut self, shape: Shape) -> Option<Var<'b>> {
        let (radius, angle) = (self.random_uniform(shape)?, self.random_uniform(shape)?);
        // 1 - u is in (0, 1], where the logarithm is finite.
        let radius = (-2.0 * (1.0 - radius).log()).sqrt();
        Some(radius * (angle * core::f32::consts::TAU).cos())
    }

    /// Says which time steps of `y` count: `mask` is bool of `y`'s leading axes, `[batch, time]` (Keras masking).
    pub fn set_mask(&mut self, y: Var<'b>, mask: Var<'b>) {
        self.masks.push((y.id(), mask));
    }

    /// The mask of a value, if it has one.
    pub fn mask(&self, y: Var<'b>) -> Option<Var<'b>> {
        self.masks.iter().rev().find(|(id, _)| *id == y.id()).map(|m| m.1)
    }

    /// Adds a scalar to the loss that training minimises (`layer.add_loss`).
    pub fn add_loss(&mut self, loss: Var<'b>) {
        self.losses.push(loss);
    }

    /// Adds the penalty of a weight to the loss, once however often the layer is called.
    pub fn add_penalty(&mut self, weight: VariableId, penalty: impl FnOnce(Var<'b>) -> Var<'b>) {
        if !self.regularized.contains(&weight) {
            self.regularized.push(weight);
            let loss = penalty(self.trace.variable(weight));
            self.losses.push(loss);
        }
    }

    /// What layers added to the loss.
    pub fn losses(&self) -> &[Var<'b>] {
        &self.losses
    }

    /// Says what a weight is projected to after each step, once however often the layer is called.
    pub fn constrain(&mut self, weight: VariableId, constraint: impl FnOnce(Var<'b>) -> Var<'b> + 'b) {
        if self.constraints.iter().all(|c| c.0 != weight) {
            self.constraints.push((weight, Box::new(constraint)));
        }
    }

    /// The new value of a weight, projected if it has a constraint.
    pub fn constrained(&mut self, weight: VariableId, new: Var<'b>) -> Var<'b> {
        match self.constraints.iter().position(|c| c.0 == weight) {
            Some(at) => (self.constraints.swap_remove(at).1)(new),
            None => new,
        }
    }

    /// Gives a non-trainable weight a new value after the step, from its value before (moving averages). Of
    /// several updates each takes the value that the one before it gives.
    pub fn update(&mut self, weight: VariableId, update: impl FnOnce(Var<'b>) -> Var<'b> + 'b) {
        self.updates.push((weight, Box::new(update)));
    }

    /// The value of a non-trainable weight as the calls so far leave it: what a stateful layer starts with.
    pub fn state(&self, weight: VariableId) -> Var<'b> {
        let set = self.states.iter().rev().find(|s| s.0 == weight);
        set.map_or_else(|| self.trace.variable(weight), |s| s.1)
    }

    /// Gives a non-trainable weight this value after the step, and to calls that come after this one.
    pub fn set_state(&mut self, weight: VariableId, value: Var<'b>) {
        self.states.push((weight, value));
        self.update(weight, move |_| value);
    }

    /// Assigns what [`update`](Call::update) collected; called after the loss is emitted, so that a loss that
    /// is not finite leaves all weights as they were.
    pub fn assign_updates(&mut self) {
        let mut values: Vec<(VariableId, Var<'b>)> = Vec::new();
        for (id, update) in self.updates.drain(..) {
            match values.iter_mut().find(|v| v.0 == id) {
                Some(known) => known.1 = update(known.1),
                None => values.push((id, update(self.trace.variable(id)))),
            }
        }
        values.into_iter().for_each(|(id, value)| self.trace.assign(id, value));
    }

    /// Remembers that `y` is this activation of `logits`.
    pub fn note_logits(&mut self, activation: Activation, y: Var<'b>, logits: Var<'b>) {
        self.logits.push((y.id(), activation, logits));
    }

    /// Forgets that `y` is an activation, so that a loss takes it for what it is.
    pub fn forget_logits(&mut self, y: Var<'b>) {
        self.logits.retain(|l| l.0 != y.id());
    }

    /// The logits of which `y` is the activation.
    pub fn logits(&self, activation: Activation, y: Var<'b>) -> Option<Var<'b>> {
        self.logits.iter().find(|(id, a, _)| *id == y.id() && *a == activation).map(|l| l.2)
    }
}
