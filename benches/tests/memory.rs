//! The memory of train steps: the arena beside the least that any placement needs. Nothing is run.

use gradling::nn::{Loss, Optimizer, Sequential};
use gradling::plan::Plan;
use gradling_benches::models;
use gradling_benches::workload::Cell;

fn plan(mut model: Sequential, sample: &[usize], batch: usize, loss: Loss) -> Plan {
    model.compile(Optimizer::adam(), loss, &[]).expect("the model compiles");
    model.build(sample).expect("the model builds");
    model.train_plan(batch).expect("the train step compiles")
}

fn classes() -> Loss {
    Loss::SparseCategoricalCrossentropy { from_logits: false }
}

/// The arena is at most `most` times the planner's lower bound, and reuses memory.
fn check(name: &str, plan: &Plan, most: f64) {
    let ratio = plan.arena_bytes() as f64 / plan.live_bytes() as f64;
    println!("{name}: {}", plan.memory());
    assert!((1.0..=most).contains(&ratio), "{name}: {}", plan.memory());
    assert!(plan.arena_bytes() < plan.tensor_bytes(), "{name}: {}", plan.memory());
}

#[test]
fn resnet_18_is_packed_near_the_least() {
    let model = models::resnet18().expect("the model is wired");
    check("T4 b16", &plan(model, &[32, 32, 3], 16, classes()), 1.05);
}

#[test]
fn small_train_steps_are_packed_near_the_least() {
    for batch in [32, 128] {
        check("T1", &plan(models::mlp(), &[784], batch, classes()), 1.05);
        check("T2", &plan(models::lenet(), &[28, 28, 1], batch, classes()), 1.05);
        check("T3", &plan(models::baseline(), &[32, 32, 3], batch, classes()), 1.05);
    }
}

#[test]
fn recurrent_train_steps_are_packed_near_the_least() {
    for cell in [Cell::SimpleRNN, Cell::LSTM, Cell::GRU] {
        // What is concatenated has its whole place from the first part on; the least counts the parts. A GRU concatenates
        // the gradients of both its products.
        check("T5", &plan(models::stock(cell), &[60, 1], 64, Loss::MeanSquaredError), 1.25);
    }
}
