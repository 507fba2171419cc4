//! Scaling, splits, windows, and the files that hold numbers.
#![cfg(feature = "std")]

use std::path::{Path, PathBuf};

use gradling::data::{
    MinMaxScaler, StandardScaler, Table, Windows, cifar10, columns, fashion_mnist, iris, normalize, npy,
    stock, timeseries_dataset, to_categorical, train_test_split,
};
use gradling::{Error, Tensor};

fn series(n: usize, features: usize) -> Tensor {
    Tensor::new(&[n, features], (0..n * features).map(|v| v as f32).collect::<Vec<_>>()).unwrap()
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

/// A new empty folder below the build directory.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[track_caller]
fn close(a: &Tensor, b: &Tensor, tolerance: f32) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in a.to_f32_vec().iter().zip(b.to_f32_vec()) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} and {b}");
    }
}

#[test]
fn scalers_come_back() {
    let (x, _) = iris::load().unwrap();
    let min_max = MinMaxScaler::fit(&x).unwrap();
    let scaled = min_max.transform(&x).unwrap();
    assert!(scaled.to_f32_vec().iter().all(|v| (0.0..=1.0).contains(v)));
    close(&min_max.inverse_transform(&scaled).unwrap(), &x, 1e-6);
    let standard = StandardScaler::fit(&x).unwrap();
    let scaled = standard.transform(&x).unwrap();
    close(&standard.inverse_transform(&scaled).unwrap(), &x, 1e-6);
    for feature in 0..4 {
        let column = columns(&scaled, &[feature]).unwrap().to_f32_vec();
        let mean: f64 = column.iter().map(|&v| f64::from(v)).sum::<f64>() / 150.0;
        let square: f64 = column.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 150.0;
        assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{mean} {square}");
    }
    // Large numbers close together: sums are in float64.
    let far = Tensor::new(&[4], [1e6f32, 1e6 + 1.0, 1e6 + 2.0, 1e6 + 3.0]).unwrap();
    let scaled = StandardScaler::fit(&far).unwrap().transform(&far).unwrap();
    close(
        &scaled,
        &Tensor::new(&[4], [-1.341_640_8f32, -0.447_213_6, 0.447_213_6, 1.341_640_8]).unwrap(),
        1e-6,
    );
    // What is constant stays finite and comes back; bytes are scaled as numbers; time series have their features last.
    let constant = Tensor::new(&[2, 2], [5.0f32, 1.0, 5.0, 3.0]).unwrap();
    for scaled in [
        MinMaxScaler::fit(&constant).unwrap().transform(&constant).unwrap(),
        StandardScaler::fit(&constant).unwrap().transform(&constant).unwrap(),
    ] {
        assert_eq!([scaled.as_f32().unwrap()[0], scaled.as_f32().unwrap()[2]], [0.0, 0.0]);
    }
    let bytes = Tensor::new(&[3], vec![0u8, 51, 255]).unwrap();
    let scaled = MinMaxScaler::fit(&bytes).unwrap().transform(&bytes).unwrap();
    assert_eq!(scaled.as_f32().unwrap(), [0.0, 0.2, 1.0]);
    let windows = min_max.transform(&Tensor::zeros(&[2, 3, 4]).unwrap()).unwrap();
    assert_eq!(windows.shape().dims(), [2, 3, 4]);

    let message = min_max.transform(&series(2, 3)).unwrap_err().to_string();
    assert!(message.contains("fitted on 4 features, got 3 on the last axis of shape [2, 3]"), "{message}");
    let nan = Tensor::new(&[2, 2], [0.0, 0.0, 0.0, f32::NAN]).unwrap();
    assert!(MinMaxScaler::fit(&nan).unwrap_err().to_string().contains("got NaN in sample 1, feature 1"));
    assert!(StandardScaler::fit(&Tensor::scalar(1.0)).is_err());
    assert!(StandardScaler::fit(&Tensor::zeros(&[0, 3]).unwrap()).is_err());
}

