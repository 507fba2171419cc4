//! Pictures from folders and archives, and sheets of them.
#![cfg(feature = "image")]

use std::path::{Path, PathBuf};

use gradling::data::ImageDataGenerator;
use gradling::data::folder::{
    FromDirectory, Part, image_dataset_from_directory, read_labelled, read_labelled_archive,
};
use gradling::data::image::{ColorMode, Decode, Interpolation, contact_sheet, encode_png, write_png};
use gradling::data::mnist;
use gradling::{Result, Tensor};

/// A new empty folder below the build directory.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A file beside the repository; `None` (and a line that says so) where it is not there.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", path.display());
    println!("skipped: {} is missing", path.display());
    None
}

fn plain(h: usize, w: usize, color: [u8; 3]) -> Tensor {
    Tensor::new(&[h, w, 3], color.repeat(h * w)).unwrap()
}

#[test]
fn pictures_come_back_and_are_converted() {
    let values: Vec<u8> = (0..5 * 4 * 3).map(|i| (i * 7) as u8).collect();
    let picture = Tensor::new(&[5, 4, 3], values).unwrap();
    let bytes = encode_png(&picture).unwrap();
    assert_eq!(Decode::default().parse(&bytes).unwrap(), picture);
    let grey = Decode { color_mode: ColorMode::Grayscale, ..Decode::default() };
    // (299 * 100 + 587 * 200 + 114 * 50) / 1000
    let bytes = encode_png(&plain(2, 2, [100, 200, 50])).unwrap();
    assert_eq!(grey.parse(&bytes).unwrap(), Tensor::new(&[2, 2, 1], vec![153u8; 4]).unwrap());
    for interpolation in [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Lanczos3] {
        let small = Decode { size: Some([3, 5]), interpolation, ..Decode::default() };
        assert_eq!(small.parse(&bytes).unwrap(), plain(3, 5, [100, 200, 50]));
    }
    // Half transparent black is grey on white.
    let glass = Tensor::new(&[1, 2, 4], vec![0u8, 0, 0, 128, 9, 9, 9, 0]).unwrap();
    let seen = Decode::default().parse(&encode_png(&glass).unwrap()).unwrap();
    assert_eq!(seen.as_u8().unwrap(), [127, 127, 127, 255, 255, 255]);
    let floats = Tensor::new(&[1, 3], [-1.0f32, 0.5, 2.0]).unwrap();
    let seen = grey.parse(&encode_png(&floats).unwrap()).unwrap();
    assert_eq!(seen.as_u8().unwrap(), [0, 128, 255]);
    assert!(
        encode_png(&Tensor::zeros(&[2, 2, 2]).unwrap())
            .unwrap_err()
            .to_string()
            .contains("got shape [2, 2, 2]")
    );
    assert!(encode_png(&Tensor::zeros(&[0, 2, 3]).unwrap()).is_err());
    assert!(encode_png(&Tensor::new(&[1, 1], [1]).unwrap()).unwrap_err().to_string().contains("got int32"));
    assert!(Decode::default().parse(b"no picture").unwrap_err().to_string().contains("PNG or JPEG"));
    let none = Decode { size: Some([0, 5]), ..Decode::default() };
    assert!(none.parse(&bytes).unwrap_err().to_string().contains("0 x 5"));
}

