//! A static file server for pages that use shared memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Component, Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

/// A server on this machine only, running until the process ends.
pub struct Served {
    port: u16,
    acceptor: thread::JoinHandle<()>,
}

impl Served {
    /// The address of the folder.
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Serves until the process is ended from outside.
    pub fn forever(self) {
        // The thread ends only with the process.
        let _ = self.acceptor.join();
    }
}

/// Serves a folder on `port` (0: any free one). Each connection has a thread and carries one request, so that none
/// waits for another.
///
/// # Errors
/// The port is taken.
pub fn serve(folder: &Path, port: u16) -> Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on port {port}"))?;
    let port = listener.local_addr()?.port();
    let folder = folder.to_path_buf();
    let acceptor = thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            // The other side may have gone; there is nobody to tell.
            thread::spawn(move || answer(stream, &folder));
        }
    });
    Ok(Served { port, acceptor })
}

/// The longest request head that is read.
const HEAD: u64 = 64 << 10;

fn answer(mut stream: TcpStream, folder: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = BufReader::new((&stream).take(HEAD));
    let mut request = String::new();
    head.read_line(&mut request)?;
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    let (method, url) = match request.split(' ').collect::<Vec<_>>()[..] {
        [method, url, _] => (method, url.split(['?', '#']).next().unwrap_or_default()),
        _ => return Ok(()),
    };
    let found = locate(folder, url).and_then(|path| Some((content_type(&path), File::open(path).ok()?)));
    match found {
        Some((kind, mut file)) => {
            let length = file.metadata()?.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
                 Cache-Control: no-cache\r\nCross-Origin-Opener-Policy: same-origin\r\n\
                 Cross-Origin-Embedder-Policy: require-corp\r\n\
                 Cross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\n\r\n"
            )?;
            if method != "HEAD" {
                io::copy(&mut file, &mut stream)?;
            }
        }
        None => {
            let text = "not found";
            write!(
                stream,
                "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{text}",
                text.len()
            )?;
        }
    }
    stream.flush()
}

/// The file for a URL path; nothing outside the folder and nothing hidden.
fn locate(folder: &Path, url: &str) -> Option<PathBuf> {
    let relative = Path::new(url.trim_start_matches('/'));
    let plain = relative.components().all(|part| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        _ => false,
    });
    let path = folder.join(relative);
    let path = if path.is_dir() { path.join("index.html") } else { path };
    (plain && path.is_file()).then_some(path)
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("gz") => "application/gzip",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{locate, serve};
    use crate::shell::root;
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    fn get(address: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn every_one_of_many_connections_is_answered() {
        let served = serve(&root().join("xtask"), 0).unwrap();
        let address = served.url().trim_start_matches("http://").trim_end_matches('/').to_string();
        // Connections that say nothing keep nobody waiting.
        let _silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(&address).unwrap()).collect();
        let clients: Vec<_> = (0..64)
            .map(|_| {
                let address = address.clone();
                std::thread::spawn(move || get(&address, "/Cargo.toml?v=1"))
            })
            .collect();
        for client in clients {
            let text = client.join().unwrap();
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("name = \"xtask\""), "{text}");
        }
        assert!(get(&address, "/missing").starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn serves_only_files_below_the_folder() {
        let folder = root().join("xtask");
        assert_eq!(locate(&folder, "/Cargo.toml"), Some(folder.join("Cargo.toml")));
        assert_eq!(locate(&folder, "/src/main.rs"), Some(folder.join("src/main.rs")));
        for outside in
            ["/../Cargo.toml", "/src/../../Cargo.toml", "/", "/src", "/missing", "//etc/passwd", "/.git"]
        {
            assert_eq!(locate(&folder, outside), None, "{outside}");
        }
    }
}
