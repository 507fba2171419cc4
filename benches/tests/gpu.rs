//! The workloads on a GPU: the losses of the processor, bounds of the number of dispatches, memory, a lost device.
//!
//! Any adapter does, one that computes on the processor too; without one the tests that need it say so.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::OnceLock;

use gradling::data::mnist::{self, Source};
use gradling::gpu::{Gpu, Program, Session};
use gradling::nn::{Callback, Dense, Fit, Flow, Logs, Loss, Metric, Model, Optimizer, Sequential};
use gradling::{Plan, Result, Tensor, Variables};
use gradling_benches::models;
use gradling_benches::workload::{Cell, Input, Numbers};

/// The adapter that all tests share; `None` where there is none, which under CI is a failure.
fn gpu() -> Option<Gpu> {
    static OPEN: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || match Gpu::open(None) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    };
    OPEN.get_or_init(open).clone()
}

/// The running loss after each batch.
struct Losses(Rc<RefCell<Vec<f32>>>);

impl Callback for Losses {
    fn on_batch_end(&mut self, _: usize, _: usize, logs: &Logs, _: &mut Model) -> Result<Flow> {
        self.0.borrow_mut().extend(logs.get("loss"));
        Ok(Flow::Continue)
    }
}

/// What a model is trained on: shape of a sample, batch size, steps; class indices or numbers as targets.
struct Task {
    shape: &'static [usize],
    batch: usize,
    steps: usize,
    classes: bool,
}

impl Task {
    fn data(&self) -> Result<(Tensor, Tensor)> {
        let n = self.batch * self.steps;
        if self.shape == [28, 28, 1] {
            let digits = mnist::load(&Source::Subset)?;
            let rows: Vec<usize> = (0..n).collect();
            let x = mnist::scaled(&digits.train_x.gather_rows(&rows)?)?;
            return Ok((x.reshape(&[n, 28, 28, 1])?, digits.train_y.gather_rows(&rows)?));
        }
        let mut numbers = Numbers::new(3);
        let width: usize = self.shape.iter().product();
        let x = Tensor::new(&[&[n], self.shape].concat(), numbers.fill(Input::Uniform, n * width))?;
        let y = if self.classes {
            Tensor::new(&[n], numbers.labels(10, n))?
        } else {
            Tensor::new(&[n, 1], numbers.fill(Input::Uniform, n))?
        };
        Ok((x, y))
    }

    fn compiled(&self, mut model: Model) -> Result<Model> {
        let (loss, metrics) = if self.classes {
            (Loss::SparseCategoricalCrossentropy { from_logits: false }, vec![Metric::Accuracy])
        } else {
            (Loss::MeanSquaredError, vec![])
        };
        model.compile(Optimizer::adam(), loss, &metrics)?;
        model.build(self.shape)?;
        Ok(model)
    }

    /// The running losses of one epoch, with a look at each step or none.
    fn losses(&self, model: &mut Model, watched: bool) -> Result<Vec<f32>> {
        let (x, y) = self.data()?;
        let losses = Rc::new(RefCell::new(Vec::new()));
        let callbacks: Vec<Box<dyn Callback>> =
            if watched { vec![Box::new(Losses(losses.clone()))] } else { vec![] };
        let mut fit = Fit { batch_size: self.batch, callbacks, ..Fit::default() };
        let history = model.fit(&x, &y, &mut fit)?;
        losses.borrow_mut().extend(history.epochs[0].get("loss"));
        Ok(losses.take())
    }

    /// Trains the model on the processor and on the GPU and compares the losses of all steps.
    fn compare(&self, make: impl Fn() -> Result<Model>, tolerance: f32) -> Result<()> {
        let Some(gpu) = gpu() else { return Ok(()) };
        let want = self.losses(&mut self.compiled(make()?)?, true)?;
        let mut model = self.compiled(make()?)?.on_gpu(&gpu);
        let got = self.losses(&mut model, true)?;
        assert_eq!(want.len(), got.len());
        for (step, (a, b)) in want.iter().zip(&got).enumerate() {
            assert!(
                (a - b).abs() <= tolerance * a.abs().max(1e-3),
                "step {step}: {a} on the cpu, {b} on the GPU"
            );
        }
        assert!(model.device_loss().is_none());
        Ok(())
    }
}

