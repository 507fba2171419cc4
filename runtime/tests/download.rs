//! The download of a data set, against a server on this machine.
#![cfg(feature = "cli")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use gradling::data::download::Download;
use gradling::data::mnist::MnistFile;

/// A file whose checksum is `printf 'seven bytes and more' | sha256sum`.
const FILE: MnistFile = MnistFile {
    name: "numbers",
    bytes: 20,
    sha256: "69f5501c982d60abae957b401c99dd57d011a5858ab2c8e0fd31fb30599dd988",
};

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn answer(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn whole(body: &[u8]) -> Vec<u8> {
    answer("200 OK", body.len(), body)
}

/// A server that gives each of `answers` once, in order, and its address; the paths asked for come from the handle.
fn serve(answers: Vec<Vec<u8>>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mnist/", listener.local_addr().unwrap());
    let handle = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            let line = String::from_utf8_lossy(&request);
            asked.push(line.split(' ').nth(1).unwrap_or_default().to_string());
            // A client that has seen enough may hang up.
            let _ = stream.write_all(&answer);
        }
        asked
    });
    (address, handle)
}

fn cache(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("download").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn download(cache: &Path, mirrors: &[&str]) -> Download {
    Download {
        cache: cache.to_path_buf(),
        mirrors: mirrors.iter().map(|m| m.to_string()).collect(),
        connect_timeout: Duration::from_millis(500),
        progress: false,
    }
}

/// What the cache holds; temporary files would show.
fn listing(cache: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(cache).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

const CONTENT: &[u8] = b"seven bytes and more";

#[test]
fn a_file_is_downloaded_once_and_kept() {
    let cache = cache("good");
    let (address, server) = serve(vec![whole(&packed(CONTENT))]);
    let download = download(&cache, &[&address]);
    assert!(!download.is_filled(&[FILE]));
    download.fill(&[FILE]).unwrap();
    assert_eq!(server.join().unwrap(), ["/mnist/numbers.gz"]);
    assert!(download.is_filled(&[FILE]));
    assert_eq!(listing(&cache), ["numbers.gz"]);
    // The server is gone: a second fill that asked for anything would fail.
    download.fill(&[FILE]).unwrap();
}

#[test]
fn content_that_a_mirror_unpacked_is_accepted() {
    let cache = cache("plain");
    let (address, server) = serve(vec![whole(CONTENT)]);
    download(&cache, &[&address]).fill(&[FILE]).unwrap();
    server.join().unwrap();
    assert_eq!(listing(&cache), ["numbers.gz"]);
}

#[track_caller]
fn refused(name: &str, answer: Vec<u8>, part: &str) {
    let cache = cache(name);
    let (address, server) = serve(vec![answer]);
    let message = download(&cache, &[&address]).fill(&[FILE]).unwrap_err().to_string();
    server.join().unwrap();
    assert!(message.contains(part), "{message:?} does not say {part:?}");
    assert!(message.contains(&format!("{address}numbers.gz: ")), "{message:?} does not name the address");
    assert!(listing(&cache).is_empty(), "{:?} is left in the cache", listing(&cache));
}

#[test]
fn what_is_not_the_file_is_refused() {
    let good = packed(CONTENT);
    refused("cut", answer("200 OK", good.len(), &good[..good.len() - 9]), "broken off after");
    refused("cut-inside-gzip", whole(&good[..good.len() - 9]), "broken gzip");
    refused(
        "other",
        whole(&packed(b"seven bytes, others.")),
        "wrong checksum: expected SHA-256 69f5501c982d60ab",
    );
    refused("longer", whole(&packed(&[CONTENT, b"!"].concat())), "wrong checksum");
    refused("page", whole(b"<html>sign in</html>"), "wrong checksum");
    refused("large", whole(&vec![7; 1 << 20]), "expected at most 1044 bytes, got more");
    refused("missing", answer("404 Not Found", 0, b""), "404");
    refused("failing", answer("503 Service Unavailable", 0, b""), "503");
    refused("garbage", b"\x00\x01\x02\r\n\r\n".to_vec(), "numbers.gz: ");
}

#[test]
fn the_next_mirror_is_tried() {
    let cache = cache("mirrors");
    let (first, one) = serve(vec![answer("404 Not Found", 0, b"")]);
    let (second, two) = serve(vec![whole(&packed(CONTENT))]);
    download(&cache, &[&first, &second]).fill(&[FILE]).unwrap();
    one.join().unwrap();
    two.join().unwrap();
    assert_eq!(listing(&cache), ["numbers.gz"]);
}

#[test]
fn no_network_is_a_clear_error_soon() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let start = Instant::now();
    let cache = cache("nothing");
    let message =
        download(&cache, &[&closed, "http://no-such-host.invalid/"]).fill(&[FILE]).unwrap_err().to_string();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(message.contains("could not be downloaded; give a folder that has it"), "{message}");
    assert!(message.contains(&closed) && message.contains("no-such-host.invalid"), "{message}");
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let cache = cache("occupied");
    std::fs::create_dir_all(cache.parent().unwrap()).unwrap();
    std::fs::write(&cache, b"a file, not a folder").unwrap();
    let (address, server) = serve(vec![whole(&packed(CONTENT))]);
    let message = download(&cache, &[&address]).fill(&[FILE]).unwrap_err().to_string();
    server.join().unwrap();
    std::fs::remove_file(&cache).unwrap();
    assert!(message.contains("cannot write") && message.contains("numbers.gz"), "{message}");
}