#[test]
fn splits_part_all_rows() {
    let (x, y) = iris::load().unwrap();
    let ([x_train, y_train], [x_test, y_test]) = train_test_split([&x, &y], 0.2, 116).unwrap();
    assert_eq!((x_train.shape().dim(0), x_test.shape().dim(0)), (120, 30));
    let mut rows: Vec<Vec<u32>> = Vec::new();
    for (x, y) in [(&x_train, &y_train), (&x_test, &y_test)] {
        for (row, label) in x.as_f32().unwrap().chunks(4).zip(y.as_i32().unwrap()) {
            rows.push(row.iter().map(|v| v.to_bits()).chain([*label as u32]).collect());
        }
    }
    let mut original: Vec<Vec<u32>> = x
        .as_f32()
        .unwrap()
        .chunks(4)
        .zip(y.as_i32().unwrap())
        .map(|(row, label)| row.iter().map(|v| v.to_bits()).chain([*label as u32]).collect())
        .collect();
    assert_ne!(rows, original);
    rows.sort_unstable();
    original.sort_unstable();
    assert_eq!(rows, original);
    assert_eq!(train_test_split([&x], 0.2, 116).unwrap().0[0], x_train);
    let ([head], [tail]) = train_test_split([&series(5, 1)], 0.3, None).unwrap();
    assert_eq!((head.to_f32_vec(), tail.to_f32_vec()), (vec![0.0, 1.0, 2.0], vec![3.0, 4.0]));
    for share in [0.0, 1.0, -1.0, f64::NAN] {
        let message = train_test_split([&x], share, 1).unwrap_err().to_string();
        assert!(message.contains("leaves one part of 150 rows empty"), "{message}");
    }
    assert!(train_test_split([&x, &series(3, 1)], 0.5, 1).is_err());
}

#[test]
fn norms_and_classes() {
    let x = Tensor::new(&[2, 2], [3.0f32, 4.0, 0.0, 0.0]).unwrap();
    assert_eq!(normalize(&x, -1).unwrap().as_f32().unwrap(), [0.6, 0.8, 0.0, 0.0]);
    assert_eq!(normalize(&x, 0).unwrap().as_f32().unwrap(), [1.0, 1.0, 0.0, 0.0]);
    let cube = normalize(&series(12, 1).reshape(&[2, 3, 2]).unwrap(), 1).unwrap();
    let sum: f32 = [0, 2, 4].iter().map(|&i| cube.as_f32().unwrap()[i].powi(2)).sum();
    assert!((sum - 1.0).abs() < 1e-6);
    assert!(normalize(&x, 2).is_err());

    let column = Tensor::new(&[3, 1], vec![2u8, 0, 1]).unwrap();
    let one_hot = to_categorical(&column, 4).unwrap();
    assert_eq!(one_hot.shape().dims(), [3, 4]);
    assert_eq!(one_hot.as_f32().unwrap()[..4], [0.0, 0.0, 1.0, 0.0]);
    assert!(
        to_categorical(&column, 2).unwrap_err().to_string().contains("label 2 at position 0 is none of 2")
    );
    let halves = Tensor::new(&[2], [1.0f32, 0.5]).unwrap();
    assert!(to_categorical(&halves, None).unwrap_err().to_string().contains("got 0.5 at position 1"));
    assert!(to_categorical(&Tensor::new(&[1], [-1]).unwrap(), None).is_err());
    assert!(to_categorical(&Tensor::new(&[1], [i32::MAX]).unwrap(), None).is_err());
    assert!(to_categorical(&Tensor::zeros(&[0]).unwrap(), None).is_err());
}

