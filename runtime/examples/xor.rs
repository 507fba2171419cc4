use gradling::nn::*; use gradling::Tensor;
fn main() -> gradling::Result<()> {
 let x = Tensor::new(&[4, 2], [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?;
 let y = Tensor::new(&[4], [0, 1, 1, 0])?;
 let mut model = Sequential::new().add(Dense::new(16).activation(Activation::Tanh)).add(Dense::new(2).activation(Activation::Softmax)).seed(1);
 model.compile(Optimizer::Adam(Adam { learning_rate: 0.05, ..Default::default() }), Loss::SparseCategoricalCrossentropy { from_logits: false }, &[Metric::Accuracy])?;
 let h = model.fit(&x, &y, &mut Fit { epochs: 100, batch_size: 4, ..Fit::default() })?;
 println!("{:?}", h.get("loss")); println!("{:?}", h.get("accuracy"));
 for s in model.train_plan(4)?.steps() { println!("{} {:?} -> {:?}", s.op.name(), s.reads.iter().map(|r| (r.place, r.offset, r.shape)).collect::<Vec<_>>(), s.writes.iter().map(|r| (r.place, r.offset, r.shape)).collect::<Vec<_>>()); }
 for (id, v) in model.variables().iter() { println!("{} {} {:?}", v.name, v.offset, model.variables().get(id)?.to_f32_vec().iter().take(6).collect::<Vec<_>>()); }
 Ok(()) }
