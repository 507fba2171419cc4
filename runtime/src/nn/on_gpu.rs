//! Models on a GPU through wgpu.

use super::{Model, Remote};
use crate::gpu::{Gpu, Session};
use crate::{Plan, Result, Tensor, misuse};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

impl Model {
    /// Trains, evaluates and predicts on a GPU.
    ///
    /// ```no_run
    /// use gradling::gpu::Gpu;
    /// use gradling::nn::{Dense, Sequential};
    /// let model = Sequential::new().add(Dense::new(10)).on_gpu(&Gpu::open(None)?);
    /// # Ok::<(), gradling::Error>(())
    /// ```
    #[must_use]
    pub fn on_gpu(mut self, gpu: &Gpu) -> Model {
        self.attach(Box::new(OnGpu::new(gpu, true)), false);
        self
    }

    /// Trains on whichever takes less time for a step, the processor or the GPU; see [`attach`](Model::attach).
    #[must_use]
    pub fn on_faster(mut self, gpu: &Gpu) -> Model {
        self.attach(Box::new(OnGpu::new(gpu, false)), true);
        self
    }
}

/// A session, or one that a thread makes.
enum Made {
    Ready(Box<Session>),
    Making(Receiver<Result<Box<Session>>>),
    Failed(crate::Error),
}

/// The sessions of a model on a GPU, which share a copy of its variables.
struct OnGpu {
    gpu: Gpu,
    /// Whether plans are made ready at once.
    at_once: bool,
    sessions: Vec<Made>,
    /// The copy of the variables.
    variables: Option<wgpu::Buffer>,
    started: Instant,
}

impl OnGpu {
    fn new(gpu: &Gpu, at_once: bool) -> OnGpu {
        let started = Instant::now();
        OnGpu { gpu: gpu.clone(), at_once, sessions: Vec::new(), variables: None, started }
    }

    /// A session, waited for.
    fn session(&mut self, n: usize) -> Result<&mut Session> {
        let made = self.sessions.get_mut(n).ok_or_else(|| misuse!("gpu: there is no plan {n}"))?;
        if let Made::Making(from) = made {
            *made = match from.recv() {
                Ok(Ok(session)) => Made::Ready(session),
                Ok(Err(error)) => Made::Failed(error),
                Err(_) => Made::Failed(misuse!("gpu: making the shaders of plan {n} ended without a result")),
            };
        }
        match made {
            Made::Ready(session) => Ok(session),
            Made::Failed(error) => Err(error.clone()),
            Made::Making(_) => Err(misuse!("gpu: plan {n} is not ready")),
        }
    }
}

impl Remote for OnGpu {
    fn name(&self) -> String {
        self.gpu.name()
    }

    fn prepare(&mut self, plan: Plan, variables: usize) -> Result<usize> {
        let variables = match &self.variables {
            Some(variables) => variables.clone(),
            None => {
                let variables = Session::variables_of(variables, &self.gpu)?;
                self.variables.insert(variables).clone()
            }
        };
        let made = if self.at_once {
            Made::Ready(Box::new(Session::sharing(plan, &self.gpu, variables)?))
        } else {
            let (sender, receiver) = channel();
            let gpu = self.gpu.clone();
            std::thread::spawn(move || {
                // Whoever asked may be gone.
                let _ = sender.send(Session::sharing(plan, &gpu, variables).map(Box::new));
            });
            Made::Making(receiver)
        };
        self.sessions.push(made);
        Ok(self.sessions.len() - 1)
    }

    fn is_ready(&mut self, session: usize) -> Result<bool> {
        if let Some(made @ Made::Making(_)) = self.sessions.get_mut(session)
            && let Made::Making(from) = made
            && let Ok(result) = from.try_recv()
        {
            *made = match result {
                Ok(session) => Made::Ready(session),
                Err(error) => Made::Failed(error),
            };
        }
        match self.sessions.get(session) {
            Some(Made::Ready(_)) => Ok(true),
            Some(Made::Failed(error)) => Err(error.clone()),
            _ => Ok(false),
        }
    }

    fn write_input(&mut self, session: usize, input: usize, bytes: &[u8]) -> Result<()> {
        self.session(session)?.write_input(input, bytes)
    }

    fn write_variables(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        let Some(variables) = &self.variables else { return Err(misuse!("gpu: there is no plan yet")) };
        self.gpu.write(variables, offset, bytes);
        self.gpu.healthy()
    }

    fn run(&mut self, session: usize) -> Result<()> {
        self.session(session)?.run();
        self.gpu.healthy()
    }

    fn read_variables(&mut self, into: &mut [u8]) -> Result<()> {
        let made = self.sessions.iter().filter_map(|made| match made {
            Made::Ready(session) => Some(session),
            _ => None,
        });
        match made.max_by_key(|session| session.plan().variable_bytes()) {
            Some(session) => session.read_variables(into),
            None => Err(misuse!("gpu: there is no plan yet")),
        }
    }

    fn read_outputs(&mut self, session: usize) -> Result<Vec<Tensor>> {
        self.session(session)?.outputs()
    }

    fn waits(&self) -> bool {
        true
    }

    fn forget(&mut self) {
        self.sessions.clear();
        self.variables = None;
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