#[test]
fn lists_of_labels_and_their_cache() {
    let folder = folder("labelled");
    write_png(folder.join("a b.png"), &plain(2, 3, [1, 2, 3])).unwrap();
    write_png(folder.join("c.png"), &plain(2, 3, [4, 5, 6])).unwrap();
    let list = folder.join("labels.txt");
    std::fs::write(&list, "a b.png 7\r\n\r\nc.png\t-1\r\n").unwrap();
    let cache = folder.join("cache");
    let read = |cache| read_labelled(&folder, &list, Decode::default(), cache);
    let made = read(None).unwrap();
    assert_eq!(made.0.shape().dims(), [2, 2, 3, 3]);
    assert_eq!(made.1.as_i32().unwrap(), [7, -1]);
    assert_eq!(made.0.as_u8().unwrap()[..3], [1, 2, 3]);
    assert_eq!(read(Some(&cache)).unwrap(), made);
    let arrays = || -> Vec<PathBuf> {
        let files = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
        let mut files: Vec<PathBuf> = files.filter(|p| p.extension().is_some_and(|e| e == "npy")).collect();
        files.sort();
        files
    };
    assert_eq!(arrays().len(), 2);
    // The cache is read: what is in it comes out.
    let fake = Tensor::new(&[2, 2, 3, 3], vec![9u8; 36]).unwrap();
    gradling::data::npy::write(&arrays()[0], &fake).unwrap();
    assert_eq!(read(Some(&cache)).unwrap().0, fake);
    // A damaged one is made again.
    std::fs::write(&arrays()[0], b"\x93NUMPY").unwrap();
    assert_eq!(read(Some(&cache)).unwrap(), made);
    assert_eq!(read(Some(&cache)).unwrap(), made);
    // Another list, and another picture, have another key.
    std::fs::write(&list, "c.png 0\n").unwrap();
    assert_eq!(read(Some(&cache)).unwrap().1.as_i32().unwrap(), [0]);
    write_png(folder.join("c.png"), &plain(9, 9, [7, 8, 9])).unwrap();
    assert_eq!(read(Some(&cache)).unwrap().0.shape().dims(), [1, 9, 9, 3]);
    assert_eq!(arrays().len(), 6);

    let error = |text: &str| {
        std::fs::write(&list, text).unwrap();
        read(Some(&cache)).unwrap_err().to_string()
    };
    assert!(error("c.png 0\nc.png one\n").contains("labels.txt: line 2: expected the name of a picture"));
    assert!(error("c.png\n").contains("line 1"));
    assert!(error("\n").contains("got none"));
    assert!(error("none.png 1\n").contains("none.png"));
    let sizes = error("c.png 1\na b.png 0\n");
    assert!(sizes.contains("a b.png: expected 9 x 9 pixels as in"), "{sizes}");
}