const MLP: Task = Task { shape: &[784], batch: 32, steps: 50, classes: true };
const LENET: Task = Task { shape: &[28, 28, 1], batch: 16, steps: 50, classes: true };

#[test]
fn mlp_trains_as_on_the_processor() -> Result<()> {
    MLP.compare(|| Ok(models::mlp().seed(1)), 1e-3)
}

#[test]
fn lenet_trains_as_on_the_processor() -> Result<()> {
    LENET.compare(|| Ok(models::lenet().seed(1)), 1e-3)
}

#[test]
fn the_baseline_trains_as_on_the_processor() -> Result<()> {
    let task = Task { shape: &[32, 32, 3], batch: 16, steps: 50, classes: true };
    task.compare(|| Ok(models::baseline().seed(1)), 1e-3)
}

#[test]
fn resnet18_trains_as_on_the_processor() -> Result<()> {
    let task = Task { shape: &[32, 32, 3], batch: 2, steps: 3, classes: true };
    task.compare(|| Ok(models::resnet18()?.seed(1)), 1e-2)
}

#[test]
fn lstm_trains_as_on_the_processor() -> Result<()> {
    let task = Task { shape: &[60, 1], batch: 16, steps: 50, classes: false };
    task.compare(|| Ok(models::stock(Cell::LSTM).seed(1)), 1e-3)
}

/// The program of a train step.
fn program(task: &Task, model: Model) -> Result<(Plan, Program)> {
    let plan = task.compiled(model)?.train_plan_with(task.batch, &Session::options())?;
    let program = Program::new(&plan)?;
    Ok((plan, program))
}

#[test]
fn a_step_is_few_dispatches() -> Result<()> {
    let baseline = Task { shape: &[32, 32, 3], batch: 32, steps: 1, classes: true };
    let stock = Task { shape: &[60, 1], batch: 64, steps: 1, classes: false };
    let nets = [
        ("mlp", &MLP, models::mlp(), 14),
        ("lenet", &LENET, models::lenet(), 40),
        ("baseline", &baseline, models::baseline(), 45),
        ("resnet18", &baseline, models::resnet18()?, 420),
        ("lstm", &stock, models::stock(Cell::LSTM), 1100),
    ];
    for (name, task, model, most) in nets {
        let (plan, program) = program(task, model)?;
        let bytes = plan.read_bytes() + plan.written_bytes();
        let (dispatches, shaders) = (program.dispatches.len(), program.shaders.len());
        println!("{name}: {dispatches} dispatches of {shaders} shaders, {bytes} bytes a step");
        if std::env::var_os("GRADLING_DISPATCHES").is_some() {
            for d in &program.dispatches {
                println!("  {:3} {} {:?}", d.step, program.names[d.shader as usize], d.groups);
            }
        }
        assert!(dispatches <= most, "{name}: {dispatches} dispatches, at most {most}");
    }
    Ok(())
}

#[test]
fn every_shader_is_valid() -> Result<()> {
    let baseline = Task { shape: &[32, 32, 3], batch: 32, steps: 1, classes: true };
    let stock = Task { shape: &[60, 1], batch: 64, steps: 1, classes: false };
    let nets = [
        (&MLP, models::mlp()),
        (&LENET, models::lenet()),
        (&baseline, models::baseline()),
        (&baseline, models::resnet18()?),
        (&stock, models::stock(Cell::LSTM)),
        (&stock, models::stock(Cell::GRU)),
        (&stock, models::stock(Cell::SimpleRNN)),
    ];
    for (task, model) in nets {
        for (shader, name) in program(task, model)?.1.shaders.iter().zip(0..) {
            let module = naga::front::wgsl::parse_str(shader)
                .unwrap_or_else(|e| panic!("shader {name}: {}\n{shader}", e.emit_to_string(shader)));
            let mut validator = naga::valid::Validator::new(
                naga::valid::ValidationFlags::all(),
                naga::valid::Capabilities::empty(),
            );
            if let Err(e) = validator.validate(&module) {
                panic!("shader {name}: {}\n{shader}", e.emit_to_string(shader));
            }
        }
    }
    Ok(())
}