#[test]
fn windows_as_counted_by_hand() {
    // Ten days of two quotes: day d has (2d, 2d + 1).
    let days = series(10, 2);
    let (x, y) = Windows::new(4).cut(&days, &columns(&days, &[1]).unwrap()).unwrap();
    assert_eq!((x.shape().to_vec(), y.shape().to_vec()), (vec![6, 4, 2], vec![6, 1]));
    assert_eq!(x.rows(0..1).unwrap().to_f32_vec(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!(x.rows(5..6).unwrap().to_f32_vec(), [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]);
    assert_eq!(y.to_f32_vec(), [9.0, 11.0, 13.0, 15.0, 17.0, 19.0]);
    // Every third day, two of them, every second start, three days ahead of the last.
    let sparse = Windows { steps: 2, stride: 2, rate: 3, ahead: 3 };
    let line = series(10, 1);
    let (x, y) = sparse.cut(&line, &line).unwrap();
    assert_eq!(x.to_f32_vec(), [0.0, 3.0, 2.0, 5.0]);
    assert_eq!((x.shape().to_vec(), y.to_f32_vec()), (vec![2, 2, 1], vec![6.0, 8.0]));
    // Targets of the last sample itself.
    let (_, y) = Windows { ahead: 0, ..Windows::new(10) }.cut(&line, &line).unwrap();
    assert_eq!(y.to_f32_vec(), [9.0]);
    let message = Windows::new(10).cut(&line, &line).unwrap_err().to_string();
    assert!(message.contains("span 11 samples, the series has 10"), "{message}");
    assert!(Windows { stride: 0, ..Windows::new(2) }.cut(&line, &line).is_err());
    assert!(Windows::new(2).cut(&line, &series(9, 1)).is_err());
    assert!(Windows { rate: usize::MAX, ..Windows::new(3) }.cut(&line, &line).is_err());
    let batches = timeseries_dataset(&line, &line, Windows::new(3), 4);
    let shapes: Vec<_> = batches.iter().map(|b| b.unwrap()[0].shape().to_vec()).collect();
    assert_eq!(shapes, [[4, 3, 1], [3, 3, 1]]);
}

#[test]
fn tables_name_the_line_and_the_column() {
    let table = Table::parse(b"a, b ,\"c,d\"\r\n1, 2.5 ,x\r\n-3,4e2,\"y\r\nz\"\r\n5,6,7\r\n", true).unwrap();
    assert_eq!(table.names(), ["a", "b", "c,d"]);
    assert_eq!(table.numbers(&["b", "a"]).unwrap().as_f32().unwrap(), [2.5, 1.0, 400.0, -3.0, 6.0, 5.0]);
    assert_eq!(table.integers("a").unwrap().as_i32().unwrap(), [1, -3, 5]);
    assert_eq!(table.text("c,d").unwrap(), ["x", "y\r\nz", "7"]);
    let message = |r: Result<Tensor, Error>| r.unwrap_err().to_string();
    assert_eq!(message(table.numbers(&["c,d"])), "line 2, column c,d: expected a number, got \"x\"");
    assert_eq!(message(table.numbers(&["e"])), "no column \"e\"; the columns are a, b, c,d");
    let refused = |bytes: &[u8]| Table::parse(bytes, true).unwrap_err().to_string();
    assert_eq!(refused(b"a,b\n1,2\n3\n"), "line 3: expected 2 cells, got 1");
    assert_eq!(refused(b"a,b\r\n\r\n1,2\r\n3\r\n"), "line 4: expected 2 cells, got 1");
    assert!(refused(b"a,b\n").contains("expected rows"));
    assert!(refused(b"").contains("expected rows"));
    assert_eq!(refused(b"a,b\n1,2\n1,\xff\n"), "line 3: expected UTF-8 text");
    for cell in ["", "nan", "inf", "1e99", "0x10", "1 2"] {
        let table = Table::parse(format!("a,b\n{cell},0\n").as_bytes(), true).unwrap();
        assert!(message(table.numbers(&["a"])).contains("line 2, column a: expected a number"), "{cell}");
    }
    let bare = Table::parse(b"\xef\xbb\xbf1,2\n3,4\n", false).unwrap();
    assert_eq!(bare.numbers(&["0", "1"]).unwrap().as_f32().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    let path = folder("tables").join("odd.csv");
    std::fs::write(&path, "a\n1\none\n").unwrap();
    let message = Table::read(&path, true).unwrap().integers("a").unwrap_err().to_string();
    assert!(
        message.ends_with("odd.csv: line 3, column a: expected a whole number, got \"one\""),
        "{message}"
    );
    assert!(Table::read(path.with_file_name("none.csv"), true).unwrap_err().to_string().contains("none.csv"));
}

#[test]
fn arrays_as_numpy_writes_them() {
    // numpy.save of numpy.array([[1, 2, 3]], dtype='int32')
    let mut saved =
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i4', 'fortran_order': False, 'shape': (1, 3), }".to_vec();
    saved.resize(127, b' ');
    saved.extend_from_slice(b"\n\x01\0\0\0\x02\0\0\0\x03\0\0\0");
    let tensor = Tensor::new(&[1, 3], [1, 2, 3]).unwrap();
    assert_eq!(npy::parse(&saved).unwrap(), tensor);
    assert_eq!(npy::to_bytes(&tensor), saved);

    let file = |version: u8, header: &str, body: &[u8]| {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(body);
        bytes
    };
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n")
    };
    let read = |descr: &str, shape: &str, body: &[u8]| npy::parse(&file(2, &header(descr, shape), body));
    assert_eq!(read("<f8", "()", &0.1f64.to_le_bytes()).unwrap(), Tensor::scalar(0.1));
    assert_eq!(read(">f4", "(1,)", &2.5f32.to_be_bytes()).unwrap().as_f32().unwrap(), [2.5]);
    assert_eq!(read("<i8", "(1,)", &(-7i64).to_le_bytes()).unwrap().as_i32().unwrap(), [-7]);
    assert_eq!(read(">i2", "(1L,)", &(-7i16).to_be_bytes()).unwrap().as_i32().unwrap(), [-7]);
    assert_eq!(read("|i1", "(2,)", &[0xff, 1]).unwrap().as_i8().unwrap(), [-1, 1]);
    assert_eq!(read(">f2", "(1,)", &[0xc1, 0]).unwrap().to_f32_vec(), [-2.5]);
    assert_eq!(read("<u2", "(1,)", &[0xff, 0xff]).unwrap().as_i32().unwrap(), [65535]);
    assert_eq!(read("|u1", "(2,)", &[0xff, 1]).unwrap().as_u8().unwrap(), [255, 1]);
    assert_eq!(read("|b1", "(2, 1)", &[0, 1]).unwrap().as_bool().unwrap(), [false, true]);
    assert_eq!(read("<f4", "(0, 3)", &[]).unwrap().shape().dims(), [0, 3]);
    let message = |r: Result<Tensor, Error>| r.unwrap_err().to_string();
    let large = read("<i8", "(2,)", &[0i64.to_le_bytes(), (1i64 << 31).to_le_bytes()].concat());
    assert!(message(large).contains("element 1 is 2147483648, which int32 does not hold"));
    assert!(message(read("<c8", "(1,)", &[0; 8])).contains("\"<c8\" is none of f2, f4, f8"));
    assert!(message(read("<U5", "(1,)", &[0; 20])).contains("is none of"));
    assert!(
        message(read("<f4", "(2,)", &[0; 7])).contains("truncated: shape [2] of <f4 takes 8 bytes, got 7")
    );
    assert!(message(read("<f4", "(2,)", &[0; 9])).contains("trailing bytes"));
    assert!(message(read("<f4", "(99999, 99999)", &[0; 4])).contains("2^31"));
    assert!(message(read("<f4", "(1,1,1,1,1,1,1,1,1)", &[0; 4])).contains("at most 8 axes, got 9"));
    let fortran = "{\"descr\": \"<f4\", \"shape\": (1, 2), \"fortran_order\": True}";
    assert!(message(npy::parse(&file(3, fortran, &[0; 8]))).contains("Fortran"));
    let fields = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}";
    assert!(message(npy::parse(&file(1, fields, &[0; 4]))).contains("cannot read the header"));
    assert!(message(npy::parse(&file(4, "{}", &[]))).contains("expected version 1, 2 or 3, got 4"));

    let path = folder("npy").join("array.npy");
    for tensor in [
        series(3, 4),
        Tensor::new(&[2, 0, 3], Vec::<i32>::new()).unwrap(),
        Tensor::new(&[4], vec![0u8, 1, 254, 255]).unwrap(),
        Tensor::new(&[1, 1, 1, 1, 1, 1, 1, 2], vec![true, false]).unwrap(),
        Tensor::scalar(f32::MIN_POSITIVE),
    ] {
        npy::write(&path, &tensor).unwrap();
        assert_eq!(npy::read(&path).unwrap(), tensor);
        assert_eq!(std::fs::read(&path).unwrap().len() % 64, tensor.numel() * tensor.dtype().size() % 64);
    }
    std::fs::write(&path, b"\x93NUMP").unwrap();
    assert!(npy::read(&path).unwrap_err().to_string().contains("array.npy: not an .npy file"));
}

#[test]
fn iris_is_the_file() {
    let Some(path) = shared("iris.csv") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.split_once('\n').unwrap().1;
    let table = Table::parse(rows.as_bytes(), false).unwrap();
    let (x, y) = iris::load().unwrap();
    assert_eq!(table.numbers(&["0", "1", "2", "3"]).unwrap(), x);
    assert_eq!(table.integers("4").unwrap(), y);
}

#[test]
fn quotes_of_the_course() {
    let Some(path) = shared("SH600519.csv") else { return };
    let stock = stock::load(&path, "open").unwrap();
    assert_eq!((stock.dates.len(), stock.dates[0].as_str()), (2426, "2010-04-26"));
    assert_eq!(stock.values.rows(0..1).unwrap().item().unwrap(), 88.702);
    let w = stock.windows(300, 60).unwrap();
    assert_eq!(w.train_x.shape().dims(), [2066, 60, 1]);
    assert_eq!(w.test_x.shape().dims(), [240, 60, 1]);
    assert_eq!((w.train_y.shape().dims(), w.test_y.shape().dims()), (&[2066, 1][..], &[240, 1][..]));
    let prices = w.scaler.inverse_transform(&w.test_y).unwrap();
    close(&prices, &stock.values.rows(2426 - 240..2426).unwrap(), 1e-5);
    assert!(stock.windows(2426, 60).unwrap_err().to_string().contains("leave none of 2426"));
    assert!(stock.windows(60, 60).unwrap_err().to_string().contains("test days"));
    assert!(stock::load(&path, "opening").unwrap_err().to_string().contains("no column \"opening\""));
}

/// Records with label i and planes of 3i, 3i + 1, 3i + 2.
fn records(labels: std::ops::Range<u8>) -> Vec<u8> {
    let planes = |i: u8| (0..3).flat_map(move |c| std::iter::repeat_n(3 * i + c, 1024));
    labels.flat_map(|i| std::iter::once(i).chain(planes(i))).collect()
}

#[test]
fn cifar_batches() {
    let (x, y) = cifar10::parse(&records(0..3)).unwrap();
    assert_eq!((x.shape().dims(), y.as_u8().unwrap()), (&[3, 32, 32, 3][..], &[0, 1, 2][..]));
    assert_eq!(x.rows(1..2).unwrap().as_u8().unwrap()[..6], [3, 4, 5, 3, 4, 5]);
    let message = |bytes: &[u8]| cifar10::parse(bytes).unwrap_err().to_string();
    assert!(message(&records(0..3)[1..]).contains("expected records of 3073 bytes, got 9218"));
    assert!(message(&records(9..11)).contains("record 1: expected a label 0 to 9, got 10"));
    assert!(message(&[]).contains("got 0 bytes"));

    let folder = folder("cifar");
    let error = || cifar10::load(&folder).unwrap_err().to_string();
    assert!(error().contains("test_batch.bin, found none"));
    std::fs::write(folder.join("test_batch.bin"), records(5..6)).unwrap();
    assert!(error().contains("data_batch_1.bin to data_batch_5.bin, found none"));
    std::fs::write(folder.join("data_batch_2.bin"), records(3..5)).unwrap();
    std::fs::write(folder.join("data_batch_1.bin"), records(0..2)).unwrap();
    let cifar = cifar10::load(&folder).unwrap();
    assert_eq!(cifar.train_y.as_u8().unwrap(), [0, 1, 3, 4]);
    std::fs::write(folder.join("data_batch_1.bin"), &records(0..2)[1..]).unwrap();
    assert!(error().contains("data_batch_1.bin: expected records of 3073 bytes"));
    assert!(cifar10::load(folder.join("none.tar.gz")).unwrap_err().to_string().contains("none.tar.gz"));
}

#[test]
fn cifar_in_its_archive() {
    let Some(path) = shared("cifar-10-binary-small.tar.gz") else { return };
    let cifar = cifar10::load(path).unwrap();
    assert_eq!(cifar.train_x.shape().dims(), [5000, 32, 32, 3]);
    assert_eq!(cifar.test_x.shape().dims(), [1000, 32, 32, 3]);
    for label in 0..10 {
        let count = cifar.test_y.as_u8().unwrap().iter().filter(|&&l| l == label).count();
        assert_eq!(count, 100);
    }
}

#[test]
fn fashion_has_the_rules_of_mnist() {
    let error = fashion_mnist::load(folder("fashion")).unwrap_err().to_string();
    assert!(error.contains("Fashion-MNIST: expected train-images-idx3-ubyte or"), "{error}");
    assert_eq!(fashion_mnist::CLASS_NAMES[9], "Ankle boot");
}
