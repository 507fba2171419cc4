//! Inference by tract of the models that `export_onnx.py` wrote.

use gradling_rust_peers::{Job, Prepared, Request, Result, serve};
use std::hint::black_box;
use std::path::Path;
use tract_onnx::prelude::*;

fn prepare(models: &Path, threads: usize, request: &Request) -> Result<Prepared> {
    let Some(net) = request.name.strip_prefix("I1 ") else {
        return Ok(Err("tract only infers".into()));
    };
    if threads > 1 {
        return Ok(Err("tract is measured on one thread".into()));
    }
    let floats = |what: &str| -> Result<Vec<f32>> {
        let path = models.join(format!("{net}.{what}"));
        let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    };
    let shape: TVec<usize> = match net {
        "Mlp" => tvec!(1, 784),
        "LeNet" => tvec!(1, 1, 28, 28),
        "ResNet18" => tvec!(1, 3, 32, 32),
        "MobileNetV2" => tvec!(1, 3, 224, 224),
        other => return Ok(Err(format!("no model {other}"))),
    };
    let (input, want) = (floats("input")?, floats("output")?);
    let model = tract_onnx::onnx()
        .model_for_path(models.join(format!("{net}.onnx")))?
        .with_input_fact(0, f32::fact(&shape).into())?
        .into_optimized()?
        .into_runnable()?;
    let input: TValue = Tensor::from_shape(&shape, &input)?.into();
    let got = model.run(tvec!(input.clone()))?;
    let got = got[0].to_plain_array_view::<f32>()?;
    let far = got.iter().zip(&want).any(|(got, want)| (got - want).abs() > 1e-3);
    if far || got.len() != want.len() {
        return Err(format!("tract computes something else than the exported {net}").into());
    }
    let run = Box::new(move |iterations| {
        for _ in 0..iterations {
            black_box(model.run(tvec!(input.clone()))?);
        }
        Ok(())
    });
    Ok(Ok(Job { run, parameters: None, values: Vec::new() }))
}

fn main() -> Result<()> {
    serve(|_| "tract 0.23".into(), |started, request| prepare(&started.models, started.threads, request))
}