#[test]
fn a_thousand_steps_keep_the_memory_of_ten() -> Result<()> {
    let Some(_) = gpu() else { return Ok(()) };
    // A device of its own: other tests make and drop memory meanwhile.
    let gpu = Gpu::open(None)?;
    let mut model = Sequential::new().seed(2).add(Dense::new(16)).add(Dense::new(10));
    let task = Task { shape: &[20], batch: 8, steps: 10, classes: true };
    model = task.compiled(model)?;
    let plan = model.train_plan_with(task.batch, &Session::options())?;
    let variables: Variables = model.variables().clone();
    let mut session = Session::new(plan, &gpu)?;
    session.upload(&variables);
    let (x, y) = task.data()?;
    let rows: Vec<usize> = (0..task.batch).collect();
    let (x, y) = (x.gather_rows(&rows)?, y.gather_rows(&rows)?);
    let mut used = Vec::new();
    for step in 1..=1000 {
        session.set_input(0, &x)?;
        session.set_input(1, &y)?;
        session.run();
        if step == 10 || step == 1000 {
            session.outputs()?;
            used.push(gpu.memory());
        }
    }
    assert_eq!(used[0], used[1], "allocations and bytes after 10 and 1,000 steps");
    Ok(())
}

#[test]
fn a_lost_device_loses_no_training() -> Result<()> {
    let Some(_) = gpu() else { return Ok(()) };
    struct Thief(Gpu, usize);
    impl Callback for Thief {
        fn on_epoch_end(&mut self, _: usize, _: &Logs, _: &mut Model) -> Result<Flow> {
            self.1 += 1;
            if self.1 == 2 {
                self.0.lose();
            }
            Ok(Flow::Continue)
        }
    }
    let task = Task { shape: &[784], batch: 32, steps: 10, classes: true };
    let (x, y) = task.data()?;
    let run = |gpu: Option<Gpu>| -> Result<(Vec<f32>, Model)> {
        let mut model = task.compiled(models::mlp().seed(1))?;
        let mut fit = Fit { batch_size: task.batch, epochs: 4, validation_split: 0.2, ..Fit::default() };
        if let Some(gpu) = gpu {
            model = model.on_gpu(&gpu);
            fit.callbacks.push(Box::new(Thief(gpu, 0)));
        }
        let history = model.fit(&x, &y, &mut fit)?;
        Ok((history.epochs.iter().filter_map(|e| e.get("loss")).collect(), model))
    };
    let (want, _) = run(None)?;
    let (got, model) = run(Some(Gpu::open(None)?))?;
    assert!(model.device_loss().is_some());
    assert_eq!(model.computes_on(), "cpu");
    assert_eq!(want.len(), got.len());
    for (a, b) in want.iter().zip(&got) {
        assert!((a - b).abs() < 1e-3 * a, "{want:?} {got:?}");
    }
    Ok(())
}

#[test]
fn a_device_lost_within_an_epoch_is_made_up_for() -> Result<()> {
    let Some(_) = gpu() else { return Ok(()) };
    let gpu = Gpu::open(None)?;
    let task = Task { shape: &[784], batch: 32, steps: 12, classes: true };
    let (x, y) = task.data()?;
    let mut losses = Vec::new();
    for lose in [false, true] {
        let mut model = task.compiled(models::mlp().seed(1))?;
        if lose {
            model = model.on_gpu(&gpu);
        }
        let mut run = model.begin_fit(&x, &y, &Fit { batch_size: task.batch, ..Fit::default() })?;
        for _ in 0..8 {
            run.step(&mut model)?;
        }
        assert_eq!(model.is_behind(), lose);
        if lose {
            gpu.lose();
        }
        while run.step(&mut model)? != gradling::nn::Progress::Done {}
        losses.push(run.logs().get("loss"));
        assert_eq!(model.device_loss().is_some(), lose);
    }
    // All steps were taken on the processor in the end.
    assert_eq!(losses[0], losses[1]);
    Ok(())
}

