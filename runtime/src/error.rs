//! One error type, grouped by whose fault it is.

use core::fmt;

/// The text of an [`Error`]: owned where there is an allocator, static where there is none.
#[cfg(feature = "alloc")]
pub type Message = alloc::string::String;
/// The text of an [`Error`]: owned where there is an allocator, static where there is none.
#[cfg(not(feature = "alloc"))]
pub type Message = &'static str;

/// What went wrong. The message names the operator or layer, what it expected, what it got and the likely
/// fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller's program asks for something that has no meaning: shapes that do not fit, an empty batch.
    Misuse(Message),
    /// Bytes from outside are not what their format promises.
    Format(Message),
    /// A valid request that this build or device cannot serve.
    Unsupported(Message),
    /// The machine failed: file system, network, GPU, memory.
    Device(Message),
}

/// The result of everything that can fail.
pub type Result<T, E = Error> = core::result::Result<T, E>;

impl Error {
    /// The message without its group.
    pub fn message(&self) -> &str {
        match self {
            Error::Misuse(m) | Error::Format(m) | Error::Unsupported(m) | Error::Device(m) => m,
        }
    }

    /// The group as one word: `misuse`, `format`, `unsupported` or `device`.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Misuse(_) => "misuse",
            Error::Format(_) => "format",
            Error::Unsupported(_) => "unsupported",
            Error::Device(_) => "device",
        }
    }

    /// The same error with `context: ` in front of its message.
    #[cfg(feature = "alloc")]
    pub fn within(self, context: &str) -> Error {
        let prefix = |m: Message| alloc::format!("{context}: {m}");
        match self {
            Error::Misuse(m) => Error::Misuse(prefix(m)),
            Error::Format(m) => Error::Format(prefix(m)),
            Error::Unsupported(m) => Error::Unsupported(prefix(m)),
            Error::Device(m) => Error::Device(prefix(m)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Error {
        Error::Device(alloc::string::ToString::to_string(&e))
    }
}

/// A number in a message. Compact builds write six decimals at most, since a page downloads the code of more.
#[cfg(feature = "alloc")]
pub(crate) struct Number(pub f32);

#[cfg(feature = "alloc")]
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !cfg!(gradling_compact) {
            return fmt::Display::fmt(&self.0, f);
        }
        if self.0.is_nan() {
            return f.write_str("NaN");
        }
        if self.0 < 0.0 {
            f.write_str("-")?;
        }
        let (mut x, mut exponent) = (crate::math::abs(self.0) as f64, 0);
        if x > f32::MAX as f64 {
            return f.write_str("inf");
        }
        while x >= 1e12 {
            (x, exponent) = (x / 10.0, exponent + 1);
        }
        while x > 0.0 && x < 1e-3 {
            (x, exponent) = (x * 10.0, exponent - 1);
        }
        let millionths = (x * 1e6 + 0.5) as u64;
        write!(f, "{}", millionths / 1_000_000)?;
        let (mut rest, mut digits) = (millionths % 1_000_000, 6);
        if rest > 0 {
            while rest % 10 == 0 {
                (rest, digits) = (rest / 10, digits - 1);
            }
            write!(f, ".{rest:0digits$}")?;
        }
        if exponent == 0 { Ok(()) } else { write!(f, "e{exponent}") }
    }
}

/// Makes the text of an error: formatted where there is an allocator, the bare format string where not.
#[cfg(feature = "alloc")]
#[doc(hidden)]
#[macro_export]
macro_rules! error_message {
    ($($arg:tt)*) => { $crate::__format!($($arg)*) };
}

/// Makes the text of an error: formatted where there is an allocator, the bare format string where not.
#[cfg(not(feature = "alloc"))]
#[doc(hidden)]
#[macro_export]
macro_rules! error_message {
    ($fmt:literal $($arg:tt)*) => {{
        // Never runs: it counts the arguments as used.
        if false {
            let _ = ::core::format_args!($fmt $($arg)*);
        }
        $fmt
    }};
}

/// An [`Error::Misuse`] with a formatted message.
#[macro_export]
macro_rules! misuse {
    ($($arg:tt)*) => { $crate::Error::Misuse($crate::error_message!($($arg)*)) };
}

/// An [`Error::Format`] with a formatted message.
#[macro_export]
macro_rules! format_error {
    ($($arg:tt)*) => { $crate::Error::Format($crate::error_message!($($arg)*)) };
}

/// An [`Error::Unsupported`] with a formatted message.
#[macro_export]
macro_rules! unsupported {
    ($($arg:tt)*) => { $crate::Error::Unsupported($crate::error_message!($($arg)*)) };
}

/// An [`Error::Device`] with a formatted message.
#[macro_export]
macro_rules! device_error {
    ($($arg:tt)*) => { $crate::Error::Device($crate::error_message!($($arg)*)) };
}
