//! Train steps, inference and kernels by candle.

use candle_core::{DType, Device, Module, ModuleT, Tensor};
use candle_nn::{
    AdamW, BatchNormConfig, Conv2dConfig, Dropout, Optimizer, ParamsAdamW, VarBuilder, VarMap, batch_norm,
    conv2d, linear,
};
use gradling_rust_peers::{
    BATCHES, Job, Prepared, Request, Result, generator, inputs, labels, pattern, serve,
};
use std::hint::black_box;

/// Logits of a batch, training or not.
type Net = Box<dyn Fn(&Tensor, bool) -> candle_core::Result<Tensor>>;

fn mlp(vb: VarBuilder) -> candle_core::Result<Net> {
    let (first, last) = (linear(784, 128, vb.pp("first"))?, linear(128, 10, vb.pp("last"))?);
    Ok(Box::new(move |x, _| last.forward(&first.forward(x)?.relu()?)))
}

fn lenet(vb: VarBuilder) -> candle_core::Result<Net> {
    let same = Conv2dConfig { padding: 2, ..Conv2dConfig::default() };
    let c1 = conv2d(1, 6, 5, same, vb.pp("c1"))?;
    let c2 = conv2d(6, 16, 5, Conv2dConfig::default(), vb.pp("c2"))?;
    let d1 = linear(400, 120, vb.pp("d1"))?;
    let d2 = linear(120, 84, vb.pp("d2"))?;
    let d3 = linear(84, 10, vb.pp("d3"))?;
    Ok(Box::new(move |x, _| {
        let x = c1.forward(x)?.relu()?.max_pool2d(2)?;
        let x = c2.forward(&x)?.relu()?.max_pool2d(2)?.flatten_from(1)?;
        d3.forward(&d2.forward(&d1.forward(&x)?.relu()?)?.relu()?)
    }))
}

fn baseline(vb: VarBuilder) -> candle_core::Result<Net> {
    let same = Conv2dConfig { padding: 2, ..Conv2dConfig::default() };
    let conv = conv2d(3, 6, 5, same, vb.pp("conv"))?;
    let norm = batch_norm(6, BatchNormConfig::default(), vb.pp("norm"))?;
    let (first, last) = (linear(1536, 128, vb.pp("first"))?, linear(128, 10, vb.pp("last"))?);
    let dropout = Dropout::new(0.2);
    Ok(Box::new(move |x, train| {
        let x = norm.forward_t(&conv.forward(x)?, train)?.relu()?.max_pool2d(2)?;
        let x = dropout.forward(&x, train)?.flatten_from(1)?;
        last.forward(&dropout.forward(&first.forward(&x)?.relu()?, train)?)
    }))
}

type Make = fn(VarBuilder) -> candle_core::Result<Net>;

fn prepare(request: &Request) -> Result<Prepared> {
    let job = match request.name.as_str() {
        "T1" => train(request, mlp, &[784])?,
        "T2" => train(request, lenet, &[1, 28, 28])?,
        "T3" => train(request, baseline, &[3, 32, 32])?,
        "I1 Mlp" => infer(request, mlp, &[784])?,
        "I1 LeNet" => infer(request, lenet, &[1, 28, 28])?,
        "conv" => {
            let x = Tensor::from_vec(pattern(56 * 56 * 64, 1), (1, 56, 56, 64), &Device::Cpu)?;
            let w = Tensor::from_vec(pattern(9 * 64 * 64, 2), (3, 3, 64, 64), &Device::Cpu)?;
            let x = x.permute((0, 3, 1, 2))?.contiguous()?;
            let w = w.permute((3, 2, 0, 1))?.contiguous()?;
            let values = x.conv2d(&w, 1, 1, 1, 1)?.permute((0, 2, 3, 1))?.flatten_all()?;
            kernel(values, move || x.conv2d(&w, 1, 1, 1, 1))?
        }
        "add" => {
            let [a, b] = [1, 2].map(|seed| Tensor::from_vec(pattern(1000, seed), 1000, &Device::Cpu));
            let (a, b) = (a?, b?);
            kernel((&a + &b)?, move || &a + &b)?
        }
        name => match name.strip_prefix("matmul").and_then(|n| n.parse::<usize>().ok()) {
            Some(n) => {
                let [a, b] = [1, 2].map(|seed| Tensor::from_vec(pattern(n * n, seed), (n, n), &Device::Cpu));
                let (a, b) = (a?, b?);
                kernel(a.matmul(&b)?.flatten_all()?, move || a.matmul(&b))?
            }
            None => return Ok(Err(format!("{name} is not written for candle"))),
        },
    };
    Ok(Ok(job))
}

fn kernel(first: Tensor, op: impl Fn() -> candle_core::Result<Tensor> + 'static) -> Result<Job> {
    let values = first.narrow(0, 0, 4)?.to_vec1::<f32>()?;
    let run = Box::new(move |iterations| {
        for _ in 0..iterations {
            black_box(op()?);
        }
        Ok(())
    });
    Ok(Job { run, parameters: None, values })
}

fn made(make: Make) -> Result<(VarMap, Net)> {
    let variables = VarMap::new();
    let net = make(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    Ok((variables, net))
}

/// The running statistics of batch normalisation are variables of candle, but not trained ones.
fn parameters(variables: &VarMap) -> usize {
    let data = variables.data().lock().unwrap_or_else(|e| e.into_inner());
    let trained = data.iter().filter(|(name, _)| !name.contains("running_"));
    trained.map(|(_, v)| v.elem_count()).sum()
}

fn train(request: &Request, make: Make, sample: &[usize]) -> Result<Job> {
    let (variables, net) = made(make)?;
    let parameters = parameters(&variables);
    let adam = ParamsAdamW { lr: 1e-3, eps: 1e-7, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), adam)?;
    let mut rng = generator();
    let mut batches = Vec::new();
    for _ in 0..BATCHES {
        let shape: Vec<usize> = [&[request.batch], sample].concat();
        let x = inputs(request, &mut rng, shape.iter().product());
        let x = Tensor::from_vec(x, shape, &Device::Cpu)?;
        batches.push((x, Tensor::from_vec(labels(&mut rng, request.batch), request.batch, &Device::Cpu)?));
    }
    let run = Box::new(move |iterations| {
        for i in 0..iterations {
            let (x, y) = &batches[i % BATCHES];
            let loss = candle_nn::loss::cross_entropy(&net(x, true)?, y)?;
            optimizer.backward_step(&loss)?;
            black_box(loss.to_scalar::<f32>()?);
        }
        Ok(())
    });
    Ok(Job { run, parameters: Some(parameters), values: Vec::new() })
}

fn infer(request: &Request, make: Make, sample: &[usize]) -> Result<Job> {
    let (variables, net) = made(make)?;
    let shape: Vec<usize> = [&[1], sample].concat();
    let x = inputs(request, &mut generator(), shape.iter().product());
    let x = Tensor::from_vec(x, shape, &Device::Cpu)?;
    let run = Box::new(move |iterations| {
        for _ in 0..iterations {
            black_box(candle_nn::ops::softmax(&net(&x, false)?.detach(), 1)?);
        }
        Ok(())
    });
    Ok(Job { run, parameters: Some(parameters(&variables)), values: Vec::new() })
}

fn main() -> Result<()> {
    serve(|_| "candle 0.11".into(), |_, request| prepare(request))
}