#[test]
fn automatic_training_takes_the_faster_and_gives_the_same() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let task = Task { shape: &[784], batch: 32, steps: 400, classes: true };
    let want = task.losses(&mut task.compiled(models::mlp().seed(1))?, false)?;
    let mut model = task.compiled(models::mlp().seed(1))?.on_faster(&gpu);
    let got = task.losses(&mut model, false)?;
    assert!((want[0] - got[0]).abs() < 1e-3 * want[0], "{want:?} {got:?}");
    assert!(model.device_loss().is_none());
    println!("the faster: {}", model.computes_on());
    Ok(())
}

#[test]
fn predictions_are_those_of_the_processor() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let task = Task { shape: &[28, 28, 1], batch: 16, steps: 2, classes: true };
    let (x, y) = task.data()?;
    let mut here = task.compiled(models::lenet().seed(4))?;
    let mut there = task.compiled(models::lenet().seed(4))?.on_gpu(&gpu);
    for (a, b) in here.predict(&x, 10)?.as_f32()?.iter().zip(there.predict(&x, 10)?.as_f32()?) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    let (a, b) = (here.evaluate(&x, &y, 16)?, there.evaluate(&x, &y, 16)?);
    for ((name, a), (_, b)) in a.iter().zip(b.iter()) {
        assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{name}: {a} {b}");
    }
    Ok(())
}

#[test]
fn the_readme_and_the_package_have_the_table_of_ops() {
    let rows = gradling::gpu::support();
    let missing: Vec<&str> = rows.iter().filter(|r| !r.cpu || !r.gpu).map(|r| r.op.as_str()).collect();
    assert!(missing.is_empty(), "without a shader: {missing:?}");
    // Pages compose the steps of recurrent cells of other ops.
    let in_pages = rows.iter().filter(|row| !row.op.ends_with("_cell"));
    let yes = |has: bool| if has { "yes" } else { "no" };
    let lines = in_pages.map(|row| {
        format!("  {} {} {} {}\n", row.op, yes(row.cpu), yes(row.gpu), row.gradient.map_or("-", yes))
    });
    let lines: String = lines.collect();
    assert!(
        include_str!("../../wasm/ts/support.ts").contains(&lines),
        "wasm/ts/support.ts should have\n{lines}"
    );
    let table = gradling::gpu::table(&rows).to_string();
    assert!(include_str!("../../README.md").contains(&table), "README.md should have\n{table}");
}

/// The outputs of a function of two operands on the GPU beside those of the processor.
fn same_as_the_processor(
    gpu: &Gpu,
    what: &str,
    shapes: [&[usize]; 2],
    op: impl for<'t> Fn(gradling::Var<'t>, gradling::Var<'t>) -> Vec<gradling::Var<'t>>,
) -> Result<()> {
    use gradling::{DType, Device, PlanOptions, Trace};
    let mut numbers = Numbers::new(9);
    let operands = shapes.map(|dims| Tensor::new(dims, numbers.fill(Input::Normal, dims.iter().product())));
    let [a, b] = operands;
    let operands = [a?, b?];
    let trace = Trace::new(&Variables::new());
    let [x, y] = [0, 1].map(|n| trace.input(["a", "b"][n], *operands[n].shape(), DType::F32));
    for (n, output) in op(x, y).into_iter().enumerate() {
        trace.output(&format!("y{n}"), output);
    }
    let graph = trace.finish()?;
    let mut here =
        gradling::Session::new(Plan::compile(&graph, &PlanOptions::default())?, &Device::default())?;
    let mut there = Session::new(Plan::compile(&graph, &Session::options())?, gpu)?;
    for (n, operand) in operands.iter().enumerate() {
        here.set_input(n, operand)?;
        there.set_input(n, operand)?;
    }
    here.run(&mut Variables::new())?;
    there.run();
    for (n, got) in there.outputs()?.iter().enumerate() {
        let want = here.output_tensor(n, &Variables::new())?;
        let scale = want.as_f32()?.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        for (i, (a, b)) in want.as_f32()?.iter().zip(got.as_f32()?).enumerate() {
            assert!(
                (a - b).abs() <= 1e-4 * scale,
                "{what}: output {n}, element {i}: {a} on the cpu, {b} on the GPU"
            );
        }
    }
    Ok(())
}

