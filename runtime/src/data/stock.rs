//! Daily quotes of a share, cut into windows from which the next day is predicted.

use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::{Result, Tensor, misuse};

use super::{MinMaxScaler, Table, Windows};

/// One column of a file of daily quotes, in the order of the days.
#[derive(Clone, Debug)]
pub struct Stock {
    /// The days as they are written.
    pub dates: Vec<String>,
    /// The quotes, `F32 [days, 1]`.
    pub values: Tensor,
}

/// Windows of scaled quotes and the quotes that follow them.
#[derive(Clone, Debug)]
pub struct StockWindows {
    /// Training windows, `[windows, steps, 1]`.
    pub train_x: Tensor,
    /// What follows each, `[windows, 1]`.
    pub train_y: Tensor,
    /// Windows from the last days.
    pub test_x: Tensor,
    /// What follows each.
    pub test_y: Tensor,
    /// Fitted to the training days: takes predictions back to prices.
    pub scaler: MinMaxScaler,
}

/// Reads the columns `date` and `column` (for example `open`) of the CSV file at `path`.
///
/// **Errors**: as [`Table::read`] and [`Table::numbers`].
pub fn load(path: impl AsRef<Path>, column: &str) -> Result<Stock> {
    let table = Table::read(path, true)?;
    let dates = table.text("date")?.into_iter().map(ToString::to_string).collect();
    Ok(Stock { dates, values: table.numbers(&[column])? })
}

impl Stock {
    /// Keeps the last `test_days` for testing, scales both parts by the training days' least and greatest quote, and
    /// cuts each into windows of `steps` days, the next day being the target. No window crosses from one part to
    /// the other.
    ///
    /// **Errors** when a part is too short for one window.
    pub fn windows(&self, test_days: usize, steps: usize) -> Result<StockWindows> {
        let days = self.values.shape().dim(0);
        let train_days = days.checked_sub(test_days).filter(|&n| n > 0).ok_or_else(|| {
            misuse!("Stock: {test_days} test days leave none of {days} to train on; take fewer")
        })?;
        let train = self.values.rows(0..train_days)?;
        let scaler = MinMaxScaler::fit(&train)?;
        let cut = |part: &Tensor, name| {
            let scaled = scaler.transform(part)?;
            Windows::new(steps).cut(&scaled, &scaled).map_err(|error| error.within(name))
        };
        let (train_x, train_y) = cut(&train, "Stock: training days")?;
        let (test_x, test_y) = cut(&self.values.rows(train_days..days)?, "Stock: test days")?;
        Ok(StockWindows { train_x, train_y, test_x, test_y, scaler })
    }
}
