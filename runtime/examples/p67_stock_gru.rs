//! Tomorrow's price of a share from those of 60 days, by a net of gated recurrent units.

mod common;

use common::Options;
use gradling::nn::{Adam, Dense, Dropout, Fit, GRU, Loss, Optimizer, Sequential, Verbose};
use gradling::plot::{self, Figure, LineChart};
use gradling::{Result, Tape};

fn main() -> Result<()> {
    let options = Options::parse()?;
    // The last 300 days are for testing.
    let data = common::stock(&options)?.windows(300, 60)?;

    let mut model = Sequential::new()
        .add(GRU::new(80).return_sequences(true))
        .add(Dropout::new(0.2))
        .add(GRU::new(100))
        .add(Dropout::new(0.2))
        .add(Dense::new(1));

    model.compile(
        Optimizer::from(Adam { learning_rate: 0.001, ..Adam::default() }),
        Loss::MeanSquaredError,
        &[],
    )?;
    let mut fit = Fit {
        batch_size: 64,
        epochs: options.epochs(50, 6),
        validation: Some((data.test_x.clone().into(), data.test_y.clone().into())),
        verbose: Verbose::Bar,
        ..Fit::default()
    };
    let history = model.fit(&data.train_x, &data.train_y, &mut fit)?;
    println!("{}", model.summary());
    println!("loss {:?}", history.get("loss"));
    plot::history(&history).save(options.file("p67_stock_gru_loss.png"))?;

    let predicted = data.scaler.inverse_transform(&model.predict(&data.test_x, 64)?)?;
    let real = data.scaler.inverse_transform(&data.test_y)?;
    let series = LineChart::series("Share price", "day", "price", real.as_f32()?, predicted.as_f32()?);
    Figure::new([series]).save(options.file("p67_stock_gru.png"))?;

    let both = [&predicted, &real];
    let mse = Tape::compute(&both, |v| v[0].squared_difference(v[1]).mean(&[], false))?.item()?;
    let mae = Tape::compute(&both, |v| (v[0] - v[1]).abs().mean(&[], false))?.item()?;
    println!("mean squared error: {mse:.6}");
    println!("root mean squared error: {:.6}", mse.sqrt());
    println!("mean absolute error: {mae:.6}");
    Ok(())
}
