//! Pictures of digits come out in MNIST's form, whatever their size, colours and lighting.
#![cfg(feature = "cli")]

use std::io::Cursor;
use std::path::{Path, PathBuf};

use gradling::data::picture;
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

fn encode(picture: RgbaImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::from(picture);
    let picture = if format == ImageFormat::Jpeg { picture.to_rgb8().into() } else { picture };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A seven of two strokes, `ink(x, y)` on `paper(x, y)`.
fn seven(
    w: u32,
    h: u32,
    paper: impl Fn(f32, f32) -> Rgba<u8>,
    ink: impl Fn(f32, f32) -> Rgba<u8>,
) -> RgbaImage {
    RgbaImage::from_fn(w, h, |x, y| {
        let (x, y) = ((x as f32 + 0.5) / w as f32, (y as f32 + 0.5) / h as f32);
        let bar = (0.25..0.75).contains(&x) && (0.2..0.27).contains(&y);
        let stem = (0.2..0.8).contains(&y) && (x - (0.75 - 0.4 * (y - 0.2))).abs() < 0.04;
        if bar || stem { ink(x, y) } else { paper(x, y) }
    })
}

fn grey(level: u8) -> impl Fn(f32, f32) -> Rgba<u8> {
    move |_, _| Rgba([level, level, level, 255])
}

fn digit(picture: RgbaImage) -> Vec<f32> {
    let tensor = picture::parse(&encode(picture, ImageFormat::Png)).unwrap();
    assert_eq!(tensor.shape().dims(), [1, 28, 28]);
    tensor.as_f32().unwrap().to_vec()
}

#[track_caller]
fn like_mnist(digit: &[f32]) {
    let mass: f32 = digit.iter().sum();
    let centre = |along: fn(usize) -> usize| {
        digit.iter().enumerate().map(|(i, v)| v * (along(i) as f32 + 0.5)).sum::<f32>() / mass
    };
    let (x, y) = (centre(|i| i % 28), centre(|i| i / 28));
    assert!((x - 14.0).abs() < 0.3 && (y - 14.0).abs() < 0.3, "centre of mass at {x}, {y}");
    assert!(digit.iter().all(|v| (0.0..=1.0).contains(v)) && digit.contains(&1.0));
    // MNIST's mean pixel is 0.13; single digits lie between 0.03 and 0.35.
    assert!((0.03..0.35).contains(&(mass / 784.0)), "mean {}", mass / 784.0);
    let rows: Vec<usize> = (0..28).filter(|y| digit[y * 28..][..28].iter().any(|&v| v > 0.3)).collect();
    let columns: Vec<usize> = (0..28).filter(|x| (0..28).any(|y| digit[y * 28 + x] > 0.3)).collect();
    let longer = rows.len().max(columns.len());
    assert!((18..=22).contains(&longer), "the longer side is {longer} pixels");
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32
}

#[test]
fn polarity_size_and_place_do_not_matter() {
    let reference = digit(seven(280, 280, grey(255), grey(0)));
    like_mnist(&reference);
    let same = |name: &str, picture: RgbaImage, tolerance: f32| {
        let other = digit(picture);
        like_mnist(&other);
        let difference = difference(&reference, &other);
        assert!(difference < tolerance, "{name}: {difference}");
    };
    same("light on dark", seven(280, 280, grey(0), grey(255)), 0.01);
    same("faint", seven(280, 280, grey(200), grey(150)), 0.01);
    same("large", seven(2800, 2800, grey(255), grey(0)), 0.03);
    same("small", seven(56, 56, grey(255), grey(0)), 0.06);
    let slope = |x: f32, y: f32| {
        let level = (250.0 - 60.0 * x - 40.0 * y) as u8;
        Rgba([level, level, level, 255])
    };
    same("shadow", seven(280, 280, slope, grey(20)), 0.02);
    let clear = |_: f32, _: f32| Rgba([0, 0, 0, 0]);
    same("transparent paper", seven(280, 280, clear, grey(0)), 0.01);
    let mut corner = RgbaImage::from_pixel(600, 500, Rgba([255; 4]));
    image::imageops::overlay(&mut corner, &seven(280, 280, grey(255), grey(0)), 300, 200);
    same("in a corner", corner, 0.01);
    let mut dirty = seven(280, 280, grey(255), grey(0));
    for at in [(5, 270), (270, 260), (30, 30)] {
        dirty.put_pixel(at.0, at.1, Rgba([0, 0, 0, 255]));
    }
    same("specks", dirty, 0.01);
}

#[test]
fn jpeg_is_read() {
    let bytes = encode(seven(280, 280, grey(255), grey(0)), ImageFormat::Jpeg);
    let jpeg = picture::parse(&bytes).unwrap();
    assert!(difference(jpeg.as_f32().unwrap(), &digit(seven(280, 280, grey(255), grey(0)))) < 0.02);
}

#[test]
fn thin_strokes_become_as_wide_as_a_pen() {
    let line = RgbaImage::from_fn(400, 400, |x, y| {
        let on = (198..202).contains(&x) && (40..360).contains(&y);
        Rgba(if on { [0, 0, 0, 255] } else { [255; 4] })
    });
    let one = digit(line);
    let row: f32 = one[14 * 28..][..28].iter().sum();
    assert!((1.8..2.8).contains(&row), "the stroke is {row} pixels wide");
}

#[test]
fn what_is_not_a_digit_is_refused() {
    let message = |bytes: &[u8]| picture::parse(bytes).unwrap_err().to_string();
    assert!(message(b"").contains("expected a PNG or JPEG picture"));
    assert!(message(b"hello, world").contains("expected a PNG or JPEG picture"));
    let blank = encode(seven(50, 50, grey(255), grey(255)), ImageFormat::Png);
    assert!(message(&blank).contains("one plain colour"), "{}", message(&blank));
    let one = encode(seven(1, 1, grey(255), grey(0)), ImageFormat::Png);
    assert!(picture::parse(&one).is_err());
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let bytes = encode(seven(60, 60, grey(255), grey(0)), format);
        for end in (0..bytes.len() - 20).step_by(7) {
            let _ = picture::parse(&bytes[..end]);
        }
        assert!(picture::parse(&bytes[..40]).is_err());
        for at in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[at] ^= 0x41;
            let _ = picture::parse(&torn);
        }
    }
}

#[test]
fn every_small_picture_gives_an_answer_or_an_error() {
    for w in 1..12 {
        for h in 1..12 {
            let picture = RgbaImage::from_fn(w, h, |x, y| Rgba([(x * 37 + y * 91) as u8, 3, y as u8, 255]));
            if let Ok(tensor) = picture::parse(&encode(picture, ImageFormat::Png)) {
                assert!(tensor.as_f32().unwrap().iter().all(|v| v.is_finite()));
            }
        }
    }
}

/// The hand-drawn digits beside the repository; `None` (and a line that says so) where they are not there.
fn drawn() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/pictures/digits");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", folder.display());
    println!("skipped: {} is missing", folder.display());
    None
}

#[test]
fn drawn_digits_look_like_mnist() {
    let Some(folder) = drawn() else { return };
    for label in 0..10 {
        let tensor = picture::read(&folder.join(format!("{label}.png"))).unwrap();
        like_mnist(tensor.as_f32().unwrap());
    }
}