#[test]
fn own_pictures_of_the_course() {
    let Some(fashion) = shared("pictures/fashion") else { return };
    let list = folder("own").join("fashion.txt");
    let mut names: Vec<String> =
        std::fs::read_dir(&fashion).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let lines: Vec<String> = names.iter().map(|name| format!("{name} {}", &name[..1])).collect();
    std::fs::write(&list, lines.join("\n")).unwrap();
    let how = Decode {
        color_mode: ColorMode::Grayscale,
        size: Some([28, 28]),
        interpolation: Interpolation::Lanczos3,
    };
    // One of them is a PNG whatever its name says.
    let (x, y) = read_labelled(&fashion, &list, how, None).unwrap();
    assert_eq!(x.shape().dims(), [10, 28, 28, 1]);
    assert_eq!(y.as_i32().unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn cifar_as_pictures_in_an_archive() {
    let Some(path) = shared("cifar10-jpeg.tar.gz") else { return };
    let cache = folder("cifar-cache").join("test");
    let (x, y) = read_labelled_archive(&path, "test.txt", Decode::default(), Some(&cache)).unwrap();
    assert_eq!((x.shape().dims(), y.numel()), (&[10_000, 32, 32, 3][..], 10_000));
    assert_eq!(y.as_i32().unwrap().iter().filter(|&&l| l == 3).count(), 1000);
    assert_eq!(read_labelled_archive(&path, "test.txt", Decode::default(), Some(&cache)).unwrap(), (x, y));
    let error = read_labelled_archive(&path, "none.txt", Decode::default(), None).unwrap_err().to_string();
    assert!(error.contains("no file none.txt"), "{error}");
}

#[test]
fn folders_by_class() {
    let folder = folder("classes");
    for (class, n) in [("dog", 3), ("cat", 5), ("eel", 0)] {
        std::fs::create_dir(folder.join(class)).unwrap();
        for i in 0..n {
            let color = [if class == "cat" { 10 } else { 20 }, i, 0];
            write_png(folder.join(class).join(format!("{i}.png")), &plain(4, 4, color)).unwrap();
        }
    }
    std::fs::write(folder.join("cat/notes.txt"), "no picture").unwrap();
    let how = FromDirectory {
        decode: Decode { size: Some([2, 3]), ..Decode::default() },
        batch_size: 3,
        seed: 5,
        ..FromDirectory::default()
    };
    let all = |how: &FromDirectory| -> Vec<(i32, [f32; 2])> {
        let (data, classes) = image_dataset_from_directory(&folder, how).unwrap();
        assert_eq!(classes, ["cat", "dog", "eel"]);
        let batches: Vec<_> = data.iter().collect::<Result<_>>().unwrap();
        assert_eq!(data.cardinality(), Some(batches.len()));
        batches
            .iter()
            .flat_map(|b| {
                assert_eq!(b[0].shape().dims()[1..], [2, 3, 3]);
                let pixels = b[0].as_f32().unwrap().chunks(18);
                pixels.zip(b[1].as_i32().unwrap()).map(|(p, &l)| (l, [p[0], p[1]])).collect::<Vec<_>>()
            })
            .collect()
    };
    let mut seen = all(&how);
    assert!(seen.iter().all(|(label, [red, _])| *red == if *label == 0 { 10.0 } else { 20.0 }));
    assert_eq!(seen, all(&how));
    let ordered = all(&FromDirectory { shuffle: false, ..how.clone() });
    assert_ne!(seen, ordered);
    assert_eq!(ordered.iter().map(|(l, [_, i])| (*l, *i as i32)).collect::<Vec<_>>()[4..6], [(0, 4), (1, 0)]);
    let mut parts = all(&FromDirectory { part: Part::Training(0.25), ..how.clone() });
    assert_eq!(parts.len(), 6);
    parts.extend(all(&FromDirectory { part: Part::Validation(0.25), ..how.clone() }));
    let key = |(label, [red, at]): &(i32, [f32; 2])| (*label, *red as i32, *at as i32);
    parts.sort_by_key(key);
    seen.sort_by_key(key);
    assert_eq!(parts, seen);
    std::fs::write(folder.join("eel/broken.jpg"), b"\xff\xd8\xff broken").unwrap();
    let (data, _) = image_dataset_from_directory(&folder, &how).unwrap();
    let error = data.iter().find_map(Result::err).unwrap().to_string();
    assert!(error.contains("broken.jpg"), "{error}");
    assert!(
        image_dataset_from_directory(folder.join("cat"), &how)
            .unwrap_err()
            .to_string()
            .contains("no picture")
    );
    assert!(image_dataset_from_directory(folder.join("none"), &how).is_err());
    assert!(
        image_dataset_from_directory(&folder, &FromDirectory { part: Part::Training(2.0), ..how }).is_err()
    );
}

#[test]
fn sheets_of_variants() {
    let folder = folder("sheets");
    let path = folder.join("sheet.png");
    let x = Tensor::new(&[2, 4, 4, 1], (0..32u8).map(|v| v * 8).collect::<Vec<_>>()).unwrap();
    contact_sheet(&x, 2, &path).unwrap();
    let sheet = Decode::default().read(&path).unwrap();
    assert_eq!(sheet.shape().dims(), [96 + 12, 2 * 96 + 18, 3]);
    assert!(contact_sheet(&x, 0, &path).is_err());
    let how = ImageDataGenerator { rotation_range: 20.0, rescale: 1.0 / 255.0, ..Default::default() };
    how.contact_sheet(&x, 3, &path).unwrap();
    let sheet = Decode::default().read(&path).unwrap();
    assert_eq!(sheet.shape().dims(), [2 * 96 + 18, 4 * 96 + 30, 3]);
    if let Some(folder) = shared("t10k-images-idx3-ubyte.gz").and_then(|p| p.parent().map(Path::to_path_buf))
    {
        let mnist = mnist::load(&mnist::Source::Folder(folder)).unwrap();
        let x = mnist.test_x.rows(0..5).unwrap().reshape(&[5, 28, 28, 1]).unwrap();
        let how = ImageDataGenerator {
            rotation_range: 45.0,
            width_shift_range: 0.15,
            height_shift_range: 0.15,
            zoom_range: [0.5, 1.5],
            shear_range: 10.0,
            ..Default::default()
        };
        how.contact_sheet(&x, 7, path.with_file_name("digits.png")).unwrap();
    }
}