#[test]
fn products_of_every_tile_are_those_of_the_processor() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    // Few columns, all tiles, rows that are whole vectors or not, sums that are cut.
    let sizes = [
        [130, 8, 100],
        [130, 5, 101],
        [200, 16, 64],
        [200, 13, 67],
        [70, 70, 40],
        [71, 69, 41],
        [300, 260, 36],
        [301, 263, 37],
        [1100, 1030, 12],
        [1025, 1027, 11],
        [64, 40, 5000],
        [61, 41, 5003],
    ];
    for [m, n, k] in sizes {
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let a = if ta { [k, m] } else { [m, k] };
            let b = if tb { [n, k] } else { [k, n] };
            let what = format!("{m} x {n} x {k}, transposed {ta} {tb}");
            same_as_the_processor(&gpu, &what, [&a, &b], |a, b| vec![a.matmul_t(b, ta, tb)])?;
        }
    }
    same_as_the_processor(&gpu, "a batch", [&[3, 50, 36], &[3, 36, 44]], |a, b| vec![a.matmul(b)])
}

#[test]
fn convolutions_and_gradients_are_those_of_the_processor() -> Result<()> {
    use gradling::{Padding, Window};
    let Some(gpu) = gpu() else { return Ok(()) };
    let same = |n| Window::new([n, n]).padding(Padding::Same);
    let windows = [
        ("one channel", [4, 28, 28, 1], [5, 5, 1, 6], same(5)),
        ("whole vectors", [2, 20, 20, 8], [3, 3, 8, 12], same(3)),
        ("odd numbers", [3, 17, 19, 5], [3, 3, 5, 7], Window::new([3, 3])),
        ("strides", [2, 24, 24, 4], [3, 3, 4, 8], same(3).strides([2, 2])),
        ("dilation", [2, 24, 24, 4], [3, 3, 4, 8], Window::new([3, 3]).dilation([2, 2])),
        ("groups", [2, 20, 20, 8], [3, 3, 4, 16], same(3).groups(2)),
        ("many", [2, 16, 16, 64], [3, 3, 64, 64], same(3)),
    ];
    for (what, x, w, window) in windows {
        same_as_the_processor(&gpu, what, [&x, &w], |x, w| {
            let y = x.conv2d(w, &window);
            let gradients = gradling::autodiff::grad(y.square().sum(&[], false), &[x, w]);
            vec![y, gradients[0], gradients[1]]
        })?;
    }
    Ok(())
}

#[test]
fn weights_that_both_changed_are_an_error() -> Result<()> {
    let Some(gpu) = gpu() else { return Ok(()) };
    let task = Task { shape: &[784], batch: 32, steps: 4, classes: true };
    let (x, y) = task.data()?;
    let mut model = task.compiled(models::mlp().seed(1))?.on_gpu(&gpu);
    let mut run = model.begin_fit(&x, &y, &Fit { batch_size: task.batch, ..Fit::default() })?;
    run.step(&mut model)?;
    let (name, shape) = {
        let (_, v) = model.weights().next().ok_or_else(|| gradling::misuse!("no weight"))?;
        (v.name.clone(), v.shape)
    };
    model.set_weight(&name, &Tensor::zeros(&shape.list())?)?;
    for error in [run.step(&mut model).err(), model.predict(&x, 32).err()] {
        let text = error.map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains("call sync first"), "{text}");
    }
    Ok(())
}
